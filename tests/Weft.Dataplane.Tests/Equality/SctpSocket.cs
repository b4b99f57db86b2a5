using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using System.Runtime.InteropServices;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Equality;

/// <summary>
/// The first two packets of an SCTP association (RFC 9260 3.3.2, 3.3.3), over raw sockets: that needs no SCTP in the kernel, only rules and connection
/// tracking that know it.
/// <code>
///   header  source port 2, destination port 2, verification tag 4, CRC-32C 4
///   chunk   type 1, flags 1, length 2, initiate tag 4, window 4, streams 2 + 2, TSN 4
/// </code>
/// </summary>
internal static class SctpSocket
{
    public const byte Protocol = 132;

    private const byte Init = 1;
    private const byte InitAck = 2;
    private const int Length = 32;
    private const int SockRaw = 3;

    /// <summary>Sends INIT and waits for its INIT ACK.</summary>
    public static async Task<bool> AskAsync(Station from, Probe probe, CancellationToken stop)
    {
        using Socket socket = Open(from, probe.Family);
        await socket.SendToAsync(Packet(Init, probe.SourcePort, probe.DestinationPort, tag: 0), SocketFlags.None, new IPEndPoint(probe.Destination.ToIPAddress(), 0), stop);
        byte[] answer = new byte[256];
        while (true)
        {
            SocketReceiveFromResult received = await socket.ReceiveFromAsync(answer, SocketFlags.None, Anybody(probe.Family), stop);
            if (Read(answer.AsSpan(0, received.ReceivedBytes), probe.Family) is (InitAck, var source, var destination) && source == probe.DestinationPort && destination == probe.SourcePort)
            {
                return true;
            }
        }
    }

    /// <summary>Answers every INIT until the socket is disposed.</summary>
    public static Socket Serve(Station at, IpFamily family)
    {
        Socket socket = Open(at, family);
        _ = AnswerAsync(socket, family);
        return socket;
    }

    private static async Task AnswerAsync(Socket socket, IpFamily family)
    {
        byte[] packet = new byte[256];
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await socket.ReceiveFromAsync(packet, SocketFlags.None, Anybody(family));
                if (Read(packet.AsSpan(0, received.ReceivedBytes), family) is (Init, var source, var destination))
                {
                    IPEndPoint asker = new(((IPEndPoint)received.RemoteEndPoint).Address, 0);
                    await Station.AnswerAsync(socket, Packet(InitAck, destination, source, TagOf(source)), asker);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The station is gone.
        }
    }

    private static (byte Type, ushort Source, ushort Destination)? Read(ReadOnlySpan<byte> packet, IpFamily family)
    {
        // The kernel hands over the header of IPv4 too.
        ReadOnlySpan<byte> sctp = family == IpFamily.IPv4 ? packet[((packet[0] & 0x0f) * 4)..] : packet;
        return sctp.Length < Length ? null : (sctp[12], BinaryPrimitives.ReadUInt16BigEndian(sctp), BinaryPrimitives.ReadUInt16BigEndian(sctp[2..]));
    }

    private static byte[] Packet(byte type, ushort source, ushort destination, uint tag)
    {
        byte[] packet = new byte[Length];
        BinaryPrimitives.WriteUInt16BigEndian(packet, source);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), destination);
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(4), tag);
        packet[12] = type;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(14), Length - 12);
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(16), TagOf(source));
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(20), 65536);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(24), 1);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(26), 1);
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(28), 1);

        uint crc = uint.MaxValue;
        foreach (byte octet in packet)
        {
            crc = BitOperations.Crc32C(crc, octet);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(packet.AsSpan(8), ~crc);
        return packet;
    }

    private static uint TagOf(ushort port) => 0x5c000000u | port;

    private static IPEndPoint Anybody(IpFamily family) => new(family == IpFamily.IPv4 ? IPAddress.Any : IPAddress.IPv6Any, 0);

    /// <summary>.NET knows no such protocol, so the socket is opened by hand.</summary>
    private static Socket Open(Station at, IpFamily family) => at.Space.Run(() =>
    {
        int descriptor = LibC.Open(family == IpFamily.IPv4 ? 2 : 10, SockRaw, Protocol);
        Assert.True(descriptor >= 0, $"raw socket: {Marshal.GetLastPInvokeErrorMessage()}");
        return new Socket(new SafeSocketHandle(descriptor, ownsHandle: true));
    });

    private static class LibC
    {
        [DllImport("libc", EntryPoint = "socket", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int Open(int family, int type, int protocol);
    }
}
