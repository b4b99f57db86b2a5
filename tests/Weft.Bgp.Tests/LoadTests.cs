using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Pipelines;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests;

/// <summary>Timers under load, on the real clock: this is the one thing simulated time cannot show.</summary>
public sealed class LoadTests
{
    [Fact]
    public async Task FloodOfUpdates_DelaysNoKeepalive_AndNoOtherSession()
    {
        using var stop = new CancellationTokenSource();
        var network = new PairedNetwork();
        BgpSpeaker left = Speaker("10.0.0.1", 65001);
        BgpSpeaker right = Speaker("10.0.0.2", 65002);
        List<Task> running = [left.RunAsync(stop.Token), right.RunAsync(stop.Token)];
        await left.AddPeerAsync(Peer("10.0.0.2", 65002));
        await left.AddPeerAsync(Peer("10.0.0.9", 65009) with { Connect = ConnectMode.Passive });
        await right.AddPeerAsync(Peer("10.0.0.1", 65001) with { Connect = ConnectMode.Passive });
        await Poll.UntilAsync(async () => (await left.GetPeersAsync()).Any(static p => p.State == SessionState.Established), "the quiet session");

        (PipeConnection near, PipeConnection far) = PipeConnection.Pair(IpAddress.Parse("10.0.0.9"), IpAddress.Parse("10.0.0.1"));
        Assert.True(await left.AcceptAsync(far));
        var flooder = new Flooder(near);
        TimeSpan longest = await flooder.RunAsync(TimeSpan.FromSeconds(6));

        // Due every second at the latest (a third of the hold time); the peer would give up after three.
        Assert.True(longest < TimeSpan.FromSeconds(2.5), $"{longest.TotalSeconds:0.00} s between keepalives");
        Assert.All(await left.GetPeersAsync(), static p => Assert.Equal((SessionState.Established, 1), (p.State, p.EstablishedCount)));
        Assert.True(flooder.Sent > 100_000, $"{flooder.Sent} routes");

        await stop.CancelAsync();
        await Task.WhenAll(running);

        BgpSpeaker Speaker(string address, uint localAs)
        {
            var options = new SpeakerOptions { LocalAs = localAs, RouterId = IpAddress.Parse(address) };
            var speaker = new BgpSpeaker(options, network.From(IpAddress.Parse(address)), AllNextHopsReachable.Instance, TimeProvider.System, NullLogger.Instance);
            network.Register(IpAddress.Parse(address), speaker);
            return speaker;
        }

        static PeerSettings Peer(string address, uint remoteAs) => new()
        {
            Name = address, Address = IpAddress.Parse(address), RemoteAs = remoteAs, HoldTime = TimeSpan.FromSeconds(3),
        };
    }

    /// <summary>A peer that announces as fast as it is read, and watches when it hears.</summary>
    private sealed class Flooder(PipeConnection connection)
    {
        public long Sent { get; private set; }

        public async Task<TimeSpan> RunAsync(TimeSpan duration)
        {
            byte[] room = new byte[4096];
            var open = new OpenMessage
            {
                As = 65009, HoldTime = 3, RouterId = IpAddress.Parse("10.0.0.9"), HasMultiprotocol = true, Families = AddressFamilies.IPv4, FourOctetAs = true,
            };
            connection.Output.Write(room.AsSpan(0, open.Write(room)));
            connection.Output.Write(room.AsSpan(0, KeepaliveMessage.Write(room)));
            await connection.Output.FlushAsync();
            using var stop = new CancellationTokenSource();
            Task<TimeSpan> listening = ListenAsync(stop.Token);
            var clock = Stopwatch.StartNew();
            for (uint i = 0; clock.Elapsed < duration; i++)
            {
                connection.Output.Write(Update(i));
                Sent += 100;
                if (i % 16 == 0)
                {
                    await connection.Output.FlushAsync();
                }
            }

            await stop.CancelAsync();
            return await listening;
        }

        private static byte[] Update(uint number)
        {
            byte[] nlri = new byte[400];
            for (uint i = 0; i < 100; i++)
            {
                uint address = 0x0B000000 + (number * 100 + i) % 300_000 * 256;
                nlri[4 * i] = 24;
                nlri[4 * i + 1] = (byte)(address >> 24);
                nlri[4 * i + 2] = (byte)(address >> 16);
                nlri[4 * i + 3] = (byte)(address >> 8);
            }

            return Messages.Update([], [.. Messages.Origin, .. Messages.AsPath(65009, number % 5000 + 1), .. Messages.NextHop], nlri);
        }

        private async Task<TimeSpan> ListenAsync(CancellationToken stop)
        {
            TimeSpan longest = TimeSpan.Zero;
            Stopwatch? since = null;
            try
            {
                while (true)
                {
                    ReadResult read = await connection.Input.ReadAsync(stop);
                    byte[] bytes = read.Buffer.ToArray();
                    int at = 0;
                    while (bytes.Length - at >= 19 && BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at + 16)) is ushort length && bytes.Length - at >= length)
                    {
                        Assert.NotEqual((byte)MessageType.Notification, bytes[at + 18]);
                        if (bytes[at + 18] == (byte)MessageType.Keepalive)
                        {
                            longest = since is null || since.Elapsed < longest ? longest : since.Elapsed;
                            since = Stopwatch.StartNew();
                        }

                        at += length;
                    }

                    connection.Input.AdvanceTo(read.Buffer.GetPosition(at), read.Buffer.End);
                }
            }
            catch (OperationCanceledException)
            {
                Assert.NotNull(since);
                return since.Elapsed > longest ? since.Elapsed : longest;
            }
        }
    }
}
