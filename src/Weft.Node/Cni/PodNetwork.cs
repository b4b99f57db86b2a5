using Microsoft.Extensions.Logging;
using Weft.Linux;
using Weft.Linux.Namespaces;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Node.Cni;

/// <summary>Routes and neighbours of the host have one writer at a time.</summary>
internal enum HostRoutes
{
    /// <summary>The agent's dataplane writes them from the endpoint, before ADD returns.</summary>
    ByDataplane,

    /// <summary>No agent is there: they are written with the interface, as an agent would, so that a later one finds them right.</summary>
    Here,
}

/// <summary>
/// <see cref="IPodNetwork"/> on the kernel. Every call has threads of its own: netlink blocks (deleting a veth pair waits for RCU), and entering a
/// namespace needs a throw-away thread anyway.
/// </summary>
/// <param name="logger">For settings that could not be written.</param>
/// <param name="hostRoutes">Who writes the host's routes to pods.</param>
/// <param name="hostSpace">Where the host's sides live; null for the namespace of this process.</param>
/// <param name="reaper">Deletes what is cut after the answer; null where nothing runs after it.</param>
internal sealed class PodNetwork(ILogger logger, HostRoutes hostRoutes, NetNamespace? hostSpace = null, LinkReaper? reaper = null) : IPodNetwork
{
    /// <summary>Of the rules that send what leaves from an additional interface's address to its own table; before the main table's (32766).</summary>
    private const uint RulePriority = 1000;

    /// <summary>Tables of additional interfaces: this plus the index of the interface.</summary>
    private const uint FirstTable = 0x7765_0000;

    /// <summary>RTPROT_BOOT: what "ip route add" writes, and Calico's plugin.</summary>
    private const byte BootProtocol = 3;

    // Not abandoned when the call's time is over: the undo that follows must find everything made.
    public ValueTask<(MacAddress Mac, int Mtu)> CreateAsync(PodInterface plan, CancellationToken stop) => OnOwnThread(() => Create(plan), CancellationToken.None);

    public ValueTask<CutOutcome> CutAsync(PodInterface plan, CancellationToken stop) => OnOwnThread(() => Cut(plan), stop);

    public ValueTask<IReadOnlyList<(string HostName, InterfaceOwner Owner)>> OwnedAsync(CancellationToken stop) => OnOwnThread(Owned, stop);

    public ValueTask RemoveFromPodAsync(string netnsPath, string name, CancellationToken stop) => OnOwnThread(() => RemoveFromPod(netnsPath, name), stop);

    public ValueTask RemoveFromHostAsync(string hostName, CancellationToken stop) => OnOwnThread(() => RemoveFromHost(hostName), stop);

    public ValueTask<PodInterfaceState?> ReadAsync(PodInterface plan, CancellationToken stop) => OnOwnThread(() => Read(plan), stop);

    private (MacAddress Mac, int Mtu) Create(PodInterface plan)
    {
        using NetNamespace pod = OpenPod(plan.NetnsPath);
        using RouteSocket host = RouteSocket.Open(hostSpace);
        RemoveFromHost(host, plan.HostName);
        try
        {
            NetlinkResult made = CreatePair(host, pod, plan);
            if (made.Errno == Errno.EEXIST && DeleteRetired(host, pod, plan.Name))
            {
                made = CreatePair(host, pod, plan);
            }

            made.ThrowIfFailed($"create veth {plan.HostName} with peer {plan.Name} in {plan.NetnsPath}");
            LinkInfo hostSide = host.Links.Find(plan.HostName) ?? throw new KernelException($"find {plan.HostName}", Errno.ENODEV);
            OnHost(() => WriteSysctls(plan.HostSysctls));
            host.Links.SetUp(hostSide.Index, plan.Owner.ToString()).ThrowIfFailed($"set {plan.HostName} up");
            PodLimits.Apply(host, hostSide, plan);
            if (plan.HasIPv6)
            {
                // The kernel makes this address itself unless net.ipv6.conf.default.addr_gen_mode says otherwise.
                host.Addresses.Replace(hostSide.Index, new InterfaceAddress(PodInterface.GatewayIPv6, 64), AddressOptions.NoDuplicateDetection)
                    .ThrowIfFailed($"add address {PodInterface.GatewayIPv6}/64 to {plan.HostName}");
            }

            LinkInfo podSide = pod.Run(() => SetUpInside(plan));
            foreach (IpAddress address in hostRoutes == HostRoutes.Here ? plan.Addresses : [])
            {
                host.Neighbors.Replace(hostSide.Index, address, podSide.Mac).ThrowIfFailed($"add neighbour {address} to {plan.HostName}");
                AddHostRoute(host, hostSide, address);
            }

            return (podSide.Mac, podSide.Mtu);
        }
        catch
        {
            RemoveFromHost(host, plan.HostName);
            throw;
        }
    }

