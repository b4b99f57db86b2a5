using Weft.Datastore;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ctl.Resources;

/// <summary>
/// Rules that need other objects to decide (reference 1.16). They are checks, not locks: the store has no transaction over several objects, so
/// what somebody else writes in the same instant is not seen; the readers of these objects bear that.
/// </summary>
internal sealed class Cascades(IDatastore store)
{
    private static readonly string[] s_builtInTiers = ["default", "kube-admin", "kube-baseline"];

    private static readonly ResourceKind[] s_tieredKinds =
        [ResourceKind.NetworkPolicy, ResourceKind.GlobalNetworkPolicy, ResourceKind.StagedNetworkPolicy, ResourceKind.StagedGlobalNetworkPolicy];

    /// <exception cref="CtlException">The object does not fit to the others.</exception>
    public async ValueTask CheckWriteAsync(Resource resource, bool isNew, CancellationToken stop)
    {
        switch (resource)
        {
            case IPPool pool when isNew:
                await CheckOverlapAsync(pool, stop);
                await CheckBlocksAsync(pool, stop);
                break;
            case BGPPeer { Spec.Filters: { Count: > 0 } filters }:
                await CheckFiltersAsync(filters, stop);
                break;
            default:
                if (isNew && TierOf(resource) is { Length: > 0 } tier && tier != "default" && await store.GetAsync(new ResourceKey(ResourceKind.Tier, tier), stop) is null)
                {
                    throw new CtlException($"spec.tier: \"{tier}\": there is no such tier; create it first");
                }

                break;
        }
    }

    /// <exception cref="CtlException">The object cannot be deleted while others need it.</exception>
    public async ValueTask CheckDeleteAsync(Resource resource, CancellationToken stop)
    {
        if (resource is not Tier tier)
        {
            return;
        }

        string name = tier.Metadata.Name;
        if (s_builtInTiers.Contains(name))
        {
            throw new CtlException($"the built-in tier {name} cannot be deleted");
        }

        List<string> users = [];
        foreach (ResourceKind kind in s_tieredKinds)
        {
            ListResult list = await store.ListAsync(ModelPrefix.Of(kind), stop);
            users.AddRange(list.Items.Select(i => i.As<Resource>()).Where(p => TierOf(p) == name).Select(p => $"{kind} {ResourceName.Of(p)}"));
        }

        if (users.Count > 0)
        {
            throw new CtlException($"the tier holds {users.Count} policies, delete them first: {string.Join(", ", users.Take(5))}{(users.Count > 5 ? ", ..." : string.Empty)}");
        }
    }

    /// <summary>Null for a kind without tiers.</summary>
    public static string? TierOf(Resource resource) => resource switch
    {
        NetworkPolicy policy => policy.Spec.Tier ?? string.Empty,
        GlobalNetworkPolicy policy => policy.Spec.Tier ?? string.Empty,
        StagedNetworkPolicy policy => policy.Spec.Tier ?? string.Empty,
        StagedGlobalNetworkPolicy policy => policy.Spec.Tier ?? string.Empty,
        _ => null,
    };

    private async ValueTask CheckOverlapAsync(IPPool pool, CancellationToken stop)
    {
        IpPrefix cidr = IpPrefix.Parse(pool.Spec.Cidr);
        foreach (KeyValue item in (await store.ListAsync(ModelPrefix.Of(ResourceKind.IPPool), stop)).Items)
        {
            IPPool other = item.As<IPPool>();
            if (other.Metadata.Name != pool.Metadata.Name && IpPrefix.TryParse(other.Spec.Cidr, out IpPrefix taken) && taken.Overlaps(cidr))
            {
                throw new CtlException($"spec.cidr: \"{pool.Spec.Cidr}\": overlaps with {other.Spec.Cidr} of IPPool {other.Metadata.Name}");
            }
        }
    }

    /// <summary>Blocks left from a deleted pool would be carved differently by the new one.</summary>
    private async ValueTask CheckBlocksAsync(IPPool pool, CancellationToken stop)
    {
        IpPrefix cidr = IpPrefix.Parse(pool.Spec.Cidr);
        foreach (KeyValue item in (await store.ListAsync(ModelPrefix.Blocks(cidr.Family), stop)).Items)
        {
            if (IpPrefix.TryParse(item.As<AllocationBlock>().Cidr, out IpPrefix block) && cidr.Contains(block) && block.Length != pool.Spec.BlockSize)
            {
                throw new CtlException($"spec.blockSize: \"{pool.Spec.BlockSize}\": the block {block} of another size exists in this CIDR; give /{block.Length} or release it");
            }
        }
    }

    private async ValueTask CheckFiltersAsync(List<string> filters, CancellationToken stop)
    {
        for (int i = 0; i < filters.Count; i++)
        {
            if (await store.GetAsync(new ResourceKey(ResourceKind.BGPFilter, filters[i]), stop) is null)
            {
                throw new CtlException($"spec.filters[{i}]: \"{filters[i]}\": there is no such BGPFilter; create it first");
            }
        }
    }
}
