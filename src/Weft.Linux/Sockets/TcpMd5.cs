using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Weft.Linux.Native;
using Weft.Primitives.Net;

namespace Weft.Linux.Sockets;

/// <summary>
/// RFC 2385 keys of a TCP socket. A key belongs to a peer, so a listener carries one per peer, changed while it listens; accepted sockets
/// inherit theirs. A wrong key shows only as a time-out: the kernel counts it in TcpExtTCPMD5* of /proc/net/netstat.
/// </summary>
public static class TcpMd5
{
    /// <summary>In bytes.</summary>
    public const int LongestKey = SocketConstants.TCP_MD5SIG_MAXKEYLEN;

    /// <summary>Requires the key on every segment from and to one peer.</summary>
    /// <param name="socket">An IPv4, IPv6 or dual-stack TCP socket.</param>
    /// <param name="peer">An IPv4 peer of an IPv6 socket is handed to the kernel as the v4-mapped address: it refuses the plain one.</param>
    /// <param name="key">1..80 bytes of UTF-8.</param>
    /// <param name="scopeId">Interface index of a link-local peer; 0 otherwise.</param>
    /// <exception cref="SocketException">The kernel refused (EINVAL: key too long, family mismatch).</exception>
    public static void Set(Socket socket, IpAddress peer, string key, int scopeId = 0) => Write(socket, peer, prefixLength: -1, key, scopeId);

    /// <summary>Requires the key on every segment from and to any peer of the prefix; for listeners with dynamic neighbours.</summary>
    /// <inheritdoc cref="Set(Socket, IpAddress, string, int)"/>
    public static void Set(Socket socket, IpPrefix peers, string key) => Write(socket, peers.Address, peers.Length, key, scopeId: 0);

    /// <summary>Takes the key of a peer away; a peer that has none is no error.</summary>
    public static void Remove(Socket socket, IpAddress peer, int scopeId = 0) => WriteRemoval(socket, peer, prefixLength: -1, scopeId);

    /// <inheritdoc cref="Remove(Socket, IpAddress, int)"/>
    public static void Remove(Socket socket, IpPrefix peers) => WriteRemoval(socket, peers.Address, peers.Length, scopeId: 0);

    private static void WriteRemoval(Socket socket, IpAddress peer, int prefixLength, int scopeId)
    {
        try
        {
            Write(socket, peer, prefixLength, string.Empty, scopeId);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressNotAvailable)
        {
            // There was no key: the kernel says ENOENT, which the framework reports under this name.
        }
    }

    private static void Write(Socket socket, IpAddress peer, int prefixLength, string key, int scopeId)
    {
        TcpMd5Sig option = new();
        int keyLength = Encoding.UTF8.GetByteCount(key);
        if (keyLength > LongestKey)
        {
            throw new ArgumentException($"a TCP MD5 key has at most {LongestKey} bytes, this one has {keyLength}", nameof(key));
        }

        Encoding.UTF8.GetBytes(key, option.Key);
        option.KeyLength = (ushort)keyLength;
        bool mapped = socket.AddressFamily == AddressFamily.InterNetworkV6 && peer.IsIPv4;
        WriteSocketAddress(option.Address, peer, mapped, scopeId);
        int name = SocketConstants.TCP_MD5SIG;
        if (prefixLength >= 0)
        {
            name = SocketConstants.TCP_MD5SIG_EXT;
            option.Flags = SocketConstants.TCP_MD5SIG_FLAG_PREFIX;

            // For v4-mapped addresses the kernel wants the length of the IPv4 prefix (it stores the key as an AF_INET one).
            option.PrefixLength = (byte)prefixLength;
        }

        socket.SetRawSocketOption(SocketConstants.IPPROTO_TCP, name, MemoryMarshal.AsBytes(new ReadOnlySpan<TcpMd5Sig>(in option)));
    }

    /// <summary>struct sockaddr_in (family 2, port 2, address 4) or sockaddr_in6 (family 2, port 2, flow 4, address 16, scope 4).</summary>
    internal static void WriteSocketAddress(Span<byte> destination, IpAddress peer, bool mapped, int scopeId)
    {
        if (peer.IsIPv4 && !mapped)
        {
            MemoryMarshal.Write(destination, (ushort)NetlinkConstants.AF_INET);
            peer.CopyTo(destination[4..]);
            return;
        }

        MemoryMarshal.Write(destination, (ushort)NetlinkConstants.AF_INET6);
        if (mapped)
        {
            BinaryPrimitives.WriteUInt16BigEndian(destination[18..], 0xFFFF);
            peer.CopyTo(destination[20..]);
        }
        else
        {
            peer.CopyTo(destination[8..]);
        }

        MemoryMarshal.Write(destination[24..], scopeId);
    }
}