    /// <summary>The pod's side is born where it belongs: moving it there later would wait for RCU under the lock of all rtnetlink.</summary>
    private static NetlinkResult CreatePair(RouteSocket host, NetNamespace pod, PodInterface plan) => host.Links.CreateVeth(
        new VethEnd(plan.HostName) { Mac = MacAddress.HostVeth, Mtu = plan.Mtu ?? 0, Queues = plan.Queues },
        new VethEnd(plan.Name) { Mac = plan.Mac, Mtu = plan.Mtu ?? 0, Queues = plan.Queues, Namespace = pod });

    /// <summary>
    /// A pair of an earlier call whose host side is taken out of service and not yet deleted keeps its name inside a pod that goes on living: a call that
    /// was killed half-way leaves such a one. True when there was one, and it is gone now.
    /// </summary>
    private static bool DeleteRetired(RouteSocket host, NetNamespace pod, string name)
    {
        using RouteSocket inside = RouteSocket.Open(pod);
        return inside.Links.Find(name) is { ParentIndex: > 0 } podSide && host.Links.Find(podSide.ParentIndex) is { Group: LinkReaper.Group, Kind: "veth" } retired
            && host.Links.Delete(retired.Index) is { IsSuccess: true } or { Errno: Errno.ENODEV };
    }

    /// <summary>Runs inside the pod's namespace.</summary>
    private LinkInfo SetUpInside(PodInterface plan)
    {
        using RouteSocket pod = RouteSocket.Open();
        LinkInfo link = pod.Links.Find(plan.Name) ?? throw new KernelException($"find {plan.Name} in {plan.NetnsPath}", Errno.ENODEV);
        WriteSysctls(plan.PodSysctlsBeforeUp);
        if (pod.Links.Find("lo") is { IsUp: false } loopback)
        {
            pod.Links.SetUp(loopback.Index).ThrowIfFailed($"set lo up in {plan.NetnsPath}");
        }

        pod.Links.SetUp(link.Index).ThrowIfFailed($"set {plan.Name} up in {plan.NetnsPath}");
        foreach (IpAddress address in plan.Addresses)
        {
            pod.Addresses.Replace(link.Index, new InterfaceAddress(address, address.BitLength), AddressOptions.NoDuplicateDetection)
                .ThrowIfFailed($"add address {address.ToPrefix()} to {plan.Name}");
        }

        uint table = TableOf(plan, link);
        foreach ((IpPrefix destination, IpAddress gateway) in plan.Routes)
        {
            // Known from the start: no first packet waits for an answer, and none depends on the host having a route that lets proxy ARP answer.
            pod.Neighbors.Replace(link.Index, gateway, MacAddress.HostVeth).ThrowIfFailed($"add neighbour {gateway} to {plan.Name}");
            if (gateway.IsIPv4)
            {
                pod.Routes.Replace(new RouteInfo { Destination = gateway.ToPrefix(), Scope = RouteScope.Link, Protocol = BootProtocol, Table = table, Hop = new RouteHop(default, link.Index) })
                    .ThrowIfFailed($"add route {gateway} dev {plan.Name}");
            }

            pod.Routes.Replace(new RouteInfo { Destination = destination, Protocol = BootProtocol, Table = table, Hop = new RouteHop(gateway, link.Index) })
                .ThrowIfFailed($"add route {destination} via {gateway} dev {plan.Name}");
        }

        foreach (IpAddress address in plan.IsAdditional ? plan.Addresses : [])
        {
            NetlinkResult added = pod.Rules.Add(new RoutingRule(address.Family, RulePriority, table, Source: address.ToPrefix()));
            if (added.Errno != Errno.EEXIST)
            {
                added.ThrowIfFailed($"add rule from {address} lookup {table}");
            }
        }

        WriteSysctls(plan.PodSysctlsAfterUp);
        return link;
    }

    private static uint TableOf(PodInterface plan, LinkInfo link) => plan.IsAdditional ? FirstTable + (uint)link.Index : 254;

