using System.Runtime.InteropServices;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Drivers.Links;
using Weft.Dataplane.Drivers.Routes;
using Weft.Dataplane.Drivers.Tunnels;
using Weft.Dataplane.Rules;
using Weft.Linux.Netlink;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using IpSetMember = Weft.Dataplane.Drivers.IpSets.IpSetMember;
using IpSetType = Weft.Dataplane.Drivers.IpSets.IpSetType;

namespace Weft.Dataplane.Managers;

/// <summary>
/// The overlays of one family: the devices of this node, a route for each block of another node, and for VXLAN the neighbour and forwarding entries that
/// take the place of learning (reference: policy-dataplane 5.12).
/// <code>
///   block of node B --route--> tunnel address of B --neighbour--> MAC of B --forwarding--> address of B       VXLAN
///   block of node B --route--> address of B on tunl0                                                          IPIP
///   block of node B --route--> address of B on the link below: same subnet, or the pool has no encapsulation
/// </code>
/// </summary>
internal sealed class TunnelManager(
    string node, FamilyDrivers family, TunnelDrivers tunnels, LinkFacts links, AddressFacts addresses, RuleSettings settings) : IDataplaneManager
{
    private readonly string _device = TunnelRenderer.DeviceOf(family.Family);
    private readonly Dictionary<IpPrefix, RouteUpdate> _routes = [];
    private readonly Dictionary<string, HashSet<IpPrefix>> _byNode = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TunnelEnd> _ends = new(StringComparer.Ordinal);
    private readonly Dictionary<IpPrefix, RouteOwner> _programmed = [];
    private readonly HashSet<IpPrefix> _dirty = [];
    private RuleSettings _settings = settings;
    private IpAddress? _hostAddress;
    private LinkInfo? _parent;
    private bool _endsDirty = true;
    private bool _devicesDirty = true;
    private bool _ipipMade;

    /// <summary>The VXLAN device of a node, in this family.</summary>
    private readonly record struct TunnelEnd(IpAddress Address, MacAddress Mac, IpAddress Parent);

    private bool UsesVxlan => _settings.Encapsulation.HasFlag(family.Family == IpFamily.IPv4 ? Encapsulations.Vxlan : Encapsulations.VxlanV6);

    private bool UsesIpip => family.Family == IpFamily.IPv4 && _settings.Encapsulation.HasFlag(Encapsulations.Ipip);

    public void OnUpdate(DataplaneUpdate update)
    {
        switch (update)
        {
            case RouteUpdate route when route.Destination.Family == family.Family:
                OnRoute(route.Destination, route);
                break;
            case RouteRemove remove when remove.Destination.Family == family.Family:
                OnRoute(remove.Destination, null);
                break;
            case VXLANTunnelEndpointUpdate end:
                OnEnd(end.Node, End(end));
                break;
            case VXLANTunnelEndpointRemove end:
                OnEnd(end.Node, null);
                break;
            case HostMetadataUpdate host when host.Node == node:
                (_hostAddress, _devicesDirty) = (family.Family == IpFamily.IPv4 ? host.IPv4 : host.IPv6, true);
                break;
            case HostMetadataRemove host when host.Node == node:
                (_hostAddress, _devicesDirty) = (null, true);
                break;
        }
    }

    public void OnSettings(RuleSettings settings)
    {
        (_settings, _devicesDirty, _endsDirty) = (settings, true, true);
        _dirty.UnionWith(_routes.Keys);
    }

    public void Apply()
    {
        FindParent();
        if (_devicesDirty)
        {
            _devicesDirty = false;
            SetDevices();
        }

        foreach (IpPrefix destination in _dirty)
        {
            Program(destination);
        }

        _dirty.Clear();
        if (_endsDirty)
        {
            _endsDirty = false;
            SetEnds();
        }
    }

    private void OnRoute(IpPrefix destination, RouteUpdate? route)
    {
        if (_routes.Remove(destination, out RouteUpdate? old))
        {
            _devicesDirty |= old.Types.HasFlag(RouteTypes.LocalTunnel);
            if (old.Node is { } before && _byNode.TryGetValue(before, out HashSet<IpPrefix>? held) && held.Remove(destination) && held.Count == 0)
            {
                _byNode.Remove(before);
            }
        }

        if (route is not null)
        {
            _routes[destination] = route;
            _devicesDirty |= route.Types.HasFlag(RouteTypes.LocalTunnel);
            if (route.Node is { } at)
            {
                (CollectionsMarshal.GetValueRefOrAddDefault(_byNode, at, out _) ??= []).Add(destination);
            }
        }

        _dirty.Add(destination);
    }

    private void OnEnd(string name, TunnelEnd? end)
    {
        _endsDirty = true;
        _devicesDirty |= name == node;
        if (end is { } present)
        {
            _ends[name] = present;
        }
        else
        {
            _ends.Remove(name);
        }

        if (_byNode.TryGetValue(name, out HashSet<IpPrefix>? routes))
        {
            _dirty.UnionWith(routes);
        }
    }

    private TunnelEnd? End(VXLANTunnelEndpointUpdate end) => family.Family == IpFamily.IPv4
        ? end is { IPv4: { } address, Mac: { } mac, ParentIPv4: { } parent } ? new TunnelEnd(address, mac, parent) : null
        : end is { IPv6: { } address6, MacV6: { } mac6, ParentIPv6: { } parent6 } ? new TunnelEnd(address6, mac6, parent6) : null;

    /// <summary>The link that has this node's address; what leaves without a tunnel leaves there, and tunnels are laid over it.</summary>
    private void FindParent()
    {
        IpAddress? outer = _hostAddress ?? (_ends.TryGetValue(node, out TunnelEnd own) ? own.Parent : null);
        LinkInfo? found = outer is { } address && links.NameOf(addresses.HolderOf(address)) is { } name ? links.Find(name) : null;
        if (found?.Index != _parent?.Index || found?.Mtu != _parent?.Mtu || found?.Name != _parent?.Name)
        {
            _devicesDirty = true;
            _dirty.UnionWith(_routes.Keys);
        }

        _parent = found;
    }

    private void SetDevices()
    {
        bool six = family.Family == IpFamily.IPv6;
        int vxlanMtu = Size(six ? _settings.Tunnels.VxlanMtuV6 : _settings.Tunnels.VxlanMtu, six ? TunnelOverhead.VxlanV6 : TunnelOverhead.Vxlan);
        int ipipMtu = Size(_settings.Tunnels.IpipMtu, TunnelOverhead.Ipip);
        if (!UsesVxlan)
        {
            tunnels.Vxlan.Set(null);
        }
        else if (_parent is { } parent && _ends.TryGetValue(node, out TunnelEnd own))
        {
            tunnels.Vxlan.Set(new TunnelDeviceSettings(TunnelKind.Vxlan, own.Parent, parent.Index, own.Address, vxlanMtu)
            {
                Vni = _settings.Tunnels.Vni, Port = _settings.VxlanPort, Mac = own.Mac,
            });
        }

        // tunl0 belongs to the kernel's driver; it is touched only where it was used.
        if (tunnels.Ipip is { } ipip && UsesIpip && _parent is { } below && _hostAddress is { } outer && IpipAddress() is { } inner)
        {
            _ipipMade = true;
            ipip.Set(new TunnelDeviceSettings(TunnelKind.Ipip, outer, below.Index, inner, ipipMtu));
        }
        else if (_ipipMade && !UsesIpip)
        {
            _ipipMade = false;
            tunnels.Ipip?.Set(null);
        }
    }

    private int Size(int configured, int overhead) => configured > 0 ? configured : _parent is { Mtu: > 0 } parent ? parent.Mtu - overhead : 0;

    private IpAddress? IpipAddress() =>
        _byNode.TryGetValue(node, out HashSet<IpPrefix>? own)
        && own.Where(d => _routes[d] is { } r && r.Types.HasFlag(RouteTypes.LocalTunnel) && r.Tunnels.HasFlag(TunnelTypes.Ipip)).Cast<IpPrefix?>().FirstOrDefault() is { } found
            ? found.Address
            : null;

    private void Program(IpPrefix destination)
    {
        RouteKey key = new(destination);
        (RouteOwner Owner, RouteTarget Target)? wanted = _routes.TryGetValue(destination, out RouteUpdate? route) ? Wanted(route) : null;
        if (_programmed.Remove(destination, out RouteOwner before) && before != wanted?.Owner)
        {
            family.Routes.RemoveRoute(before, key);
        }

        if (wanted is { } now)
        {
            _programmed[destination] = now.Owner;
            family.Routes.SetRoute(now.Owner, key, now.Target);
        }
    }

    /// <summary>Null: this route is not ours to program, or what it needs is not known yet.</summary>
    private (RouteOwner Owner, RouteTarget Target)? Wanted(RouteUpdate route)
    {
        bool programs = route.PoolType switch
        {
            IpPoolType.Vxlan => UsesVxlan,
            IpPoolType.Ipip => UsesIpip,
            IpPoolType.NoEncap => _settings.Encapsulation.HasFlag(Encapsulations.NoEncap),
            _ => false,
        };
        if (!programs)
        {
            return null;
        }

        if (route.Types.HasFlag(RouteTypes.LocalWorkload) && !route.Traits.HasFlag(RouteTraits.LocalWorkload))
        {
            // Addresses of our blocks that no pod has must not follow the default route out and back again.
            return route.Destination.Length == route.Destination.Address.BitLength ? null : (RouteOwner.Blackhole, RouteTarget.Blackhole);
        }

        if ((route.Types & (RouteTypes.RemoteWorkload | RouteTypes.RemoteTunnel)) == 0 || route.Types.HasFlag(RouteTypes.RemoteHost))
        {
            return null;
        }

        bool direct = route.PoolType == IpPoolType.NoEncap || route.Traits.HasFlag(RouteTraits.SameSubnet);
        if (direct || route.PoolType == IpPoolType.Ipip)
        {
            return route.NodeAddress is not { } gateway ? null : direct
                ? _parent is { } parent ? (DirectOwner(route.PoolType), RouteTarget.Via(gateway, new LinkId(parent.Name), onLink: true)) : null
                : (RouteOwner.IpipTunnel, RouteTarget.Via(gateway, new LinkId(TunnelRenderer.IpipDevice), onLink: true));
        }

        LinkId device = new(_device);
        return route.Types.HasFlag(RouteTypes.RemoteTunnel) && route.Tunnels.HasFlag(TunnelTypes.Vxlan)
            ? (RouteOwner.VxlanTunnel, RouteTarget.OnLink(device))
            : route.Node is { } at && _ends.TryGetValue(at, out TunnelEnd end) ? (RouteOwner.VxlanTunnel, RouteTarget.Via(end.Address, device, onLink: true)) : null;
    }

    private static RouteOwner DirectOwner(IpPoolType pool) => pool switch
    {
        IpPoolType.Vxlan => RouteOwner.VxlanSameSubnet,
        IpPoolType.Ipip => RouteOwner.IpipSameSubnet,
        _ => RouteOwner.NoEncapsulation,
    };

    private void SetEnds()
    {
        TunnelEnd[] others = UsesVxlan ? [.. _ends.Where(e => e.Key != node).Select(e => e.Value)] : [];
        family.Neighbors.SetNeighbors(_device, [.. others.Select(e => (e.Address, e.Mac))]);
        tunnels.Forwarding.SetEntries([.. others.Select(e => (e.Mac, e.Parent))]);
        family.Sets.AddOrReplace(
            new IpSetMetadata(TunnelRenderer.AllVxlan, IpSetType.Net), 
            _ends.Values.Select(e => e.Parent.ToPrefix()).Concat(_settings.ExternalNodes.Where(e => e.Family == family.Family)).Select(p => new IpSetMember(p)).Distinct());
    }
}
