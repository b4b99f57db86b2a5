using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Weft.Interop.Peers;
using Weft.Interop.Raw;
using Weft.Linux.Namespaces;
using Weft.Testing.Bgp;

namespace Weft.Interop;

/// <summary>
/// Neighbours and strangers that mean harm or know no better, beside a BIRD whose session has the shortest hold time there is (3 s): whatever they do, that session
/// neither ends nor loses its routes, and weft's memory stays bounded.
/// </summary>
[Collection("alone")]
public sealed class HostileTests
{
    private const string Hostile = "10.99.0.4";

    /// <summary>The n-th AS path of a feed: a thousand different ones.</summary>
    private static readonly Func<int, uint[]> s_path = static n => [65004, 4200000000 + (uint)(n % 1000), 64500 + (uint)(n % 7)];

    /// <summary>All at once: an OPEN of one octet a second, an UPDATE of one octet a second, a neighbour that has vanished, and one with two hundred connections that say nothing.</summary>
    [Fact]
    public async Task PeersThatAreSlowOrGone_LoseTheirSessionsByTheHoldTimer_OthersNotice()
    {
        await using Lab lab = await Lab.CreateAsync();
        (Router weft, Bystander bystander) = await Bystander.StartAsync(lab, Neighbor("slow", "10.99.0.3", 65003), Neighbor("loris", Hostile, 65004), Neighbor("gone", "10.99.0.5", 65005), Neighbor("many", "10.99.0.6", 65006));
        using RawPeer opener = await RawPeer.DialAsync(lab, "10.99.0.3");
        using RawPeer loris = await RawPeer.EstablishAsync(lab, Hostile, 65004, 3, keepsAlive: false);

        // No graceful restart: with it, its routes would rightly stay as stale ones.
        using RawPeer gone = await RawPeer.EstablishAsync(lab, "10.99.0.5", 65005, 3, [BgpBytes.Multiprotocol(1), BgpBytes.FourOctetAs(65005)]);
        await gone.SendAsync([.. RouteFeed.Announce(0, 10, 10, static _ => [65005], "10.99.0.5").SelectMany(static p => p)]);
        await gone.UntilAsync("End-of-RIB", static p => p.Saw(BgpBytes.EndOfRib(1)));
        await Shell.EventuallyAsync("the routes of the one that will vanish", async () => (int?)(await weft.NeighborAsync("gone"))?["receivedPrefixes"]?["ipv4"] == 10, weft.DescribeAsync);
        List<RawPeer> silent = [];
        for (int i = 0; i < 200; i++)
        {
            silent.Add(await RawPeer.DialAsync(lab, "10.99.0.6"));
        }

        await lab.CutAsync("10.99.0.5");
        using var stop = new CancellationTokenSource();
        Task drips = Task.WhenAll(
            DripAsync(opener, BgpBytes.Open(65003, "10.255.0.3", 3, BgpBytes.FourOctetAs(65003)), stop.Token),
            DripAsync(loris, BgpBytes.Update([], [.. BgpBytes.Origin(), .. BgpBytes.AsPath(65004), .. BgpBytes.NextHop(Hostile)], RouteFeed.Prefix(1)), stop.Token));

        await loris.UntilAsync("the slow UPDATE ends by the hold timer", static p => p.Notification == "4/0", 10);
        await Shell.EventuallyAsync("the vanished one too, with its routes", async () => (string?)(await weft.NeighborAsync("gone"))?["state"] != "Established" && (await weft.ShowAsync("route", "20.0.0.0/24"))?["routes"]?.AsArray().Count is 0 or null, weft.DescribeAsync, 10);
        Assert.True(weft.OpenFiles < 150, $"{weft.OpenFiles} open files");
        await bystander.UndisturbedAsync();

        await stop.CancelAsync();
        await drips;
        silent.ForEach(static s => s.Dispose());
    }

