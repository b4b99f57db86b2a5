using System.Net;
using System.Net.Sockets;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Equality;

/// <summary>Sends the packet of a probe and says whether the other pod answered. Every probe is a flow of its own: its source port is never used again.</summary>
internal static class ProbeSender
{
    // Denied packets are waited for so long; one that should have come through is given more time before it counts as lost.
    private const int Patience = 250;
    private const int LongPatience = 4000;

    /// <summary>Sends all probes at once and demands that those come through, and only those, that should.</summary>
    /// <returns>How many were allowed, and how many not.</returns>
    public static async Task<(int Allowed, int Denied)> CompareAsync(IReadOnlyList<Probe> probes, Func<Probe, Station> senderOf, Func<Probe, bool> isAllowed, Func<Probe, string> describe)
    {
        bool[] passed = await Task.WhenAll(probes.Select(p => SendAsync(senderOf(p), p, Patience)));
        int allowed = 0;
        for (int i = 0; i < passed.Length; i++)
        {
            bool expected = isAllowed(probes[i]);
            for (int again = 0; expected && !passed[i] && again < 3; again++)
            {
                passed[i] = await SendAsync(senderOf(probes[i]), probes[i], LongPatience);
            }

            Assert.True(expected == passed[i], $"{(expected ? "should be allowed" : "should be denied")}: {(expected == passed[i] ? string.Empty : describe(probes[i]))}");
            allowed += expected ? 1 : 0;
        }

        return (allowed, passed.Length - allowed);
    }

    public static async Task<bool> SendAsync(Station pod, Probe probe, int patience)
    {
        using CancellationTokenSource timeout = new(patience);
        try
        {
            return probe.IsIcmp ? await PingAsync(pod, probe, timeout.Token)
                : probe.Protocol == SctpSocket.Protocol ? await SctpSocket.AskAsync(pod, probe, timeout.Token)
                : await EchoAsync(pod, probe, timeout.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            return false;
        }
    }

    private static async Task<bool> EchoAsync(Station pod, Probe probe, CancellationToken stop)
    {
        bool tcp = probe.Protocol == 6;
        using Socket socket = pod.Space.Run(() =>
        {
            Socket made = new(Family(probe), tcp ? SocketType.Stream : SocketType.Dgram, tcp ? ProtocolType.Tcp : ProtocolType.Udp);
            made.Bind(new IPEndPoint(probe.Source.ToIPAddress(), probe.SourcePort));
            return made;
        });
        await socket.ConnectAsync(new IPEndPoint(probe.Destination.ToIPAddress(), probe.DestinationPort), stop);
        await socket.SendAsync("hello"u8.ToArray(), SocketFlags.None, stop);
        return await socket.ReceiveAsync(new byte[16], SocketFlags.None, stop) == 5;
    }

    /// <summary>An echo request (RFC 792, RFC 4443 4.1) whose identifier is the probe's source port.</summary>
    private static async Task<bool> PingAsync(Station pod, Probe probe, CancellationToken stop)
    {
        bool v4 = probe.Family == IpFamily.IPv4;
        using Socket socket = pod.Space.Run(() => new Socket(Family(probe), SocketType.Raw, v4 ? ProtocolType.Icmp : ProtocolType.IcmpV6));
        byte[] request = [probe.IcmpType, 0, 0, 0, (byte)(probe.SourcePort >> 8), (byte)probe.SourcePort, 0, 1];
        if (v4)
        {
            // The kernel fills in the checksum of ICMPv6 only.
            uint folded = (uint)((request[0] << 8) + ((request[4] << 8) | request[5]) + 1);
            folded = (folded & 0xffff) + (folded >> 16);
            (request[2], request[3]) = ((byte)(~folded >> 8), (byte)~folded);
        }

        await socket.SendToAsync(request, SocketFlags.None, new IPEndPoint(probe.Destination.ToIPAddress(), 0), stop);
        byte[] answer = new byte[128];
        while (true)
        {
            SocketReceiveFromResult received = await socket.ReceiveFromAsync(answer, SocketFlags.None, new IPEndPoint(v4 ? IPAddress.Any : IPAddress.IPv6Any, 0), stop);
            int start = v4 ? (answer[0] & 0x0f) * 4 : 0;
            if (received.ReceivedBytes >= start + 8 && answer[start] == (v4 ? 0 : 129) && answer.AsSpan(start + 4, 2).SequenceEqual(request.AsSpan(4, 2)))
            {
                return true;
            }
        }
    }

    private static AddressFamily Family(Probe probe) => probe.Family == IpFamily.IPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
}
