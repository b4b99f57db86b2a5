using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Rules;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using IpSetMember = Weft.Dataplane.Drivers.IpSets.IpSetMember;
using IpSetType = Weft.Dataplane.Drivers.IpSets.IpSetType;

namespace Weft.Dataplane.Managers;

/// <summary>The addresses of all nodes as a set: who may send encapsulated packets.</summary>
internal sealed class HostAddressManager(IReadOnlyList<FamilyDrivers> families, RuleSettings settings) : IDataplaneManager
{
    private IReadOnlyList<IpPrefix> _external = settings.ExternalNodes;
    private readonly Dictionary<string, HostMetadataUpdate> _hosts = new(StringComparer.Ordinal);
    private bool _dirty = true;

    public void OnUpdate(DataplaneUpdate update)
    {
        switch (update)
        {
            case HostMetadataUpdate host:
                _hosts[host.Node] = host;
                _dirty = true;
                break;
            case HostMetadataRemove remove:
                _dirty |= _hosts.Remove(remove.Node);
                break;
        }
    }

    public void OnSettings(RuleSettings settings)
    {
        _dirty |= !_external.SequenceEqual(settings.ExternalNodes);
        _external = settings.ExternalNodes;
    }

    public void Apply()
    {
        if (!_dirty)
        {
            return;
        }

        _dirty = false;
        foreach (FamilyDrivers family in families)
        {
            IEnumerable<IpAddress?> addresses = _hosts.Values.Select(h => family.Family == IpFamily.IPv4 ? h.IPv4 : h.IPv6);
            family.Sets.AddOrReplace(
                new IpSetMetadata(NatRenderer.AllHosts, IpSetType.Net),
                addresses.OfType<IpAddress>().Select(a => a.ToPrefix()).Concat(_external.Where(e => e.Family == family.Family)).Select(p => new IpSetMember(p)));
        }
    }
}
