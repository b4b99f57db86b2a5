using System.Globalization;
using System.Numerics;
using Weft.Datastore;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ctl.Ipam;

/// <summary>
/// weft ipam split: one pool becomes N of equal size, with everything else as it was. Blocks and addresses stay as they are, since each block lies in one of
/// the new pools. The new pools overlap the old one for a moment, which is why nobody may allocate meanwhile. Cut off half way, the same command ends it.
/// </summary>
internal sealed class IpamSplit(IDatastore store, CommandLine line, CommandContext context)
{
    public async Task<ExitStatus> RunAsync(string text, CancellationToken stop)
    {
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int parts) || parts < 2 || !BitOperations.IsPow2(parts))
        {
            throw new CtlException($"number to split CIDR into is not a valid power of 2: {text}");
        }

        if (line.Has(IpamCommand.Cidr) == line.Has(IpamCommand.PoolName))
        {
            throw new UsageException("split: expected either --cidr or --name");
        }

        ListResult list = await store.ListAsync([ModelPrefix.Of(ResourceKind.IPPool), ModelPrefix.Of(ResourceKind.ClusterInformation)], stop);
        KeyValue old = Find([.. list.Items.Where(i => i.Value is IPPool)]);
        IPPool pool = old.As<IPPool>();
        IpPrefix cidr = IpPrefix.Parse(pool.Spec.Cidr!);
        int length = cidr.Length + BitOperations.Log2((uint)parts);
        int blockSize = pool.Spec.BlockSize is { } size and > 0 ? size : cidr.IsIPv4 ? 26 : 122;
        if (length > blockSize)
        {
            throw new CtlException($"the CIDR {cidr} is not large enough to be split into {parts} parts: each must hold a block, and blocks are /{blockSize}");
        }

        if (list.Items.Select(i => i.Value).OfType<ClusterInformation>().FirstOrDefault()?.Spec.DatastoreReady != false)
        {
            throw new CtlException("datastore is not locked. Set ClusterInformation default datastoreReady to false first (and to true afterwards), so that nothing is assigned while pools overlap");
        }

        await DisableAsync(old, pool, stop);
        for (int i = 0; i < parts; i++)
        {
            string name = $"split-{pool.Metadata.Name}-{i}";
            ResourceKey key = new(ResourceKind.IPPool, name);
            if (!(await store.CreateAsync(key, Part(pool, name, cidr.Address.Add((UInt128)i << (cidr.Address.BitLength - length)), length), stop)).IsWritten
                && (await store.GetAsync(key, stop))?.As<IPPool>().Spec.Cidr != new IpPrefix(cidr.Address.Add((UInt128)i << (cidr.Address.BitLength - length)), length).ToString())
            {
                throw new CtlException($"IPPool {name} exists already, with another CIDR: rename it, then split again (pool {pool.Metadata.Name} is disabled now)");
            }
        }

        await store.DeleteAsync(old.Key, null, stop);
        await context.Out.WriteLineAsync($"Successfully split IP pool {pool.Metadata.Name} ({cidr}) into {parts} pools: split-{pool.Metadata.Name}-0 to -{parts - 1}");
        return ExitStatus.Ok;
    }

    private KeyValue Find(IReadOnlyList<KeyValue> pools)
    {
        if (line.Value(IpamCommand.PoolName) is { } name)
        {
            return pools.FirstOrDefault(p => p.As<IPPool>().Metadata.Name == name) ?? throw new CtlException($"there is no IPPool {name}");
        }

        IpPrefix cidr = IpPrefix.TryParse(line.Value(IpamCommand.Cidr), out IpPrefix parsed) ? parsed : throw new CtlException($"invalid CIDR specified: {line.Value(IpamCommand.Cidr)}");
        return pools.FirstOrDefault(p => IpPrefix.TryParse(p.As<IPPool>().Spec.Cidr, out IpPrefix other) && other == cidr) ?? throw new CtlException($"there is no IPPool with CIDR {cidr}");
    }

    /// <summary>Should the lock be broken by somebody, the old pool at least assigns nothing.</summary>
    private async Task DisableAsync(KeyValue old, IPPool pool, CancellationToken stop)
    {
        IPPool disabled = Copy(pool);
        disabled.Spec.Disabled = true;
        if (!(await store.UpdateAsync(old.Key, disabled, old.Revision, stop)).IsWritten)
        {
            throw new CtlException($"IPPool {pool.Metadata.Name} was changed by somebody else meanwhile: try again");
        }
    }

    private IPPool Part(IPPool pool, string name, IpAddress first, int length)
    {
        IPPool part = Copy(pool);
        part.Metadata = new ObjectMeta
        {
            Name = name, Labels = pool.Metadata.Labels, Annotations = pool.Metadata.Annotations, Uid = Guid.NewGuid().ToString(),
            CreationTimestamp = context.Time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
        };
        part.Spec.Cidr = new IpPrefix(first, length).ToString();
        return part;
    }

    private static IPPool Copy(IPPool pool)
    {
        ResourceKey key = new(ResourceKind.IPPool, pool.Metadata.Name);
        return ModelJson.TryDeserialize(key, ModelJson.Serialize(key, pool), out object? copy, out string? problem) ? (IPPool)copy : throw new InvalidOperationException(problem);
    }
}