    private CutOutcome Cut(PodInterface plan)
    {
        using RouteSocket host = RouteSocket.Open(hostSpace);
        if (host.Links.Find(plan.HostName) is not { } link)
        {
            return CutOutcome.Absent;
        }

        if (!InterfaceOwner.TryParse(link.Alias, out InterfaceOwner owner))
        {
            return CutOutcome.Unknown;
        }

        if (owner.ContainerId != plan.Owner.ContainerId || owner.InterfaceName != plan.Owner.InterfaceName)
        {
            return CutOutcome.Foreign;
        }

        TakeOut(host, link, plan.HostName);

        // With the host's side down nothing passes any more; that the pod's side has another name matters only to a runtime that keeps the namespace.
        using NetNamespace? pod = NetNamespace.TryOpen(plan.NetnsPath, out _);
        if (pod is not null && !IsHost(pod) && reaper is not null)
        {
            using RouteSocket inside = RouteSocket.Open(pod);
            if (inside.Links.Find(plan.Name) is { } podSide && podSide.ParentIndex == link.Index)
            {
                inside.Links.Retire(podSide.Index, LinkReaper.PodName(podSide.Index), LinkReaper.Group);
            }
        }

        reaper?.Wake();
        return CutOutcome.Cut;
    }

    private IReadOnlyList<(string HostName, InterfaceOwner Owner)> Owned()
    {
        using RouteSocket host = RouteSocket.Open(hostSpace);
        return [.. host.Links.List()
            .Where(link => link.Kind == "veth" && link.Group != LinkReaper.Group && InterfaceOwner.TryParse(link.Alias, out _))
            .Select(link => (link.Name, InterfaceOwner.TryParse(link.Alias, out InterfaceOwner owner) ? owner : default))];
    }

    /// <summary>An address that already leads elsewhere belongs to somebody: taking it over would cut that one off.</summary>
    private static void AddHostRoute(RouteSocket host, LinkInfo hostSide, IpAddress address)
    {
        RouteInfo route = new()
        {
            Destination = address.ToPrefix(),
            Scope = address.IsIPv4 ? RouteScope.Link : RouteScope.Universe,
            Protocol = PodInterface.RouteProtocol,
            Metric = PodInterface.RouteMetric,
            Hop = new RouteHop(default, hostSide.Index),
        };
        NetlinkResult result = host.Routes.Add(route);
        if (result.Errno != Errno.EEXIST)
        {
            result.ThrowIfFailed($"add route {route.Destination} dev {hostSide.Name}");
            return;
        }

        RouteInfo conflict = host.Routes.List(new RouteFilter(address.Family)).FirstOrDefault(r => r.Destination == route.Destination && r.Metric == route.Metric);
        if (conflict.Hop.LinkIndex == hostSide.Index)
        {
            return;
        }

        // A route of ours over a link that is going away, or one that BGP left from the time before the address came here, gives way.
        LinkInfo? other = conflict.Hop.LinkIndex == 0 ? null : host.Links.Find(conflict.Hop.LinkIndex);
        if (other is null || conflict.Hop.Gateway.BitLength > 0)
        {
            host.Routes.Replace(route).ThrowIfFailed($"replace route {route.Destination} dev {hostSide.Name}");
            return;
        }

        throw new CniException(CniErrorCode.Failed, $"add route {route.Destination} dev {hostSide.Name}: the host already has it over {other.Name}");
    }

    private void RemoveFromPod(string netnsPath, string name)
    {
        using NetNamespace? pod = NetNamespace.TryOpen(netnsPath, out Errno errno);
        if (pod is null)
        {
            if (errno is Errno.ENOENT or Errno.ENOTDIR or Errno.EINVAL or Errno.EACCES or Errno.ESRCH)
            {
                return; // The namespace has gone, and the interface with it.
            }

            throw new CniException(CniErrorCode.Failed, $"open network namespace {netnsPath}: {errno.Describe()}");
        }

        if (IsHost(pod))
        {
            return; // Never delete an interface of the host on behalf of a pod.
        }

        using RouteSocket socket = RouteSocket.Open(pod);
        Delete(socket, name, $"{name} in {netnsPath}");
    }

    private void RemoveFromHost(string hostName)
    {
        using RouteSocket host = RouteSocket.Open(hostSpace);
        RemoveFromHost(host, hostName);
    }

    private void RemoveFromHost(RouteSocket host, string hostName)
    {
        if (host.Links.Find(hostName) is { } link)
        {
            TakeOut(host, link, hostName);
            reaper?.Wake();
        }
    }

    /// <summary>Nothing passes the link any more and its name is free; with a reaper the rest is left to it.</summary>
    private void TakeOut(RouteSocket host, LinkInfo link, string hostName)
    {
        string limiter = new PodInterface { NetnsPath = string.Empty, Name = string.Empty, HostName = hostName, Addresses = [] }.LimiterName;
        if (reaper is null)
        {
            Delete(host, hostName, hostName);
            PodLimits.RemoveLimiter(host, limiter);
            return;
        }

        NetlinkResult result = host.Links.Retire(link.Index, LinkReaper.HostName(link.Index), LinkReaper.Group);
        if (!result.IsSuccess && result.Errno != Errno.ENODEV)
        {
            throw new CniException(CniErrorCode.Failed, $"take {hostName} out of service: {result}");
        }

        if (host.Links.Find(limiter) is { } block)
        {
            host.Links.Retire(block.Index, LinkReaper.HostName(block.Index), LinkReaper.Group);
        }
    }

