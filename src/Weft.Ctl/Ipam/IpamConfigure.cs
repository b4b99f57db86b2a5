using System.Globalization;
using Weft.Datastore;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Model.Ipam;
using Weft.Model.Keys;

namespace Weft.Ctl.Ipam;

/// <summary>weft ipam configure: the engine's own configuration, which in etcd is not the IPAMConfiguration resource (reference 1.9).</summary>
internal sealed class IpamConfigure(IDatastore store, CommandLine line, CommandContext context)
{
    private const int MostBlocks = 1_000_000;
    private const int LongestCooldown = 1200;
    private const int Attempts = 5;

    public async Task<ExitStatus> RunAsync(CancellationToken stop)
    {
        CommandOption[] any = [IpamCommand.StrictAffinity, IpamCommand.MaxBlocks, IpamCommand.Persistence, IpamCommand.Cooldown];
        if (!Array.Exists(any, line.Has))
        {
            throw new UsageException($"configure: nothing to change; expected one of {string.Join(", ", any.Select(o => o.Long))}");
        }

        IpamConfigKey key = new();
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            KeyValue? stored = await store.GetAsync(key, stop);
            IpamConfig config = stored?.As<IpamConfig>() ?? IpamConfig.Default;
            List<string> changes = Change(config);
            if (config is { StrictAffinity: false, AutoAllocateBlocks: false })
            {
                throw new CtlException("Cannot disable 'StrictAffinity' and 'AutoAllocateBlocks' at the same time: a node without blocks could get no address at all");
            }

            if (config is { StrictAffinity: false, MaxBlocksPerHost: > 0 })
            {
                throw new CtlException("MaxBlocksPerHost requires StrictAffinity to be enabled: a node at its limit would borrow from others without end");
            }

            WriteResult result = stored is null ? await store.CreateAsync(key, config, stop) : await store.UpdateAsync(key, config, stored.Revision, stop);
            if (result.IsWritten)
            {
                foreach (string change in changes)
                {
                    await context.Out.WriteLineAsync($"Successfully set {change}");
                }

                return ExitStatus.Ok;
            }
        }

        throw new CtlException($"{key}: changed by somebody else {Attempts} times in a row");
    }

    private List<string> Change(IpamConfig config)
    {
        List<string> changes = [];
        if (line.Value(IpamCommand.StrictAffinity) is { } strict)
        {
            config.StrictAffinity = strict.ToLowerInvariant() switch
            {
                "true" => true,
                "false" => false,
                _ => throw new UsageException($"--strictaffinity {strict}: expected true or false"),
            };
            changes.Add($"StrictAffinity to: {(config.StrictAffinity ? "true" : "false")}");
        }

        if (line.Has(IpamCommand.MaxBlocks))
        {
            config.MaxBlocksPerHost = Number(IpamCommand.MaxBlocks, MostBlocks);
            changes.Add($"MaxBlocksPerHost to: {config.MaxBlocksPerHost}");
        }

        if (line.Value(IpamCommand.Persistence) is { } persistence)
        {
            config.KubeVirtVMAddressPersistence = persistence is "Enabled" or "Disabled" ? persistence
                : throw new UsageException($"--kubevirt-ip-persistence {persistence}: expected Enabled or Disabled");
            changes.Add($"KubeVirtVMAddressPersistence to: {persistence}");
        }

        if (line.Has(IpamCommand.Cooldown))
        {
            config.IpCooldownSeconds = Number(IpamCommand.Cooldown, LongestCooldown);
            changes.Add($"IPCooldownSeconds to: {config.IpCooldownSeconds}");
        }

        return changes;
    }

    private int Number(CommandOption option, int most) =>
        int.TryParse(line.Value(option), NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value <= most ? value
            : throw new UsageException($"{option.Long} {line.Value(option)}: expected a number from 0 to {most}");
}
