using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Linux.Native;
using Weft.Primitives.Net;
using static Weft.Linux.Native.NetlinkConstants;
using static Weft.Linux.Native.RouteConstants;

namespace Weft.Linux.Netlink;

/// <summary>What a route dump is limited to. The kernel filters where it can (Linux 4.20); the reader filters in any case.</summary>
/// <param name="Family">IPv4 or IPv6.</param>
/// <param name="Table">0 for all tables.</param>
/// <param name="Protocol">0 for all.</param>
public readonly record struct RouteFilter(IpFamily Family, uint Table = 254, byte Protocol = 0);

/// <summary>Receives the routes of a dump, one value at a time: no object per route.</summary>
public interface IRouteSink
{
    /// <summary>Forget everything received: the dump starts (again).</summary>
    void Restart();

    void OnRoute(in RouteInfo route);
}

public enum RouteWrite
{
    /// <summary>EEXIST when a route with this destination and metric exists, whoever owns it.</summary>
    Add,

    /// <summary>Takes the place of a route with the same destination and metric, whoever owns it.</summary>
    Replace,

    /// <summary>ESRCH when there is no such route. Protocol, metric, type and way out must match where given.</summary>
    Delete,
}

/// <summary>Routes: write one, write many, read.</summary>
public sealed class RouteRequests
{
    // 64 hops of an IPv6 multipath route with gateways need 64 x 28 bytes.
    internal const int LargestRequest = 4096;

    private readonly INetlink _netlink;

    internal RouteRequests(INetlink netlink)
    {
        _netlink = netlink;
    }

    public NetlinkResult Add(in RouteInfo route) => Write(RouteWrite.Add, route);

    public NetlinkResult Replace(in RouteInfo route) => Write(RouteWrite.Replace, route);

    public NetlinkResult Delete(in RouteInfo route) => Write(RouteWrite.Delete, route);

    /// <summary>
    /// Writes everything in the batch, about a thousand routes per system call (350,000 routes per second where measured), and leaves one result
    /// per route in it.
    /// </summary>
    public NetlinkResult Write(RouteBatch batch) => batch.Send(_netlink);

    /// <summary>Reads every route that passes the filter. An absent table is an empty one.</summary>
    public NetlinkResult Dump<TSink>(RouteFilter filter, ref TSink sink) where TSink : struct, IRouteSink
    {
        NetlinkRequest request = new(stackalloc byte[64], RTM_GETROUTE, NLM_F_DUMP);
        request.Header(new RtMsg
        {
            Family = Family.ToKernel(filter.Family),
            Protocol = filter.Protocol,
            Table = filter.Table < 256 ? (byte)filter.Table : RT_TABLE_UNSPEC,
        });
        if (filter.Table != 0)
        {
            request.Put(RTA_TABLE, filter.Table);
        }

        Sink<TSink> adapter = new(filter, ref sink);
        NetlinkResult result = _netlink.Dump(request.Finish(), ref adapter);
        return result.Errno == Errno.ENOENT ? NetlinkResult.Success : result;
    }

    /// <exception cref="KernelException">The dump failed.</exception>
    public List<RouteInfo> List(RouteFilter filter)
    {
        ListSink sink = new([]);
        Dump(filter, ref sink).ThrowIfFailed($"list {filter.Family} routes");
        return sink.Routes;
    }

    /// <summary>Asks the kernel which route it would take ("ip route get"). ENETUNREACH and friends when it has none.</summary>
    public NetlinkResult Lookup(IpAddress destination, out RouteInfo route)
    {
        NetlinkRequest request = new(stackalloc byte[64], RTM_GETROUTE, NLM_F_ACK);
        request.Header(new RtMsg { Family = Family.ToKernel(destination.Family), DestinationLength = (byte)destination.BitLength });
        request.Put(RTA_DST, destination);
        ListSink sink = new([]);
        Sink<ListSink> adapter = new(new RouteFilter(destination.Family, Table: 0), ref sink, cloned: true);
        NetlinkResult result = _netlink.Dump(request.Finish(), ref adapter);
        route = sink.Routes.Count > 0 ? sink.Routes[0] : default;
        return result.IsSuccess && sink.Routes.Count == 0 ? new NetlinkResult(Errno.ENETUNREACH) : result;
    }

