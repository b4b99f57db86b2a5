using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.Links;
using Weft.Dataplane.Rules;
using Weft.Dataplane.Rules.Model;
using Weft.Policy.Output;

namespace Weft.Dataplane.Managers;

/// <summary>
/// Host endpoints of this node: which interfaces are whose, the chains of each and the dispatch to them in the raw, mangle and filter tables. An
/// endpoint has the interface of its name, also before that exists; one without a name has those with one of its expected addresses; "*" has all
/// others. Of several that could have an interface the smallest name has it.
/// </summary>
internal sealed class HostEndpointManager(IReadOnlyList<FamilyDrivers> families, LinkFacts links, AddressFacts addresses, RuleSettings settings) : IDataplaneManager
{
    private const string AllInterfaces = "*";

    private readonly SortedDictionary<string, HostEndpointUpdate> _endpoints = new(StringComparer.Ordinal);

    // By table, in the order filter, mangle, raw: the chains written last, so that what is no longer wanted can be taken back.
    private readonly HashSet<string>[] _chains = [[], [], []];
    private RuleSettings _settings = settings;
    private bool _dirty = true;
    private long _addressVersion = -1;

    public int Count => _endpoints.Count;

    /// <summary>Endpoints of which something is not enforced, each with the reason.</summary>
    public IReadOnlyList<string> NotEnforced { get; private set; } = [];

    public void OnUpdate(DataplaneUpdate update)
    {
        switch (update)
        {
            case HostEndpointUpdate endpoint:
                _endpoints[endpoint.Name] = endpoint;
                _dirty = true;
                break;
            case HostEndpointRemove remove:
                _dirty |= _endpoints.Remove(remove.Name);
                break;
        }
    }

    public void OnSettings(RuleSettings settings) => (_settings, _dirty) = (settings, true);

    /// <summary>Links of the host changed: endpoints that know only addresses may have moved.</summary>
    public void OnLinksChanged() => _dirty |= _endpoints.Values.Any(static e => e.InterfaceName.Length == 0);

    public void Apply()
    {
        if (_addressVersion != addresses.Version)
        {
            _addressVersion = addresses.Version;
            OnLinksChanged();
        }

        if (!_dirty)
        {
            return;
        }

        _dirty = false;
        List<string> problems = [];
        SortedDictionary<string, HostEndpointUpdate> owners = Resolve(problems, out HostEndpointUpdate? any);
        NotEnforced = problems;
        EndpointRenderer endpoints = new(_settings);
        DispatchRenderer dispatches = new(_settings);

        // The endpoint of all interfaces comes last: its chains are those of no interface's name.
        (string Name, HostEndpointUpdate Endpoint)[] all =
            [.. owners.Select(o => (o.Key, o.Value)), .. any is null ? Array.Empty<(string, HostEndpointUpdate)>() : [(ChainNames.AnyInterface, any)]];
        foreach (FamilyDrivers family in families)
        {
            WriteChains(family.Filter, _chains[0], all.SelectMany(o => endpoints.HostFilter(o.Endpoint, o.Name)));
            WriteChains(family.Mangle, _chains[1], all.SelectMany(o => endpoints.HostMangle(o.Endpoint, o.Name)));
            WriteChains(family.Raw, _chains[2], owners.SelectMany(o => endpoints.HostRaw(o.Value, o.Key)));
            WriteDispatch(family, dispatches, owners, any);
        }

        NoteChains(0, all.SelectMany(o => endpoints.HostFilter(o.Endpoint, o.Name)));
        NoteChains(1, all.SelectMany(o => endpoints.HostMangle(o.Endpoint, o.Name)));
        NoteChains(2, owners.SelectMany(o => endpoints.HostRaw(o.Value, o.Key)));
    }

