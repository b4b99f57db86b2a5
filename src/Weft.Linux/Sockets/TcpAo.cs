using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Weft.Linux.Native;
using Weft.Primitives.Net;

namespace Weft.Linux.Sockets;

/// <summary>The algorithms of RFC 5926, and SHA-256.</summary>
public enum TcpAoAlgorithm : byte
{
    HmacSha1,
    Aes128Cmac,
    HmacSha256,
}

/// <summary>One master key tuple of RFC 5925 3.1.</summary>
/// <param name="Key">1..80 bytes of UTF-8.</param>
/// <param name="SendId">Number of the key in what we send; the other side's receive number.</param>
/// <param name="ReceiveId">Number of the key in what we receive.</param>
public readonly record struct TcpAoKey(string Key, byte SendId, byte ReceiveId, TcpAoAlgorithm Algorithm);

/// <summary>
/// TCP-AO keys of a socket (RFC 5925), where the kernel has them: Linux 6.7 or newer, built with CONFIG_TCP_AO. As with MD5 a listener carries a key per peer, and a
/// wrong key shows only as a time-out.
/// </summary>
public static class TcpAo
{
    /// <summary>TCP_AO_KEYF_EXCLUDE_OPT is not set: TCP options are signed as well. 96 bits of signature, as RFC 5926 has it.</summary>
    private const byte MacLength = 12;

    /// <summary>Whether the kernel knows of TCP-AO at all.</summary>
    public static bool IsSupported { get; } = Ask();

    /// <summary>Requires a signature by the key on every segment from and to the peers of the prefix.</summary>
    /// <exception cref="SocketException">The kernel refused.</exception>
    public static void Add(Socket socket, IpPrefix peers, TcpAoKey key)
    {
        TcpAoAdd option = new() { PrefixLength = (byte)peers.Length, SendId = key.SendId, ReceiveId = key.ReceiveId, MacLength = MacLength };
        TcpMd5.WriteSocketAddress(option.Address, peers.Address, socket.AddressFamily == AddressFamily.InterNetworkV6 && peers.Address.IsIPv4, scopeId: 0);
        Encoding.ASCII.GetBytes(KernelName(key.Algorithm), option.Algorithm);
        option.KeyLength = (byte)Encoding.UTF8.GetBytes(key.Key, option.Key);
        socket.SetRawSocketOption(SocketConstants.IPPROTO_TCP, TcpAoConstants.TCP_AO_ADD_KEY, MemoryMarshal.AsBytes(new ReadOnlySpan<TcpAoAdd>(in option)));
    }

    /// <summary>Takes a key of a listening socket away.</summary>
    /// <exception cref="SocketException">There is none, or the kernel refused.</exception>
    public static void Remove(Socket listener, IpPrefix peers, TcpAoKey key)
    {
        TcpAoDelete option = new() { PrefixLength = (byte)peers.Length, SendId = key.SendId, ReceiveId = key.ReceiveId };
        TcpMd5.WriteSocketAddress(option.Address, peers.Address, listener.AddressFamily == AddressFamily.InterNetworkV6 && peers.Address.IsIPv4, scopeId: 0);
        listener.SetRawSocketOption(SocketConstants.IPPROTO_TCP, TcpAoConstants.TCP_AO_DEL_KEY, MemoryMarshal.AsBytes(new ReadOnlySpan<TcpAoDelete>(in option)));
    }

    private static string KernelName(TcpAoAlgorithm algorithm) => algorithm switch
    {
        TcpAoAlgorithm.Aes128Cmac => "cmac(aes128)",
        TcpAoAlgorithm.HmacSha256 => "hmac(sha256)",
        _ => "hmac(sha1)",
    };

    /// <summary>A kernel without it answers ENOPROTOOPT; one with it takes the key, or has something else to say.</summary>
    private static bool Ask()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            Add(socket, IpPrefix.Parse("192.0.2.1/32"), new TcpAoKey("probe", 1, 1, TcpAoAlgorithm.HmacSha1));
            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode != SocketError.ProtocolOption;
        }
    }
}