    [Fact]
    public async Task TenThousandConnectionsOfStrangers_AreClosedAtOnce_NeighboursStillGetIn()
    {
        await using Lab lab = await Lab.CreateAsync();
        (Router weft, Bystander bystander) = await Bystander.StartAsync(lab, Neighbor("late", Hostile, 65004));
        await lab.StrangersAsync("10.98.0.0/16");
        long before = weft.Process.StatusKib("VmRSS");
        using NetNamespace peers = NetNamespace.OpenNamed(lab.PeerNamespace);
        int next = 0, closed = 0, came = 0;

        Task storm = Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => peers.Run(() =>
        {
            // The neighbour comes while strangers do, however fast those are.
            for (int i = Interlocked.Increment(ref next); i <= 10_000 || (Volatile.Read(ref came) == 0 && i < 60_000); i = Interlocked.Increment(ref next))
            {
                Interlocked.Add(ref closed, IsClosedAtOnce($"10.98.{i >> 8}.{i & 255}") ? 1 : 0);
            }

            return 0;
        }))));
        using RawPeer late = await RawPeer.EstablishAsync(lab, Hostile, 65004);
        bool stormed = !storm.IsCompleted;
        Volatile.Write(ref came, 1);
        await storm;

        Assert.True(stormed, "the storm was over before the neighbour came");
        Assert.True(closed > 9_000, $"{closed} of {next} were closed");
        Assert.True(weft.OpenFiles < 150, $"{weft.OpenFiles} open files");
        Assert.InRange(weft.Process.StatusKib("VmHWM"), 0, before + 32 * 1024);
        await bystander.UndisturbedAsync();
    }

    /// <summary>It takes nothing while another one changes a hundred thousand routes again and again: what waits for it grows with the table, not with the changes.</summary>
    [Fact]
    public async Task PeerThatNeverReads_CostsNoMorePerChange_AndIsLeft()
    {
        await using Lab lab = await Lab.CreateAsync();
        (Router weft, Bystander bystander) = await Bystander.StartAsync(lab, Neighbor("feeder", Hostile, 65004), Neighbor("deaf", "10.99.0.5", 65005, "hold-time = 3s\nsend-hold-time = 4s"), Neighbor("reader", "10.99.0.6", 65006));
        using RawPeer feeder = await RawPeer.EstablishAsync(lab, Hostile, 65004, 3);
        using RawPeer deaf = await RawPeer.EstablishAsync(lab, "10.99.0.5", 65005, 30, reads: false);
        using RawPeer reader = await RawPeer.EstablishAsync(lab, "10.99.0.6", 65006, 3);
        await ChangeAllAsync(feeder, reader, 1);
        long first = weft.Process.StatusKib("VmHWM");

        for (int round = 2; round < 8; round++)
        {
            await ChangeAllAsync(feeder, reader, round);
        }

        Assert.InRange(weft.Process.StatusKib("VmHWM"), 0, first * 3 / 2);
        await Shell.EventuallyAsync("it is left (RFC 9687)", async () => (string?)(await weft.NeighborAsync("deaf"))?["state"] != "Established", weft.DescribeAsync);
        Assert.Equal(1, await weft.EstablishedCountAsync("reader"));
        await bystander.UndisturbedAsync();
    }

    /// <summary>One prefix after the other changes as fast as the neighbour can send, for four seconds.</summary>
    [Fact]
    public async Task PeerThatFloodsUpdates_IsReadAtItsOwnCost()
    {
        await using Lab lab = await Lab.CreateAsync();
        (Router weft, Bystander bystander) = await Bystander.StartAsync(lab, Neighbor("flooder", Hostile, 65004), Neighbor("reader", "10.99.0.6", 65006));
        using RawPeer flooder = await RawPeer.EstablishAsync(lab, Hostile, 65004, 3);
        using RawPeer reader = await RawPeer.EstablishAsync(lab, "10.99.0.6", 65006, 3);
        byte[][] pieces = [.. Enumerable.Range(0, 50).SelectMany(r => RouteFeed.Announce(0, 1000, 1, n => [65004, 4200000000 + (uint)(n + r)], Hostile))];

        long start = Stopwatch.GetTimestamp();
        for (int i = 0; Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(4); i++)
        {
            await flooder.SendAsync(pieces[i % pieces.Length]);
        }

        Assert.Equal(1, await weft.EstablishedCountAsync("flooder"));
        Assert.Equal(1, await weft.EstablishedCountAsync("reader"));
        Assert.InRange(weft.Process.StatusKib("VmHWM"), 0, 128 * 1024);
        await bystander.UndisturbedAsync();
    }

    [Fact]
    public async Task FourMillionRoutesAgainstALimitOfOne_EndWithCease_InBoundedMemory()
    {
        await using Lab lab = await Lab.CreateAsync();
        (Router weft, Bystander bystander) = await Bystander.StartAsync(lab, Neighbor("greedy", Hostile, 65004, "maximum-prefixes = 1000000"));
        using RawPeer greedy = await RawPeer.EstablishAsync(lab, Hostile, 65004, 3);

        await Assert.ThrowsAnyAsync<SocketException>(async () =>
        {
            foreach (byte[] piece in RouteFeed.Announce(0, 4_000_000, 900, s_path, Hostile))
            {
                await greedy.SendAsync(piece);
            }

            // It is not the last octet that tells: the answer may still be on its way.
            await greedy.UntilAsync("the end", static p => p.IsClosed);
            throw new SocketException((int)SocketError.ConnectionReset);
        });

        await Shell.EventuallyAsync("the session is over and its routes are gone", async () => (await weft.NeighborAsync("greedy")) is { } n && (string?)n["state"] != "Established" && (int?)n["receivedPrefixes"]?["ipv4"] == 0, weft.DescribeAsync, 30);
        Assert.Contains("6/1", (string?)(await weft.NeighborAsync("greedy"))!["lastError"]);
        Assert.InRange(weft.Process.StatusKib("VmHWM"), 0, 400 * 1024);
        await bystander.UndisturbedAsync();
    }

    /// <summary>The feeder's session, the reader's and the bystander's all have three seconds, and everything the feeder sends goes to the reader.</summary>
    [Fact]
    public async Task MillionRoutesArriving_HoldTimeOfThreeSeconds_NoSessionEnds()
    {
        await using Lab lab = await Lab.CreateAsync();
        (Router weft, Bystander bystander) = await Bystander.StartAsync(lab, Neighbor("feeder", Hostile, 65004), Neighbor("reader", "10.99.0.6", 65006));
        using RawPeer feeder = await RawPeer.EstablishAsync(lab, Hostile, 65004, 3);
        using RawPeer reader = await RawPeer.EstablishAsync(lab, "10.99.0.6", 65006, 3);

        foreach (byte[] piece in RouteFeed.Announce(0, 1_000_000, 5, static n => [65004, 4200000000 + (uint)n, 64500], Hostile))
        {
            await feeder.SendAsync(piece);
        }

        await Shell.EventuallyAsync("all of them at the reader", async () => (int?)(await weft.NeighborAsync("reader"))?["advertisedPrefixes"]?["ipv4"] >= 1_000_000, weft.DescribeAsync, 60);
        Assert.False(feeder.IsClosed);
        Assert.False(reader.IsClosed);
        Assert.Equal(1, await weft.EstablishedCountAsync("feeder"));
        Assert.Equal(1, await weft.EstablishedCountAsync("reader"));
        await bystander.UndisturbedAsync();
    }

    private static string Neighbor(string name, string address, uint asNumber, string more = "") => $"""
        [neighbor:{name}]
        address = {address}
        remote-as = {asNumber}
        families = ipv4
        passive = yes
        {more}
        """;

    /// <summary>A hundred thousand routes get other attributes, and the reader has heard of the last.</summary>
    private static async Task ChangeAllAsync(RawPeer feeder, RawPeer reader, int round)
    {
        long before = reader.UpdateOctets;
        foreach (byte[] piece in RouteFeed.Announce(0, 100_000, 50, n => [65004, 4200000000 + (uint)(round * 10_000 + n)], Hostile))
        {
            await feeder.SendAsync(piece);
        }

        await reader.UntilAsync($"round {round}", p => p.UpdateOctets >= before + 400_000, 30);
    }

    private static async Task DripAsync(RawPeer peer, byte[] message, CancellationToken stop)
    {
        using PeriodicTimer second = new(TimeSpan.FromSeconds(1));
        try
        {
            foreach (byte octet in message)
            {
                await peer.SendAsync([octet]);
                await second.WaitForNextTickAsync(stop);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // Told to stop, or thrown out.
        }
    }

    private static bool IsClosedAtOnce(string from)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 5000 };
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
            socket.Connect(new IPEndPoint(IPAddress.Parse(Lab.WeftIPv4), 179));
            return socket.Receive(new byte[64]) == 0;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionReset;
        }
    }

    /// <summary>The BIRD that must not notice anything, and weft beside it.</summary>
    private sealed class Bystander(Router weft, Bird bird, string since, PeerPlan plan)
    {
        public static async Task<(Router Weft, Bystander Bystander)> StartAsync(Lab lab, params string[] neighbors)
        {
            PeerPlan plan = new() { HoldTime = 3, WeftExtra = "export = 10.65.0.0/26, 2001:db8:65::/64" };
            Router weft = Router.Start(lab, plan.WeftSettings().Replace("[neighbor:peer]", "install-routes = no\n[neighbor:peer]") + "\n" + string.Join('\n', neighbors));
            Bird bird = Bird.Two();
            await bird.StartAsync(lab, plan);
            await Shell.EventuallyAsync("BIRD's session", () => weft.IsEstablishedAsync(), weft.DescribeAsync);
            await Shell.EventuallyAsync("our routes at BIRD", async () => await bird.RoutesAsync() is var routes && plan.WeftRoutes.All(routes.Contains), weft.DescribeAsync);
            return (weft, new Bystander(weft, bird, Since(await bird.SessionAsync()), plan));
        }

        public async Task UndisturbedAsync()
        {
            Assert.Equal(1, await weft.EstablishedCountAsync());
            Assert.True(await weft.IsEstablishedAsync());
            Assert.Equal(since, Since(await bird.SessionAsync()));
            string routes = await bird.RoutesAsync();
            Assert.True(plan.WeftRoutes.All(routes.Contains), routes);
            foreach (string route in plan.PeerRoutes)
            {
                Assert.NotEmpty((await weft.ShowAsync("route", route))!["routes"]!.AsArray());
            }
        }

        /// <summary>"weft BGP --- up 08:29:27.916 Established".</summary>
        private static string Since(string session) => session.Split('\n').First(static l => l.StartsWith("weft ", StringComparison.Ordinal));
    }
}
