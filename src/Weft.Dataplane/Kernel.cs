using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Drivers.Links;
using Weft.Dataplane.Drivers.Neighbors;
using Weft.Dataplane.Drivers.Routes;
using Weft.Dataplane.Drivers.Sysctls;
using Weft.Dataplane.Drivers.Tunnels;
using Weft.Dataplane.Rules;
using Weft.Linux.Namespaces;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Dataplane;

/// <summary>All drivers of one network namespace, wired together. Owned by the dataplane loop.</summary>
internal sealed class Kernel : IDisposable
{
    private readonly RouteSocket _socket;
    private readonly IReadOnlyList<IDisposable> _setSockets;

    private Kernel(
        RouteSocket socket, IReadOnlyList<IDisposable> setSockets, LinkFacts links, AddressFacts addresses, SysctlTable sysctls, ISysctlFiles sysctlFiles,
        IReadOnlyList<FamilyDrivers> families, NetlinkMonitor monitor)
    {
        (_socket, _setSockets, Links, Addresses, Sysctls) = (socket, setSockets, links, addresses, sysctls);
        (SysctlFiles, Families, Monitor) = (sysctlFiles, families, monitor);
    }

    public LinkFacts Links { get; }

    public AddressFacts Addresses { get; }

    public SysctlTable Sysctls { get; }

    public ISysctlFiles SysctlFiles { get; }

    public IReadOnlyList<FamilyDrivers> Families { get; }

    /// <summary>Listens to links and addresses since before the first read.</summary>
    public NetlinkMonitor Monitor { get; }

    /// <param name="settings">What to program and how.</param>
    /// <param name="runner">Runs iptables.</param>
    /// <param name="space">Null for the namespace of the process.</param>
    public static Kernel Open(DataplaneSettings settings, IProcessRunner runner, NetNamespace? space, ILoggerFactory logs, TimeProvider time)
    {
        NetlinkMonitor monitor = NetlinkMonitor.Open(MonitoredChanges.Links | MonitoredChanges.Addresses, space);
        RouteSocket socket = RouteSocket.Open(space);
        LinkFacts links = new(socket.Links);
        SysctlFiles files = new(space);

        // Families are written side by side, each through its own socket.
        List<IDisposable> setSockets = [];
        FamilyDrivers[] families =
        [
            .. settings.Families.Where(f => Exists(f, files)).Select(f =>
            {
                IpSetSocket sets = IpSetSocket.Open(space);
                setSockets.Add(sets);
                return Drivers(f, settings, runner, socket, sets, links, logs, time);
            }),
        ];
        return new Kernel(
            socket, setSockets, links, new AddressFacts(socket.Addresses), new SysctlTable(files, logs.CreateLogger<SysctlTable>()), files, families, monitor);
    }

    public void Dispose()
    {
        Monitor.Dispose();
        _socket.Dispose();
        foreach (IDisposable socket in _setSockets)
        {
            socket.Dispose();
        }
    }

    private static bool Exists(IpFamily family, SysctlFiles files) =>
        family == IpFamily.IPv4 || files.TryRead("net/ipv6/conf/all/forwarding", out _) == Weft.Linux.Errno.None;

    private static FamilyDrivers Drivers(
        IpFamily family, DataplaneSettings settings, IProcessRunner runner, RouteSocket socket, IpSetSocket sets, LinkFacts links, ILoggerFactory logs, TimeProvider time)
    {
        IpTablesTools tools = IpTablesTools.Detect(runner, family, settings.Backend);
        ILogger<RuleTable> ruleLog = logs.CreateLogger<RuleTable>();
        RouteTableSettings routes = new(family, settings.RouteProtocol)
        {
            IsExclusiveLink = name => name == TunnelRenderer.DeviceOf(family) || settings.Rules.InterfacePrefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal)),
            HasExclusiveLinks = true,
            RefreshInterval = settings.StateRefresh,
        };
        return new FamilyDrivers(
            family,
            Table("raw"),
            Table("mangle"),
            Table("nat"),
            Table("filter"),
            new IpSetFamily(family, sets, time, logs.CreateLogger<IpSetFamily>(), settings.StateRefresh, settings.SetHashSize),
            new RouteTable(routes, socket.Routes, links, time, logs.CreateLogger<RouteTable>()),
            new NeighborTable(family, settings.RouteProtocol, socket.Neighbors, links, time, logs.CreateLogger<NeighborTable>(), settings.StateRefresh),
            new TunnelDrivers(
                Tunnel(TunnelRenderer.DeviceOf(family)),
                new ForwardingTable(TunnelRenderer.DeviceOf(family), socket.Neighbors, links, logs.CreateLogger<ForwardingTable>()),
                family == IpFamily.IPv4 ? Tunnel(TunnelRenderer.IpipDevice) : null));

        TunnelDevice Tunnel(string name) => new(name, socket.Links, socket.Addresses, links, logs.CreateLogger<TunnelDevice>());

        RuleTable Table(string name) => new(
            new RuleTableSettings(name) { InsertMode = settings.InsertMode, RefreshInterval = settings.RulesRefresh }, tools, runner, time, ruleLog);
    }
}
