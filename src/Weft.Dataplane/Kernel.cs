using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Drivers.Links;
using Weft.Dataplane.Drivers.Neighbors;
using Weft.Dataplane.Drivers.NfTables;
using Weft.Dataplane.Drivers.Routes;
using Weft.Dataplane.Drivers.Sysctls;
using Weft.Dataplane.Drivers.Tunnels;
using Weft.Dataplane.Rules;
using Weft.Linux.Namespaces;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Dataplane;

/// <summary>
/// All drivers of one network namespace, wired together. Those of rules come with the choice of what writes them, which is made when FelixConfiguration is
/// known. Owned by the dataplane loop.
/// </summary>
internal sealed class Kernel : IDisposable
{
    private DataplaneSettings _settings;
    private readonly IProcessRunner _runner;
    private readonly NetNamespace? _space;
    private readonly ILoggerFactory _logs;
    private readonly TimeProvider _time;
    private readonly RouteSocket _socket;
    private readonly IReadOnlyList<IpFamily> _families;
    private readonly List<IDisposable> _ruleSockets = [];
    private readonly NfCommits _commits = new();
    private string? _lacking; // for nf_tables; empty for nothing, null while nobody asked

    /// <param name="settings">What to program and how.</param>
    /// <param name="runner">Runs iptables.</param>
    /// <param name="space">Null for the namespace of the process.</param>
    /// <param name="logs">For the drivers.</param>
    /// <param name="time">For the drivers.</param>
    public Kernel(DataplaneSettings settings, IProcessRunner runner, NetNamespace? space, ILoggerFactory logs, TimeProvider time)
    {
        (_settings, _runner, _space, _logs, _time) = (settings, runner, space, logs, time);
        Monitor = NetlinkMonitor.Open(MonitoredChanges.Links | MonitoredChanges.Addresses, space);
        _socket = RouteSocket.Open(space);
        Links = new LinkFacts(_socket.Links);
        Addresses = new AddressFacts(_socket.Addresses);
        SysctlFiles files = new(space);
        SysctlFiles = files;
        Sysctls = new SysctlTable(files, logs.CreateLogger<SysctlTable>());
        _families = [.. settings.Families.Where(f => Exists(f, files))];
    }

    public LinkFacts Links { get; }

    public AddressFacts Addresses { get; }

    public SysctlTable Sysctls { get; }

    public ISysctlFiles SysctlFiles { get; }

    /// <summary>None before <see cref="Choose"/>.</summary>
    public IReadOnlyList<FamilyDrivers> Families { get; private set; } = [];

    /// <summary>Listens to links and addresses since before the first read.</summary>
    public NetlinkMonitor Monitor { get; }

    /// <summary>What is to write the rules, as far as is known now.</summary>
    /// <param name="config">Null while there is none.</param>
    /// <param name="problems">Values that cannot be read.</param>
    public RuleBackendDecision Decide(ConfigUpdate? config, List<string> problems) => RuleBackendDecision.Of(_settings.Backend, config, Lacking, problems);

    /// <summary>Opens the drivers.</summary>
    /// <param name="decision">What writes the rules.</param>
    /// <param name="settings">With what is configured.</param>
    /// <exception cref="DataplaneException">iptables is to write rules and is not installed.</exception>
    public void Choose(RuleBackendDecision decision, DataplaneSettings settings)
    {
        _settings = settings;
        Families = [.. _families.Select(f => Drivers(f, decision))];
    }

    /// <summary>Takes what another backend left out of the kernel; to be called when the rules of this one are in force.</summary>
    public void Sweep(RuleBackendDecision decision)
    {
        foreach (IpFamily family in _families)
        {
            new BackendSweep(family, _runner, _space, _logs, _time).Run(decision.Choice);
        }
    }

    public void Dispose()
    {
        Monitor.Dispose();
        _socket.Dispose();
        foreach (IDisposable socket in _ruleSockets)
        {
            socket.Dispose();
        }
    }

    private static bool Exists(IpFamily family, SysctlFiles files) =>
        family == IpFamily.IPv4 || files.TryRead("net/ipv6/conf/all/forwarding", out _) == Weft.Linux.Errno.None;

    private string? Lacking()
    {
        _lacking ??= string.Join("; ", _families.Select(f => NfProbe.Missing(f, _space)).OfType<string>());
        return _lacking.Length == 0 ? null : _lacking;
    }

    private FamilyDrivers Drivers(IpFamily family, RuleBackendDecision decision)
    {
        DataplaneSettings settings = _settings;
        RouteTableSettings routes = new(family, _settings.RouteProtocol)
        {
            IsExclusiveLink = name => name == TunnelRenderer.DeviceOf(family) || (settings.ForeignRoutes == ForeignRoutes.Removed && settings.Rules.InterfacePrefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal))),
            HasExclusiveLinks = true,
            RefreshInterval = _settings.RoutesRefresh,
        };
        return new FamilyDrivers(
            family,
            decision.Choice == RuleBackendChoice.NfTables ? NfTables(family) : IpTables(family, decision),
            new RouteTable(routes, _socket.Routes, Links, _time, _logs.CreateLogger<RouteTable>()),
            new NeighborTable(family, _settings.RouteProtocol, _socket.Neighbors, Links, _time, _logs.CreateLogger<NeighborTable>(), _settings.RoutesRefresh),
            new TunnelDrivers(
                Tunnel(TunnelRenderer.DeviceOf(family)),
                new ForwardingTable(TunnelRenderer.DeviceOf(family), _socket.Neighbors, Links, _logs.CreateLogger<ForwardingTable>()),
                family == IpFamily.IPv4 ? Tunnel(TunnelRenderer.IpipDevice) : null));

        TunnelDevice Tunnel(string name) => new(name, _socket.Links, _socket.Addresses, Links, _logs.CreateLogger<TunnelDevice>());
    }

    // Families are written side by side, each through its own socket.
    private NfTablesRules NfTables(IpFamily family)
    {
        NfTablesSocket socket = NfTablesSocket.Open(family, _space);
        _ruleSockets.Add(socket);
        return new NfTablesRules(socket, family, _commits, _time, _logs.CreateLogger<NfTablesRules>(), _settings.RulesRefresh);
    }

    private IpTablesRules IpTables(IpFamily family, RuleBackendDecision decision)
    {
        IpSetSocket sets = IpSetSocket.Open(_space);
        _ruleSockets.Add(sets);
        IpTablesTools tools = IpTablesTools.Detect(_runner, family, decision.IpTables);
        ILogger<RuleTable> ruleLog = _logs.CreateLogger<RuleTable>();
        return new IpTablesRules(
            Table("raw"),
            Table("mangle"),
            Table("nat"),
            Table("filter"),
            new IpSetFamily(family, sets, _time, _logs.CreateLogger<IpSetFamily>(), _settings.SetsRefresh, _settings.SetHashSize));

        RuleTable Table(string name) => new(
            new RuleTableSettings(name) { InsertMode = _settings.InsertMode, RefreshInterval = _settings.RulesRefresh, PostWriteCheckInterval = _settings.PostWriteCheck }, tools, _runner, _time, ruleLog);
    }
}
