using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Drivers.Links;
using Weft.Dataplane.Drivers.Neighbors;
using Weft.Dataplane.Drivers.Routes;
using Weft.Dataplane.Drivers.Sysctls;
using Weft.Linux.Namespaces;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Dataplane;

/// <summary>All drivers of one network namespace, wired together. Owned by the dataplane loop.</summary>
internal sealed class Kernel : IDisposable
{
    private readonly RouteSocket _socket;

    private Kernel(RouteSocket socket, LinkFacts links, SysctlTable sysctls, ISysctlFiles sysctlFiles, IReadOnlyList<FamilyDrivers> families, NetlinkMonitor monitor)
    {
        (_socket, Links, Sysctls, SysctlFiles, Families, Monitor) = (socket, links, sysctls, sysctlFiles, families, monitor);
    }

    public LinkFacts Links { get; }

    public SysctlTable Sysctls { get; }

    public ISysctlFiles SysctlFiles { get; }

    public IReadOnlyList<FamilyDrivers> Families { get; }

    /// <summary>Listens to links since before the first read.</summary>
    public NetlinkMonitor Monitor { get; }

    /// <param name="settings">What to program and how.</param>
    /// <param name="runner">Runs iptables and ipset.</param>
    /// <param name="space">Null for the namespace of the process.</param>
    public static Kernel Open(DataplaneSettings settings, IProcessRunner runner, NetNamespace? space, ILoggerFactory logs, TimeProvider time)
    {
        NetlinkMonitor monitor = NetlinkMonitor.Open(MonitoredChanges.Links, space);
        RouteSocket socket = RouteSocket.Open(space);
        LinkFacts links = new(socket.Links);
        SysctlFiles files = new(space);
        FamilyDrivers[] families = [.. settings.Families.Where(f => Exists(f, files)).Select(f => Drivers(f, settings, runner, socket, links, logs, time))];
        return new Kernel(socket, links, new SysctlTable(files, logs.CreateLogger<SysctlTable>()), files, families, monitor);
    }

    public void Dispose()
    {
        Monitor.Dispose();
        _socket.Dispose();
    }

    private static bool Exists(IpFamily family, SysctlFiles files) =>
        family == IpFamily.IPv4 || files.TryRead("net/ipv6/conf/all/forwarding", out _) == Weft.Linux.Errno.None;

    private static FamilyDrivers Drivers(
        IpFamily family, DataplaneSettings settings, IProcessRunner runner, RouteSocket socket, LinkFacts links, ILoggerFactory logs, TimeProvider time)
    {
        IpTablesTools tools = IpTablesTools.Detect(runner, family, settings.Backend);
        ILogger<RuleTable> ruleLog = logs.CreateLogger<RuleTable>();
        RouteTableSettings routes = new(family, settings.RouteProtocol)
        {
            IsExclusiveLink = name => settings.Rules.InterfacePrefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal)),
            HasExclusiveLinks = true,
            RefreshInterval = settings.StateRefresh,
        };
        return new FamilyDrivers(
            family,
            Table("raw"),
            Table("mangle"),
            Table("nat"),
            Table("filter"),
            new IpSetFamily(family, new IpSetCommand(runner), time, logs.CreateLogger<IpSetFamily>(), settings.StateRefresh),
            new RouteTable(routes, socket.Routes, links, time, logs.CreateLogger<RouteTable>()),
            new NeighborTable(family, settings.RouteProtocol, socket.Neighbors, links, time, logs.CreateLogger<NeighborTable>(), settings.StateRefresh));

        RuleTable Table(string name) => new(
            new RuleTableSettings(name) { InsertMode = settings.InsertMode, RefreshInterval = settings.RulesRefresh }, tools, runner, time, ruleLog);
    }
}