    private static void WriteDispatch(
        FamilyDrivers family, DispatchRenderer dispatches, SortedDictionary<string, HostEndpointUpdate> owners, HostEndpointUpdate? any)
    {
        string[] names = [.. owners.Keys];
        bool hasAny = any is not null;
        family.Filter.SetDispatch(DispatchRenderer.FromHosts(ChainNames.FromHostEndpoint, names, hasAny, ChainNames.FromHost));
        family.Filter.SetDispatch(dispatches.ToHosts(ChainNames.ToHostEndpoint, names, hasAny, ChainNames.ToHost));
        family.Filter.SetDispatch(DispatchRenderer.FromHosts(ChainNames.FromHostForward, names, hasAny, ChainNames.FromHostForwarded));
        family.Filter.SetDispatch(dispatches.ToHosts(ChainNames.ToHostForward, names, hasAny, ChainNames.ToHostForwarded));

        string[] preDnat = [.. owners.Where(static o => o.Value.PreDnatTiers.Count > 0).Select(static o => o.Key)];
        family.Mangle.SetDispatch(DispatchRenderer.FromHosts(ChainNames.FromHostEndpoint, preDnat, any is { PreDnatTiers.Count: > 0 }, ChainNames.FromHost));
        family.Mangle.SetDispatch(dispatches.ToHosts(ChainNames.ToHostEndpoint, names, hasAny, ChainNames.ToHost));

        string[] untracked = [.. owners.Where(static o => o.Value.UntrackedTiers.Count > 0).Select(static o => o.Key)];
        family.Raw.SetDispatch(DispatchRenderer.FromHosts(ChainNames.FromHostEndpoint, untracked, hasAny: false, ChainNames.FromHost));
        family.Raw.SetDispatch(dispatches.ToHosts(ChainNames.ToHostEndpoint, untracked, hasAny: false, ChainNames.ToHost));
    }

    private static void WriteChains(IRuleTable table, HashSet<string> before, IEnumerable<Chain> chains)
    {
        HashSet<string> gone = [.. before];
        foreach (Chain chain in chains)
        {
            table.SetChain(chain);
            gone.Remove(chain.Name);
        }

        foreach (string name in gone)
        {
            table.RemoveChain(name);
        }
    }

    private void NoteChains(int table, IEnumerable<Chain> chains)
    {
        _chains[table].Clear();
        _chains[table].UnionWith(chains.Select(static c => c.Name));
    }

    private SortedDictionary<string, HostEndpointUpdate> Resolve(List<string> problems, out HostEndpointUpdate? any)
    {
        any = null;
        SortedDictionary<string, HostEndpointUpdate> owners = new(StringComparer.Ordinal);
        foreach (HostEndpointUpdate endpoint in _endpoints.Values)
        {
            if (endpoint.Problem is not null)
            {
                problems.Add($"HostEndpoint {endpoint.Name} is closed: {endpoint.Problem}");
            }

            if (endpoint.InterfaceName == AllInterfaces)
            {
                any ??= endpoint;
                if (any != endpoint)
                {
                    problems.Add($"HostEndpoint {endpoint.Name}: all interfaces belong to HostEndpoint {any.Name}");
                }
                else if (endpoint.UntrackedTiers.Count > 0)
                {
                    problems.Add($"HostEndpoint {endpoint.Name}: doNotTrack policy has no effect on an endpoint of all interfaces");
                }

                continue;
            }

            string[] candidates = endpoint.InterfaceName.Length > 0 ? [endpoint.InterfaceName] : [.. InterfacesWith(endpoint)];
            if (candidates.Length == 0)
            {
                problems.Add($"HostEndpoint {endpoint.Name}: no interface has one of {string.Join(", ", endpoint.ExpectedIps)}");
            }

            foreach (string name in candidates)
            {
                if (IsWorkload(name))
                {
                    problems.Add($"HostEndpoint {endpoint.Name}: interface {name} is of a workload");
                }
                else if (!owners.TryAdd(name, endpoint))
                {
                    problems.Add($"HostEndpoint {endpoint.Name}: interface {name} belongs to HostEndpoint {owners[name].Name}");
                }
            }
        }

        return owners;
    }

    private IEnumerable<string> InterfacesWith(HostEndpointUpdate endpoint) =>
        endpoint.ExpectedIps.SelectMany(addresses.HoldersOf).Distinct().Select(links.NameOf).OfType<string>().Where(name => !IsWorkload(name)).Order(StringComparer.Ordinal);

    private bool IsWorkload(string name) => _settings.InterfacePrefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal));
}
