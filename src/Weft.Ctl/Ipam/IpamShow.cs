using System.Globalization;
using System.Text.Json.Nodes;
using Weft.Ctl.Output;
using Weft.Datastore;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Ipam.Views;
using Weft.Model.Ipam;
using Weft.Primitives.Net;

namespace Weft.Ctl.Ipam;

/// <summary>weft ipam show.</summary>
internal sealed class IpamShow(IDatastore store, CommandLine line, CommandContext context)
{
    public async Task<ExitStatus> RunAsync(CancellationToken stop)
    {
        if (line.Value(IpamCommand.Output) is not (null or "json"))
        {
            throw new UsageException($"unrecognized output format '{line.Value(IpamCommand.Output)}'; expected json");
        }

        IpAddress? wanted = line.Value(IpamCommand.Ip) is not { } text ? null
            : IpAddress.TryParse(text, out IpAddress parsed) ? parsed
            : throw new CtlException($"invalid IP address specified: {text}");
        IpamView view = await IpamView.LoadAsync(store, stop);
        if (wanted is { } address)
        {
            await AddressAsync(view.Find(address));
        }
        else if (line.Has(IpamCommand.Configuration))
        {
            await ConfigurationAsync(view.Config);
        }
        else if (line.Has(IpamCommand.Borrowed))
        {
            await BorrowedAsync(view);
        }
        else
        {
            await PoolsAsync(view);
        }

        foreach (UnreadableValue value in view.Unreadable)
        {
            await context.Error.WriteLineAsync($"weft ipam: {value.Key}: {value.Reason}");
        }

        return view.Unreadable.Count == 0 ? ExitStatus.Ok : ExitStatus.Failed;
    }

    private async Task PoolsAsync(IpamView view)
    {
        if (IpamCommand.WantsJson(line))
        {
            await IpamCommand.PrintAsync(context, new JsonObject { ["pools"] = new JsonArray([.. view.Pools.Select(Pool)]) });
            return;
        }

        TextTable table = new("GROUPING", "CIDR", "IPS TOTAL", "IPS IN USE", "IPS RESERVED", "IPS FREE");
        foreach (PoolView pool in view.Pools)
        {
            if (pool.Cidr is { } cidr)
            {
                table.Add(Row("IP Pool", cidr.ToString(), pool.Use));
            }
            else if (line.Has(IpamCommand.Blocks))
            {
                table.Add(Row(IpamView.Orphans, null, pool.Use));
            }

            foreach (BlockView block in line.Has(IpamCommand.Blocks) ? pool.Blocks : [])
            {
                table.Add(Row($"Block {block.Affinity ?? "(no owner)"}", block.Cidr.ToString(), block.Use));
            }
        }

        await context.Out.WriteAsync(table.ToString());
    }