    private static void Delete(RouteSocket socket, string name, string what)
    {
        if (socket.Links.Find(name) is not { } link)
        {
            return;
        }

        NetlinkResult result = socket.Links.Delete(link.Index);
        if (!result.IsSuccess && result.Errno != Errno.ENODEV)
        {
            throw new CniException(CniErrorCode.Failed, $"delete link {what}: {result}");
        }
    }

    private PodInterfaceState? Read(PodInterface plan)
    {
        using NetNamespace? pod = NetNamespace.TryOpen(plan.NetnsPath, out _);
        if (pod is null)
        {
            return null;
        }

        using RouteSocket inside = RouteSocket.Open(pod);
        if (inside.Links.Find(plan.Name) is not { } link)
        {
            return null;
        }

        using RouteSocket host = RouteSocket.Open(hostSpace);
        uint table = TableOf(plan, link);
        LinkInfo? hostSide = host.Links.Find(plan.HostName) is { } found && link.ParentIndex == found.Index && found.ParentIndex == link.Index ? found : null;
        (long Ingress, long Egress) limits = hostSide is null ? default : PodLimits.Read(host, hostSide, plan.LimiterName);
        return new PodInterfaceState(
            link.Mac,
            link.Mtu,
            link.IsUp,
            [.. inside.Addresses.List(linkIndex: link.Index).Where(a => !a.Address.Address.IsLinkLocal).Select(a => a.Address)],
            [.. Families().SelectMany(Routes)],
            hostSide?.Mac,
            hostSide?.IsUp == true,
            [.. plan.Addresses.Where(a => host.Routes.Lookup(a, out RouteInfo route).IsSuccess && route.Hop.LinkIndex == hostSide?.Index)],
            limits.Ingress,
            limits.Egress);

        IEnumerable<IpFamily> Families() => plan.Addresses.Select(a => a.Family).Distinct();

        IEnumerable<(IpPrefix, IpAddress?)> Routes(IpFamily family) => inside.Routes.List(new RouteFilter(family, table))
            .Where(r => r.Hop.LinkIndex == link.Index)
            .Select(r => (r.Destination, r.Hop.Gateway.BitLength > 0 ? r.Hop.Gateway : (IpAddress?)null));
    }

    private NetNamespace OpenPod(string path)
    {
        NetNamespace pod = NetNamespace.TryOpen(path, out Errno errno) ?? throw new CniException(
            errno == Errno.ENOENT ? CniErrorCode.UnknownContainer : CniErrorCode.InvalidNetns, $"open network namespace {path}: {errno.Describe()}");
        if (IsHost(pod))
        {
            pod.Dispose();
            throw new CniException(CniErrorCode.InvalidNetns, $"{path} is the network namespace of the host itself");
        }

        return pod;
    }

    private bool IsHost(NetNamespace pod)
    {
        using NetNamespace? own = hostSpace is null ? NetNamespace.OpenCurrent() : null;
        return pod.IsSame(hostSpace ?? own!);
    }

    private void OnHost(Action work)
    {
        if (hostSpace is null)
        {
            work();
        }
        else
        {
            hostSpace.Run(work);
        }
    }

    private void WriteSysctls(IEnumerable<(string Path, string Value, bool Required)> sysctls)
    {
        foreach ((string path, string value, bool required) in sysctls)
        {
            Errno errno = Sysctl.TryWrite(path, value);
            if (errno == Errno.EROFS && Sysctl.TryRead(path, out string present) == Errno.None && present == value)
            {
                continue; // /proc/sys is read-only here, and somebody has set it already.
            }

            if (errno != Errno.None && required)
            {
                throw new KernelException($"write \"{value}\" to /proc/sys/{path}", errno);
            }

            if (errno != Errno.None)
            {
                Log.SysctlNotWritten(logger, path, value, errno.Describe());
            }
        }
    }

    private static async ValueTask<T> OnOwnThread<T>(Func<T> work, CancellationToken stop)
    {
        try
        {
            return await Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).WaitAsync(stop);
        }
        catch (KernelException e)
        {
            throw new CniException(CniErrorCode.Failed, e.Message);
        }
    }

    private static async ValueTask OnOwnThread(Action work, CancellationToken stop) => await OnOwnThread(
        () =>
        {
            work();
            return true;
        },
        stop);
}
