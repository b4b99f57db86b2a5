using Weft.Dataplane.Drivers.Links;
using Weft.Dataplane.Drivers.Routes;
using Weft.Dataplane.Drivers.Sysctls;
using Weft.Dataplane.Rules.Model;
using Weft.Dataplane.Rules;
using Weft.Linux;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Dataplane.Rules.Model.RuleAction;

namespace Weft.Dataplane.Managers;

/// <summary>
/// Workload endpoints of this node: their chains and the dispatch to them, routes, neighbours and settings of their interfaces; and when each is
/// programmed, for those who wait. Two endpoints that claim one interface: the smaller id has it, the other waits for it.
/// </summary>
internal sealed class EndpointManager(
    IReadOnlyList<FamilyDrivers> families, LinkFacts links, SysctlTable sysctls, ISysctlFiles files, DataplaneSettings settings, IEndpointProgress progress)
    : IDataplaneManager
{
    private const string HostReversePathFilter = "net/ipv4/conf/default/rp_filter";

    // The kernel answers a pod's ARP request for its gateway only if it has a route to that address by some other link. Most hosts have a default route;
    // a host that knows only what BGP taught it may not.
    private static readonly IpPrefix s_gateway = IpPrefix.Parse("169.254.1.1/32");
    private static readonly LinkId s_gatewayLink = new("lo");

    private readonly Dictionary<WorkloadEndpointId, Entry> _endpoints = [];
    private readonly Dictionary<string, SortedSet<WorkloadEndpointId>> _claims = new(StringComparer.Ordinal);
    private readonly HashSet<string> _dirty = new(StringComparer.Ordinal);

    // What was told of an interface, so that it can be taken back.
    private readonly HashSet<string> _programmed = new(StringComparer.Ordinal);
    private readonly HashSet<WorkloadEndpointId> _unreported = [];
    private EndpointRenderer _endpointRenderer = new(settings.Rules);
    private DispatchRenderer _dispatchRenderer = new(settings.Rules);
    private bool _dispatchDirty = true;
    private bool _gatewayRouted;

    public int Count => _endpoints.Count;

    /// <summary>Whether an endpoint of this node says that the interface is its own.</summary>
    public bool Claims(string interfaceName) => _claims.ContainsKey(interfaceName);

    private bool Connects => settings.Networking == NodeNetworking.Routed;

    /// <summary>Routes of workloads, both families.</summary>
    public int RouteCount => families.Sum(f => f.Routes.Count) - (_gatewayRouted ? 1 : 0);

    public void OnUpdate(DataplaneUpdate update)
    {
        switch (update)
        {
            case WorkloadEndpointUpdate endpoint:
                OnEndpoint(endpoint);
                break;
            case WorkloadEndpointRemove remove:
                OnRemove(remove.Id);
                break;
        }
    }

    public void OnSettings(RuleSettings rules)
    {
        _endpointRenderer = new EndpointRenderer(rules);
        _dispatchRenderer = new DispatchRenderer(rules);
        _dispatchDirty = true;
        _dirty.UnionWith(_programmed);
    }

    public void Apply()
    {
        foreach (string name in _dirty)
        {
            if (_claims.TryGetValue(name, out SortedSet<WorkloadEndpointId>? claims) && claims.Count > 0)
            {
                Program(_endpoints[claims.Min].Update);
            }
            else if (_programmed.Remove(name))
            {
                Forget(name);
            }
        }

        _dirty.Clear();
        RouteGateway();
        if (_dispatchDirty)
        {
            _dispatchDirty = false;
            RenderDispatch();
            RenderSpoofing();
        }
    }

    /// <summary>After a round that wrote everything: whoever waits for an endpoint is told. What awaits its interface is told later.</summary>
    public void ReportProgress()
    {
        foreach (WorkloadEndpointId id in _unreported.ToArray())
        {
            Entry entry = _endpoints[id];
            WorkloadEndpointUpdate update = entry.Update;
            string? problem = update.Problem
                ?? (_claims[update.InterfaceName].Min is var owner && owner != id ? $"interface {update.InterfaceName} belongs to {owner}" : Conflict(update) ?? Bridged(update));
            if (problem is not null)
            {
                _unreported.Remove(id);
                entry.Awaiting = false;
                progress.Failed(id, problem);
            }
            else if (IsInKernel(update))
            {
                _unreported.Remove(id);
                entry.Awaiting = false;
                progress.Programmed(id, update.Revision);
            }
            else if (!entry.Awaiting)
            {
                entry.Awaiting = true;
                progress.Failed(
                    id,
                    links.Find(update.InterfaceName) is { IsUp: true }
                        ? $"routes to {string.Join(", ", update.Networks)} are not in the kernel yet"
                        : $"interface {update.InterfaceName} does not exist or is down");
            }
        }
    }

    /// <summary>A round failed: so much is known of those that wait.</summary>
    public void ReportFailure(string problem)
    {
        foreach (WorkloadEndpointId id in _unreported)
        {
            progress.Failed(id, problem);
        }
    }

    private void OnEndpoint(WorkloadEndpointUpdate endpoint)
    {
        if (_endpoints.TryGetValue(endpoint.Id, out Entry? old) && old.Update.InterfaceName != endpoint.InterfaceName)
        {
            OnRemove(endpoint.Id);
        }

        _endpoints[endpoint.Id] = new Entry(endpoint);
        if (!_claims.TryGetValue(endpoint.InterfaceName, out SortedSet<WorkloadEndpointId>? claims))
        {
            claims = new SortedSet<WorkloadEndpointId>(IdOrder.Instance);
            _claims.Add(endpoint.InterfaceName, claims);
        }

        claims.Add(endpoint.Id);
        _unreported.UnionWith(claims);
        _dirty.Add(endpoint.InterfaceName);
        _dispatchDirty |= !_programmed.Contains(endpoint.InterfaceName)
            || endpoint.AllowSpoofedSourcePrefixes.Count > 0 || old?.Update.AllowSpoofedSourcePrefixes.Count > 0;
    }

    private void OnRemove(WorkloadEndpointId id)
    {
        _unreported.Remove(id);
        if (!_endpoints.Remove(id, out Entry? entry))
        {
            return;
        }

        string name = entry.Update.InterfaceName;
        SortedSet<WorkloadEndpointId> claims = _claims[name];
        claims.Remove(id);
        if (claims.Count == 0)
        {
            _claims.Remove(name);
        }
        else
        {
            _unreported.Add(claims.Min);
        }

        _dirty.Add(name);
        _dispatchDirty = true;
    }

    private void Program(WorkloadEndpointUpdate endpoint)
    {
        string name = endpoint.InterfaceName;
        _programmed.Add(name);
        Chain[] chains = [.. _endpointRenderer.Workload(endpoint)];
        foreach (FamilyDrivers family in families)
        {
            foreach (Chain chain in chains)
            {
                family.Filter.SetChain(chain);
            }
        }

        if (Connects)
        {
            Connect(endpoint, name);
        }
    }

    private void Connect(WorkloadEndpointUpdate endpoint, string name)
    {
        List<SysctlValue> values = [];
        foreach (FamilyDrivers family in families)
        {
            RouteTarget target = RouteTarget.OnLink(source: settings.SourceOf(family.Family));
            (RouteKey, RouteTarget)[] routes = [.. Routes(endpoint, family).Select(key => (key, target))];
            family.Routes.SetRoutes(RouteOwner.LocalWorkload, new LinkId(name), routes);

            // Only IPv4: a pod answers ARP for its own address late (or never, when it filters it); neighbour discovery needs no help.
            (IpAddress, MacAddress)[] neighbors = family.Family == IpFamily.IPv4 && endpoint.Mac is { } mac
                ? [.. endpoint.Networks.Where(n => n.IsIPv4).Select(n => (n.Address, mac))]
                : [];
            family.Neighbors.SetNeighbors(name, neighbors);
            foreach (SysctlValue value in WorkloadSysctls.For(family.Family, name, ReversePathFilter(endpoint)))
            {
                if (!values.Contains(value))
                {
                    values.Add(value);
                }
            }
        }

        sysctls.Set(name, [.. values]);
    }

    private void Forget(string name)
    {
        foreach (FamilyDrivers family in families)
        {
            family.Filter.RemoveChain(ChainNames.ToWorkload(name));
            family.Filter.RemoveChain(ChainNames.FromWorkload(name));
            family.Routes.SetRoutes(RouteOwner.LocalWorkload, new LinkId(name), []);
            family.Neighbors.SetNeighbors(name, []);
        }

        sysctls.Set(name, []);
    }

    private IEnumerable<RouteKey> Routes(WorkloadEndpointUpdate endpoint, FamilyDrivers family) =>
        !Connects ? [] : endpoint.Networks.Where(n => n.Family == family.Family).Select(n => new RouteKey(n, settings.MetricOf(family.Family)));

    /// <summary>The raw table refuses forged sources whatever this is; it is what the host's administrator wants for interfaces, unless the pod may spoof.</summary>
    private int ReversePathFilter(WorkloadEndpointUpdate endpoint)
    {
        if (endpoint.AllowSpoofedSourcePrefixes.Count > 0)
        {
            return 0;
        }

        return files.TryRead(HostReversePathFilter, out string text) == Errno.None && int.TryParse(text, out int value) ? value : 1;
    }

    private void RouteGateway()
    {
        bool wanted = Connects && _endpoints.Count > 0;
        if (wanted != _gatewayRouted && families.FirstOrDefault(f => f.Family == IpFamily.IPv4) is { } family)
        {
            _gatewayRouted = wanted;
            family.Routes.SetRoutes(RouteOwner.LocalWorkload, s_gatewayLink, wanted ? [(new RouteKey(s_gateway, settings.MetricOf(IpFamily.IPv4)), RouteTarget.OnLink())] : []);
        }
    }

    private void RenderDispatch()
    {
        Dispatch from = _dispatchRenderer.FromWorkloads(_claims.Keys), to = _dispatchRenderer.ToWorkloads(_claims.Keys);
        foreach (FamilyDrivers family in families)
        {
            family.Filter.SetDispatch(from);
            family.Filter.SetDispatch(to);
        }
    }

    private void RenderSpoofing()
    {
        foreach (FamilyDrivers family in families)
        {
            List<Rule> rules = [];
            foreach (WorkloadEndpointUpdate endpoint in _claims.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => _endpoints[c.Value.Min].Update))
            {
                foreach (IpPrefix prefix in endpoint.AllowSpoofedSourcePrefixes.Where(p => endpoint.Problem is null && p.Family == family.Family))
                {
                    rules.Add(new Rule(Match.All.InInterface(endpoint.InterfaceName).SourceNet(prefix), RuleAction.Accept));
                }
            }

            family.Raw.SetChain(new Chain(ChainNames.RpfSkip, rules));
        }
    }

    /// <summary>Packets between ports of a bridge never come to the host's rules: such an endpoint would seem to be protected and is not.</summary>
    private string? Bridged(WorkloadEndpointUpdate endpoint) =>
        links.Find(endpoint.InterfaceName) is { MasterIndex: > 0 } link && links.NameOf(link.MasterIndex) is { } master && links.Find(master) is { Kind: "bridge" }
            ? $"interface {link.Name} is a port of bridge {master}: packets between its pods pass no policy; use a plugin that routes (ptp)"
            : null;

    private string? Conflict(WorkloadEndpointUpdate endpoint)
    {
        foreach (FamilyDrivers family in families)
        {
            foreach (RouteKey key in family.Routes.Conflicts)
            {
                if (endpoint.Networks.Contains(key.Prefix))
                {
                    return $"a route to {key.Prefix} of another program is in the way";
                }
            }
        }

        return null;
    }

    private bool IsInKernel(WorkloadEndpointUpdate endpoint) =>
        links.Find(endpoint.InterfaceName) is { IsUp: true } && families.All(f => Routes(endpoint, f).All(f.Routes.IsWritten));

    private sealed class Entry(WorkloadEndpointUpdate update)
    {
        public WorkloadEndpointUpdate Update => update;

        /// <summary>It has been said that the interface is missing; once is enough.</summary>
        public bool Awaiting { get; set; }
    }

    private sealed class IdOrder : IComparer<WorkloadEndpointId>
    {
        public static readonly IdOrder Instance = new();

        public int Compare(WorkloadEndpointId a, WorkloadEndpointId b)
        {
            int result = string.CompareOrdinal(a.Orchestrator, b.Orchestrator);
            result = result != 0 ? result : string.CompareOrdinal(a.Workload, b.Workload);
            return result != 0 ? result : string.CompareOrdinal(a.Endpoint, b.Endpoint);
        }
    }
}