    private async Task AddressAsync(AddressView address)
    {
        if (IpamCommand.WantsJson(line))
        {
            await IpamCommand.PrintAsync(context, new JsonObject
            {
                ["ip"] = address.Address.ToString(), ["assigned"] = address.IsAssigned, ["handle"] = address.HandleId, ["pool"] = address.Pool,
                ["block"] = address.Block?.Cidr.ToString(), ["affinity"] = address.Block?.Affinity, ["releasedAt"] = address.ReleasedAt,
                ["attributes"] = new JsonObject([.. address.Attributes.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)a.Value))]),
            });
            return;
        }

        string where = address.Block is { } block ? $"in block {block.Cidr} of {block.Affinity ?? "nobody"}"
            : address.Pool is { } pool ? $"in pool {pool}, where no block is yet" : "in no pool";
        if (!address.IsAssigned)
        {
            string cooling = address.ReleasedAt is { } at ? $"; released at {at}, waiting for its cooldown" : string.Empty;
            await context.Out.WriteLineAsync($"{address.Address} is not assigned\n({where}{cooling})");
            return;
        }

        await context.Out.WriteLineAsync($"IP {address.Address} is in use\n({where})\nHandle ID: {(address.HandleId is { Length: > 0 } handle ? handle : "<none>")}");
        if (address.Attributes.Count > 0)
        {
            await context.Out.WriteLineAsync("Attributes:");
            foreach ((string name, string value) in address.Attributes.OrderBy(a => a.Key, StringComparer.Ordinal))
            {
                await context.Out.WriteLineAsync($"  {name}: {value}");
            }
        }
    }

    private async Task BorrowedAsync(IpamView view)
    {
        TextTable table = new("IP", "BORROWING-NODE", "BLOCK", "BLOCK OWNER", "TYPE", "ALLOCATED-TO");
        JsonArray list = [];
        foreach (BlockView block in view.Pools.SelectMany(p => p.Blocks))
        {
            foreach ((IpAddress ip, string node) in block.Borrowed)
            {
                AddressView held = view.Find(ip);
                string type = held.Attributes.GetValueOrDefault("type") ?? (held.Attributes.ContainsKey("pod") ? "pod" : "other");
                string to = held.Attributes.GetValueOrDefault("pod") is { } pod ? $"{held.Attributes.GetValueOrDefault("namespace")}/{pod}" : held.HandleId ?? string.Empty;
                table.Add(ip.ToString(), node, block.Cidr.ToString(), block.Owner, type, to);
                list.Add((JsonNode)new JsonObject
                {
                    ["ip"] = ip.ToString(), ["borrowingNode"] = node, ["block"] = block.Cidr.ToString(), ["blockOwner"] = block.Owner, ["type"] = type, ["allocatedTo"] = to,
                });
            }
        }

        if (IpamCommand.WantsJson(line))
        {
            await IpamCommand.PrintAsync(context, new JsonObject { ["borrowed"] = list });
            return;
        }

        await context.Out.WriteAsync(table.ToString());
    }

    private async Task ConfigurationAsync(IpamConfig config)
    {
        (string Name, JsonNode Value)[] values =
        [
            ("StrictAffinity", config.StrictAffinity), ("AutoAllocateBlocks", config.AutoAllocateBlocks), ("MaxBlocksPerHost", config.MaxBlocksPerHost),
            ("KubeVirtVMAddressPersistence", config.KubeVirtVMAddressPersistence ?? "Enabled"), ("IPCooldownSeconds", config.IpCooldownSeconds),
        ];
        if (IpamCommand.WantsJson(line))
        {
            await IpamCommand.PrintAsync(context, new JsonObject([.. values.Select(v => KeyValuePair.Create(char.ToLowerInvariant(v.Name[0]) + v.Name[1..], (JsonNode?)v.Value))]));
            return;
        }

        TextTable table = new("PROPERTY", "VALUE");
        foreach ((string name, JsonNode value) in values)
        {
            table.Add(name, value.ToString());
        }

        await context.Out.WriteAsync(table.ToString());
    }

    private static JsonNode Pool(PoolView pool) => new JsonObject
    {
        ["name"] = pool.Name, ["cidr"] = pool.Cidr?.ToString(), ["enabled"] = pool.IsEnabled, ["blockSize"] = pool.BlockSize, ["use"] = Use(pool.Use),
        ["blocks"] = new JsonArray([.. pool.Blocks.Select(b => (JsonNode)new JsonObject { ["cidr"] = b.Cidr.ToString(), ["affinity"] = b.Affinity, ["use"] = Use(b.Use) })]),
    };

    // Text: an IPv6 pool has more addresses than a number of JSON is sure to hold.
    private static JsonObject Use(Utilisation use) => new()
    {
        ["total"] = use.Capacity.ToString(CultureInfo.InvariantCulture), ["inUse"] = use.InUse.ToString(CultureInfo.InvariantCulture),
        ["reserved"] = use.Reserved.ToString(CultureInfo.InvariantCulture), ["free"] = use.Free.ToString(CultureInfo.InvariantCulture),
    };

    private static string?[] Row(string grouping, string? cidr, Utilisation use)
    {
        // 0 stands for 2^128, which no pool has.
        double total = (double)use.Capacity;
        return [grouping, cidr, Number(total), Share(use.InUse, total), Share(use.Reserved, total), Share(use.Free, total)];
    }

    private static string Share(UInt128 part, double total) =>
        $"{Number((double)part)} ({(total == 0 ? 0 : Math.Round(100 * (double)part / total)).ToString(CultureInfo.InvariantCulture)}%)";

    /// <summary>Five digits, as calicoctl prints them: 65531, 1.2089e+24.</summary>
    private static string Number(double value) => value < 100_000 ? value.ToString("0", CultureInfo.InvariantCulture) : value.ToString("0.####e+00", CultureInfo.InvariantCulture);
}