    private NetlinkResult Write(RouteWrite write, in RouteInfo route)
    {
        Span<byte> buffer = stackalloc byte[LargestRequest];
        return _netlink.Execute(Build(buffer, write, route));
    }

    /// <summary>One RTM_NEWROUTE or RTM_DELROUTE message.</summary>
    internal static Span<byte> Build(Span<byte> buffer, RouteWrite write, in RouteInfo route)
    {
        NetlinkRequest request = write switch
        {
            RouteWrite.Add => new NetlinkRequest(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL),
            RouteWrite.Replace => new NetlinkRequest(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE),
            _ => new NetlinkRequest(buffer, RTM_DELROUTE, 0),
        };
        bool deleting = write == RouteWrite.Delete;
        request.Header(new RtMsg
        {
            Family = Family.ToKernel(route.Destination.Family),
            DestinationLength = (byte)route.Destination.Length,
            Table = route.Table < 256 ? (byte)route.Table : RT_TABLE_UNSPEC,
            Protocol = route.Protocol,

            // RT_SCOPE_NOWHERE in a deletion matches every scope.
            Scope = (byte)(deleting && route.Destination.IsIPv4 ? RouteScope.Nowhere : route.Scope),
            Type = (byte)route.Type,
            Flags = route.Multipath is null && route.Hop.OnLink ? RTNH_F_ONLINK : 0u,
        });
        if (route.Destination.Length > 0)
        {
            request.Put(RTA_DST, route.Destination.Address);
        }

        if (route.Metric != 0)
        {
            request.Put(RTA_PRIORITY, route.Metric);
        }

        request.Put(RTA_TABLE, route.Table);
        if (route.Source.Family != IpFamily.None)
        {
            request.Put(RTA_PREFSRC, route.Source);
        }

        if (route.Mtu != 0 && !deleting)
        {
            int metrics = request.BeginNested(RTA_METRICS);
            request.Put(RTAX_MTU, route.Mtu);
            request.EndNested(metrics);
        }

        if (route.Multipath is { } hops)
        {
            int multipath = request.BeginNested(RTA_MULTIPATH);
            foreach (RouteHop hop in hops)
            {
                PutHop(ref request, route.Destination.Family, hop);
            }

            request.EndNested(multipath);
        }
        else
        {
            PutGateway(ref request, route.Destination.Family, route.Hop.Gateway);
            if (route.Hop.LinkIndex != 0)
            {
                request.Put(RTA_OIF, route.Hop.LinkIndex);
            }
        }

        return request.Finish();
    }

    private static void PutHop(ref NetlinkRequest request, IpFamily family, RouteHop hop)
    {
        // struct rtnexthop starts with its own length, so the attributes inside it nest the same way, with another header.
        int start = request.Length;
        request.Header(new RtNextHop { Flags = hop.OnLink ? RTNH_F_ONLINK : (byte)0, Hops = (byte)(Math.Max(hop.Weight, 1) - 1), Index = hop.LinkIndex });
        PutGateway(ref request, family, hop.Gateway);
        request.EndNested(start);
    }

    private static void PutGateway(ref NetlinkRequest request, IpFamily family, IpAddress gateway)
    {
        if (gateway.Family == IpFamily.None)
        {
            return;
        }

        if (gateway.Family == family)
        {
            request.Put(RTA_GATEWAY, gateway);
            return;
        }

        // struct rtvia: address family, then the address.
        Span<byte> via = stackalloc byte[18];
        ushort kernelFamily = Family.ToKernel(gateway.Family);
        MemoryMarshal.Write(via, in kernelFamily);
        gateway.CopyTo(via[2..]);
        request.Put(RTA_VIA, via[..(2 + gateway.ByteLength)]);
    }

