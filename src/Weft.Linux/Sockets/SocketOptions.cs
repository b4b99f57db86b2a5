using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Weft.Linux.Native;

namespace Weft.Linux.Sockets;

/// <summary>Process at the other end of a unix socket, as the kernel saw it when the connection was made.</summary>
public readonly record struct PeerCredentials(int ProcessId, uint UserId, uint GroupId);

/// <summary>Socket options the framework has no name for. All throw <see cref="SocketException"/> when the kernel refuses.</summary>
public static class SocketOptions
{
    /// <summary>
    /// RFC 5082 (GTSM): drops every segment whose TTL or hop limit is below the value. For a neighbour on the same link send 255 and require 255.
    /// </summary>
    /// <param name="minimum">1..255.</param>
    public static void RequireMinimumTtl(this Socket socket, int minimum)
    {
        if (socket.AddressFamily == AddressFamily.InterNetworkV6)
        {
            Set(socket, SocketConstants.IPPROTO_IPV6, SocketConstants.IPV6_MINHOPCOUNT, minimum);
        }
        else
        {
            Set(socket, SocketConstants.IPPROTO_IP, SocketConstants.IP_MINTTL, minimum);
        }
    }

    /// <summary>TTL or hop limit of what the socket sends, 1..255.</summary>
    public static void SetTtl(this Socket socket, int ttl)
    {
        if (socket.AddressFamily == AddressFamily.InterNetworkV6)
        {
            Set(socket, SocketConstants.IPPROTO_IPV6, SocketConstants.IPV6_UNICAST_HOPS, ttl);
        }
        else
        {
            Set(socket, SocketConstants.IPPROTO_IP, SocketConstants.IP_TTL, ttl);
        }
    }

    /// <summary>The whole traffic class byte: DSCP in the upper six bits (0xC0 is internetwork control, RFC 4271's habit).</summary>
    public static void SetTrafficClass(this Socket socket, byte value)
    {
        if (socket.AddressFamily == AddressFamily.InterNetworkV6)
        {
            Set(socket, SocketConstants.IPPROTO_IPV6, SocketConstants.IPV6_TCLASS, value);
        }
        else
        {
            Set(socket, SocketConstants.IPPROTO_IP, SocketConstants.IP_TOS, value);
        }
    }

    /// <summary>Hop limit of multicast packets, 1..255.</summary>
    public static void SetMulticastHops(this Socket socket, int hops) => Set(socket, SocketConstants.IPPROTO_IPV6, SocketConstants.IPV6_MULTICAST_HOPS, hops);

    /// <summary>Of all ICMPv6 messages a raw socket hears these alone (struct icmp6_filter: 256 bits, a set one blocks its type).</summary>
    public static void PassOnly(this Socket socket, params ReadOnlySpan<RouterDiscoveryKind> kinds)
    {
        Span<byte> blocked = stackalloc byte[32];
        blocked.Fill(0xFF);
        foreach (RouterDiscoveryKind kind in kinds)
        {
            // Words of 32 bits in the byte order of the host, which on x86-64 and arm64 is that of single octets.
            blocked[(byte)kind / 8] &= (byte)~(1 << ((byte)kind % 8));
        }

        socket.SetRawSocketOption(SocketConstants.IPPROTO_ICMPV6, SocketConstants.ICMPV6_FILTER, blocked);
    }

    /// <summary>Sends and receives through one interface only.</summary>
    public static void BindToDevice(this Socket socket, string interfaceName) =>
        socket.SetRawSocketOption(SocketConstants.SOL_SOCKET, SocketConstants.SO_BINDTODEVICE, Encoding.UTF8.GetBytes(interfaceName + '\0'));

    /// <summary>Allows a bind to an address that no interface has (yet).</summary>
    public static void AllowFreeBind(this Socket socket)
    {
        Set(socket, SocketConstants.IPPROTO_IP, SocketConstants.IP_FREEBIND, 1);
        if (socket.AddressFamily == AddressFamily.InterNetworkV6)
        {
            Set(socket, SocketConstants.IPPROTO_IPV6, SocketConstants.IPV6_FREEBIND, 1);
        }
    }

    /// <summary>How long sent data may stay unacknowledged before the connection is given up.</summary>
    public static void SetUserTimeout(this Socket socket, TimeSpan timeout) =>
        Set(socket, SocketConstants.IPPROTO_TCP, SocketConstants.TCP_USER_TIMEOUT, (int)timeout.TotalMilliseconds);

    /// <summary>Who is at the other end of a connected unix socket.</summary>
    public static PeerCredentials GetPeerCredentials(this Socket socket)
    {
        UCred credentials = default;
        socket.GetRawSocketOption(SocketConstants.SOL_SOCKET, SocketConstants.SO_PEERCRED, MemoryMarshal.AsBytes(new Span<UCred>(ref credentials)));
        return new PeerCredentials(credentials.Pid, credentials.Uid, credentials.Gid);
    }

    private static void Set(Socket socket, int level, int option, int value) =>
        socket.SetRawSocketOption(level, option, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in value)));
}
