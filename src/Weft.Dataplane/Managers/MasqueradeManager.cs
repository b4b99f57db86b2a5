using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Rules;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using IpSetMember = Weft.Dataplane.Drivers.IpSets.IpSetMember;
using IpSetType = Weft.Dataplane.Drivers.IpSets.IpSetType;

namespace Weft.Dataplane.Managers;

/// <summary>Pools become the two sets that decide which traffic is masqueraded, and the rule that asks them.</summary>
internal sealed class MasqueradeManager(IReadOnlyList<FamilyDrivers> families, RuleSettings settings) : IDataplaneManager
{
    private readonly Dictionary<IpPrefix, IpamPoolUpdate> _pools = [];
    private RuleSettings _settings = settings;
    private bool _dirty = true;

    public void OnUpdate(DataplaneUpdate update)
    {
        switch (update)
        {
            case IpamPoolUpdate pool:
                _pools[pool.Cidr] = pool;
                _dirty = true;
                break;
            case IpamPoolRemove remove:
                _dirty |= _pools.Remove(remove.Cidr);
                break;
        }
    }

    public void OnSettings(RuleSettings settings) => (_settings, _dirty) = (settings, true);

    public void Apply()
    {
        if (!_dirty)
        {
            return;
        }

        _dirty = false;

        // Addresses of load balancers are not those of pods: traffic to them leaves the cluster's pools.
        IpamPoolUpdate[] pools = [.. _pools.Values.Where(p => p.AllowedUses.Any(use => use != "LoadBalancer"))];
        foreach (FamilyDrivers family in families)
        {
            family.Sets.AddOrReplace(new IpSetMetadata(NatRenderer.AllPools, IpSetType.Net), pools.Select(p => new IpSetMember(p.Cidr)));
            family.Sets.AddOrReplace(
                new IpSetMetadata(NatRenderer.MasqueradePools, IpSetType.Net), pools.Where(p => p.Masquerade).Select(p => new IpSetMember(p.Cidr)));
            bool any = pools.Any(p => p.Masquerade && p.Cidr.Family == family.Family);
            family.Nat.SetChain(new NatRenderer(_settings, family.Family, family.Sets.NameOf).NatOutgoing(any));
        }
    }
}
