using System.Collections.Concurrent;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Linux.Tests.Netlink;

public class NetlinkMonitorTests
{
    [Fact]
    public async Task Changes_ArriveInOrder()
    {
        using TestNamespace space = new();
        using NetlinkMonitor monitor = NetlinkMonitor.Open(MonitoredChanges.Links | MonitoredChanges.Addresses | MonitoredChanges.Routes, space.Space);
        using CancellationTokenSource stop = new();
        Recorder recorder = new();

        // Made before RunAsync: what happens between opening and running is not lost.
        int index = space.AddVeth("a", "192.0.2.1/24");
        space.Socket.Routes.Add(new RouteInfo
        {
            Destination = IpPrefix.Parse("10.1.0.0/26"), Protocol = 80, Hop = new RouteHop(IpAddress.Parse("192.0.2.9"), index),
        }).ThrowIfFailed("add");
        Task run = monitor.RunAsync(recorder, stop.Token);
        space.Socket.Links.Delete(index).ThrowIfFailed("delete");
        await recorder.WaitForAsync("- link a");
        await stop.CancelAsync();
        await run;

        List<string> events = [.. recorder.Events];
        string[] expected = ["+ link a", "+ address 192.0.2.1/24", "+ route 10.1.0.0/26", "- link a"];
        Assert.Equal(expected, events.Where(expected.Contains).Distinct());
        Assert.DoesNotContain("lost", events);
    }

    [Fact]
    public async Task Overflow_SaysThatEventsWereLost()
    {
        using TestNamespace space = new();
        int index = space.AddVeth("a", "192.0.2.1/24");
        using NetlinkMonitor monitor = NetlinkMonitor.Open(MonitoredChanges.Routes, space.Space);
        using CancellationTokenSource stop = new();
        Recorder recorder = new();
        RouteBatch batch = new();

        // Nobody reads while 40,000 changes are made: more than the buffer holds.
        for (int round = 0; round < 40; round++)
        {
            batch.Clear();
            for (int i = 0; i < RouteBatch.Capacity; i++)
            {
                batch.Add(RouteWrite.Replace, new RouteInfo
                {
                    Destination = new IpPrefix(IpAddress.FromIPv4(0x0A000000 + (uint)(round * 1000 + i)), 32), Protocol = 80, Hop = new RouteHop(default, index), Scope = RouteScope.Link,
                });
            }

            space.Socket.Routes.Write(batch).ThrowIfFailed("write");
        }

        Task run = monitor.RunAsync(recorder, stop.Token);
        await recorder.WaitForAsync("lost");
        await stop.CancelAsync();
        await run;

        Assert.Contains("lost", recorder.Events);
    }

    private sealed class Recorder : INetlinkListener
    {
        public ConcurrentQueue<string> Events { get; } = new();

        public void OnLink(LinkInfo link, ChangeKind change) => Add(change, $"link {link.Name}");

        public void OnAddress(AddressInfo address, ChangeKind change) => Add(change, $"address {address.Address}");

        public void OnRoute(in RouteInfo route, ChangeKind change) => Add(change, $"route {route.Destination}");

        public void OnEventsLost() => Events.Enqueue("lost");

        public async Task WaitForAsync(string text)
        {
            using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(10));
            while (!Events.Contains(text))
            {
                await Task.Delay(10, deadline.Token);
            }
        }

        private void Add(ChangeKind change, string what) => Events.Enqueue($"{(change == ChangeKind.Present ? '+' : '-')} {what}");
    }
}
