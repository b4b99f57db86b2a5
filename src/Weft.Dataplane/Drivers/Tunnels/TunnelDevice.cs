using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers.Links;
using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Tunnels;

/// <summary>
/// Keeps one tunnel device. The name is Calico's and ours alone: a device of that name that is made differently is removed and made anew, since the kernel
/// changes neither identifier nor port nor addresses of one that exists. Looked at again every ten seconds, as anybody may take it down.
/// </summary>
public sealed class TunnelDevice : IReconciler
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RecheckInterval = TimeSpan.FromSeconds(10);

    // A kernel without the driver gets it when an administrator loads it; asking more often tells nothing new.
    private static readonly TimeSpan UnsupportedDelay = TimeSpan.FromSeconds(60);

    private readonly string _name;
    private readonly LinkRequests _links;
    private readonly AddressRequests _addresses;
    private readonly LinkFacts _facts;
    private readonly ILogger _logger;
    private readonly List<AddressInfo> _dump = [];
    private TunnelDeviceSettings? _desired;
    private bool _set;
    private string? _told;

    public TunnelDevice(string name, LinkRequests links, AddressRequests addresses, LinkFacts facts, ILogger<TunnelDevice> logger)
    {
        (_name, _links, _addresses, _facts, _logger) = (name, links, addresses, facts, logger);
    }

    /// <summary>Why the device is not as it should be; null when it is, or when none is wanted.</summary>
    public string? Problem { get; private set; }

    /// <summary>Null: there must be no such device.</summary>
    public void Set(TunnelDeviceSettings? settings) => (_desired, _set) = (settings, true);

    public void QueueResync()
    {
        // Every apply looks.
    }

    public ApplyStatus Apply()
    {
        if (!_set)
        {
            return ApplyStatus.Done;
        }

        LinkInfo? link = _links.Find(_name);
        if (_desired is not { } desired)
        {
            Problem = null;
            return link is null ? ApplyStatus.Done : Remove(link);
        }

        if (link is not null && !IsSame(link, desired))
        {
            Log.TunnelRemade(_logger, _name);
            if (Remove(link) is { IsDone: false } later)
            {
                return later;
            }

            link = null;
        }

        if (link is null)
        {
            NetlinkResult created = Create(desired);
            if (!created.IsSuccess)
            {
                return Fail($"create {_name}: {Explain(created, desired.Kind)}", created.Errno is Errno.EOPNOTSUPP ? UnsupportedDelay : RetryDelay);
            }

            link = _links.Find(_name);
        }

        return link is null ? Fail($"{_name} is gone again", RetryDelay) : Shape(link, desired);
    }

    private ApplyStatus Shape(LinkInfo link, TunnelDeviceSettings desired)
    {
        if (link.Mtu != desired.Mtu && _links.SetMtu(link.Index, desired.Mtu) is { IsSuccess: false } mtu)
        {
            return Fail($"set the MTU of {_name} to {desired.Mtu}: {mtu}", RetryDelay);
        }

        if (SetAddress(link, desired.Address) is { } failure)
        {
            return Fail(failure, RetryDelay);
        }

        if (!link.IsUp && _links.SetUp(link.Index) is { IsSuccess: false } up)
        {
            return Fail($"set {_name} up: {up}", RetryDelay);
        }

        // The routes of this very round may need it; the monitor's event comes later.
        if (_links.Find(_name) is { } now)
        {
            _facts.OnLink(now, ChangeKind.Present);
        }

        (Problem, _told) = (null, null);
        return ApplyStatus.DoneUntil(RecheckInterval);
    }

    /// <summary>One address, as a host prefix; those that the kernel makes for itself (fe80::) stay.</summary>
    private string? SetAddress(LinkInfo link, IpAddress address)
    {
        NetlinkResult read = _addresses.List(_dump, IpFamily.None, link.Index);
        if (!read.IsSuccess)
        {
            return $"list addresses of {_name}: {read}";
        }

        InterfaceAddress wanted = new(address, address.BitLength);
        foreach (AddressInfo other in _dump)
        {
            if (other.Address != wanted && other.Scope == RouteScope.Universe
                && _addresses.Delete(link.Index, other.Address) is { IsSuccess: false, Errno: not Errno.EADDRNOTAVAIL } deleted)
            {
                return $"delete address {other.Address} of {_name}: {deleted}";
            }
        }

        return !_dump.Exists(a => a.Address == wanted) && _addresses.Replace(link.Index, wanted, AddressOptions.NoDuplicateDetection) is { IsSuccess: false } added
            ? $"add address {wanted} to {_name}: {added}"
            : null;
    }

    private NetlinkResult Create(TunnelDeviceSettings desired) => desired.Kind == TunnelKind.Vxlan
        ? _links.CreateVxlan(new VxlanSettings(_name, desired.Vni, desired.Port, desired.Local) { ParentIndex = desired.ParentIndex, Mac = desired.Mac, Mtu = desired.Mtu })
        : _links.CreateIpip(_name);

    private ApplyStatus Remove(LinkInfo link)
    {
        // The IPIP driver's own fallback device cannot be removed; down, it carries nothing.
        NetlinkResult result = link.Kind == "ipip" ? _links.SetDown(link.Index) : _links.Delete(link.Index);
        if (!result.IsSuccess && result.Errno != Errno.ENODEV)
        {
            return Fail($"remove {_name}: {result}", RetryDelay);
        }

        if (link.Kind != "ipip")
        {
            _facts.OnLink(link, ChangeKind.Removed);
        }

        return ApplyStatus.Done;
    }

    private static bool IsSame(LinkInfo link, TunnelDeviceSettings desired) => desired.Kind == TunnelKind.Ipip
        ? link.Kind == "ipip"
        : link.Vxlan is { } vxlan && vxlan.Vni == desired.Vni && vxlan.Port == desired.Port && vxlan.Local == desired.Local
            && vxlan.ParentIndex == desired.ParentIndex && link.Mac == desired.Mac && !vxlan.Learning;

    private static string Explain(NetlinkResult result, TunnelKind kind) => result.Errno == Errno.EOPNOTSUPP
        ? $"this kernel has no {(kind == TunnelKind.Vxlan ? "VXLAN (module vxlan)" : "IPIP (module ipip)")}; choose another mode for the pools of this node"
        : result.ToString();

    private ApplyStatus Fail(string problem, TimeSpan retry)
    {
        Problem = problem;
        if (_told != problem)
        {
            _told = problem;
            Log.TunnelNotWritten(_logger, problem);
        }

        return ApplyStatus.RetryLater(retry);
    }
}
