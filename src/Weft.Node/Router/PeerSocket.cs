using System.Net;
using System.Net.Sockets;
using Weft.Bgp;
using Weft.Linux.Netlink;
using Weft.Linux.Sockets;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>Socket options of a session, the same for both directions.</summary>
internal static class PeerSocket
{
    /// <summary>DSCP CS6, internetwork control: what routers give their own protocols.</summary>
    private const byte InternetworkControl = 0xC0;

    private const int MaximumTtl = 255;

    /// <summary>Before connect, or after accept.</summary>
    public static void Prepare(Socket socket, PeerTransportOptions options)
    {
        socket.NoDelay = true;
        socket.SetTrafficClass(InternetworkControl);
        if (options.TtlSecurity > 0)
        {
            // RFC 5082: both sides send 255; what arrives with less than 255 - hops + 1 has come from further away.
            socket.SetTtl(MaximumTtl);
            socket.RequireMinimumTtl(MaximumTtl - options.TtlSecurity + 1);
        }
        else
        {
            socket.SetTtl(options.Ttl);
        }
    }

    public static PeerTransportOptions Options(PeerSettings peer) => peer.TransportOptions as PeerTransportOptions ?? PeerTransportOptions.Direct;

    /// <summary>Index of the link of a link-local neighbour; 0 for all others.</summary>
    /// <exception cref="IOException">The link does not exist now.</exception>
    public static int Scope(PeerSettings peer, HostView host) =>
        !peer.Address.IsIPv6 || !peer.Address.IsLinkLocal || peer.Interface is null ? 0
        : host.Link(peer.Interface)?.Index ?? throw new IOException($"neighbour {peer.Address}: there is no link {peer.Interface}");

    /// <summary>Who is at the other end, with the link of a link-local address.</summary>
    public static (IpAddress Address, string? Interface) Remote(Socket socket, HostView host)
    {
        IPAddress remote = ((IPEndPoint)socket.RemoteEndPoint!).Address;
        return (IpAddress.From(remote), remote.IsIPv6LinkLocal ? host.Link((int)remote.ScopeId)?.Name : null);
    }

    public static IPEndPoint EndPoint(IpAddress address, int port, int scope)
    {
        IPAddress result = address.ToIPAddress();
        if (scope != 0)
        {
            result.ScopeId = scope;
        }

        return new IPEndPoint(result, port);
    }

    /// <summary>RFC 2545: the own link-local address on the link that carries the session.</summary>
    public static IpAddress LinkLocalBeside(IpAddress local, HostView host)
    {
        int link = host.Addresses.FirstOrDefault(a => a.Address.Address == local).LinkIndex;
        return local.IsIPv6 && link != 0
            ? host.Addresses.FirstOrDefault(a => a.LinkIndex == link && a.Address.Address is { IsIPv6: true, IsLinkLocal: true } && a.IsUsable).Address.Address
            : default;
    }
}