    internal static bool TryParse(ReadOnlySpan<byte> payload, out RouteInfo route, out uint flags)
    {
        route = new RouteInfo();
        flags = 0;
        int size = Unsafe.SizeOf<RtMsg>();
        if (payload.Length < size)
        {
            return false;
        }

        RtMsg header = MemoryMarshal.Read<RtMsg>(payload);
        IpFamily family = Family.FromKernel(header.Family);
        if (family == IpFamily.None)
        {
            return false;
        }

        flags = header.Flags;
        route.Type = (RouteType)header.Type;
        route.Scope = (RouteScope)header.Scope;
        route.Protocol = header.Protocol;
        route.Table = header.Table;
        IpAddress destination = family == IpFamily.IPv4 ? IpAddress.FromIPv4(0) : IpAddress.FromIPv6(0), gateway = default;
        int link = 0;
        AttributeReader attributes = new(payload[size..]);
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            switch (type)
            {
                case RTA_DST when value.Length is 4 or 16: destination = IpAddress.FromBytes(value); break;
                case RTA_OIF: link = (int)AttributeReader.U32(value); break;
                case RTA_GATEWAY or RTA_VIA: gateway = ParseGateway(type, value); break;
                case RTA_PRIORITY: route.Metric = AttributeReader.U32(value); break;
                case RTA_PREFSRC when value.Length is 4 or 16: route.Source = IpAddress.FromBytes(value); break;
                case RTA_TABLE: route.Table = AttributeReader.U32(value); break;
                case RTA_METRICS: route.Mtu = ParseMtu(value); break;
                case RTA_MULTIPATH: route.Multipath = ParseMultipath(value); break;
            }
        }

        route.Destination = new IpPrefix(destination, header.DestinationLength);
        route.Hop = link == 0 && gateway.Family == IpFamily.None ? default : new RouteHop(gateway, link, (header.Flags & RTNH_F_ONLINK) != 0);
        return true;
    }

    private static IpAddress ParseGateway(ushort type, ReadOnlySpan<byte> value)
    {
        ReadOnlySpan<byte> address = type == RTA_VIA && value.Length > 2 ? value[2..] : value;
        return address.Length is 4 or 16 ? IpAddress.FromBytes(address) : default;
    }

    private static int ParseMtu(ReadOnlySpan<byte> metrics)
    {
        AttributeReader attributes = new(metrics);
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            if (type == RTAX_MTU)
            {
                return (int)AttributeReader.U32(value);
            }
        }

        return 0;
    }

    private static RouteHop[] ParseMultipath(ReadOnlySpan<byte> value)
    {
        List<RouteHop> hops = [];
        int size = Unsafe.SizeOf<RtNextHop>();
        while (value.Length >= size)
        {
            RtNextHop header = MemoryMarshal.Read<RtNextHop>(value);
            if (header.Length < size || header.Length > value.Length)
            {
                break;
            }

            IpAddress gateway = default;
            AttributeReader attributes = new(value[size..header.Length]);
            while (attributes.Next(out ushort type, out ReadOnlySpan<byte> inner))
            {
                if (type is RTA_GATEWAY or RTA_VIA)
                {
                    gateway = ParseGateway(type, inner);
                }
            }

            hops.Add(new RouteHop(gateway, header.Index, (header.Flags & RTNH_F_ONLINK) != 0, header.Hops + 1));
            value = value[Math.Min((header.Length + 3) & ~3, value.Length)..];
        }

        return [.. hops];
    }

    private ref struct Sink<TSink>(RouteFilter filter, ref TSink sink, bool cloned = false) : INetlinkSink
        where TSink : struct, IRouteSink
    {
        private readonly ref TSink _sink = ref sink;

        public void Restart() => _sink.Restart();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            // RTM_F_CLONED marks cache entries (path MTU and redirects), which are nobody's routes.
            if (type == RTM_NEWROUTE
                && TryParse(payload, out RouteInfo route, out uint flags)
                && (cloned || (flags & RTM_F_CLONED) == 0)
                && (filter.Table == 0 || filter.Table == route.Table)
                && (filter.Protocol == 0 || filter.Protocol == route.Protocol)
                && filter.Family == route.Destination.Family)
            {
                _sink.OnRoute(route);
            }
        }
    }

    private readonly struct ListSink(List<RouteInfo> routes) : IRouteSink
    {
        public List<RouteInfo> Routes => routes;

        public void Restart() => routes.Clear();

        public void OnRoute(in RouteInfo route) => routes.Add(route);
    }
}
