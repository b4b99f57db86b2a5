using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore.Etcd;
using Weft.Datastore.Sync;
using Weft.Model.Keys;
using Weft.Testing.Datastore;
using static Weft.Datastore.Tests.Values;

namespace Weft.Datastore.Tests.Sync;

public sealed class EtcdSyncerTests
{
    public static TheoryData<ServerKind> Servers => [.. Enum.GetValues<ServerKind>()];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(Servers))]
    public async Task Start_SendsWaitThenResyncThenValuesThenInSync(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        await store.ApplyAsync(Key("a"), Set("a"), null, Stop);
        await store.ApplyAsync(Handle("h"), HandleOf(1), null, Stop);
        RecordingSink sink = new();
        await using Running syncer = new(store, sink);

        await Until.TrueAsync(() => sink.IsInSync, "in sync");
        await store.ApplyAsync(Key("b"), Set("b"), null, Stop);
        await store.DeleteAsync(Handle("h"), null, Stop);
        await Until.TrueAsync(() => sink.View.ContainsKey(Key("b")) && !sink.View.ContainsKey(Handle("h")), "changes");

        Assert.Equal(["WaitForDatastore", "ResyncInProgress", "InSync"], sink.Statuses);
        Assert.Equal([Key("a"), Key("b")], sink.View.Keys);
        Assert.Equal(4, sink.Updates);
    }

    [Fact]
    public async Task NoStore_IsSaidInTheDetail_AndLaterFound()
    {
        await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
        await server.KillAsync();
        await using EtcdDatastore store = server.Connect();
        RecordingSink sink = new();
        await using Running syncer = new(store, sink);

        await Until.TrueAsync(() => sink.LastDetail.Contains("Connection refused", StringComparison.Ordinal), "the detail names the reason");
        IReadOnlyList<string> before = sink.Statuses;
        await server.StartAgainAsync();
        await Until.TrueAsync(() => sink.IsInSync, "in sync");

        Assert.Equal(["WaitForDatastore"], before);
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task CompactionWhileAway_IsListedAgain_AndDeletionsAreSeen(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        await using EtcdDatastore other = server.Connect();
        for (int i = 0; i < 20; i++)
        {
            await store.ApplyAsync(Key(i), Set(i), null, Stop);
        }

        TaskCompletionSource hold = new();
        RecordingSink sink = new();
        await using Running syncer = new(new CutStore(store, hold.Task), sink);
        await Until.TrueAsync(() => sink.IsInSync, "in sync");
        int before = sink.Updates;

        await other.DeleteAsync(Key(3), null, Stop);
        await other.ApplyAsync(Key(4), Set(4, version: 7), null, Stop);
        WriteResult last = await other.ApplyAsync(Key(99), Set(99), null, Stop);
        await server.CompactAsync(last.Revision);
        hold.SetResult();
        await Until.TrueAsync(() => sink.View.ContainsKey(Key(99)) && sink.IsInSync, "listed again");

        Assert.Equal(3, sink.Updates - before);
        Assert.False(sink.View.ContainsKey(Key(3)));
        Assert.Equal("10.7.0.0/16", NetOf(sink.View[Key(4)].Value));
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task StoreMadeAnew_ReplacesTheWholeView(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        await store.ApplyAsync(Key("gone"), Set("gone"), null, Stop);
        await store.ApplyAsync(Key("same"), Set("same", "10.1.0.0/16"), null, Stop);
        RecordingSink sink = new();
        await using Running syncer = new(store, sink);
        await Until.TrueAsync(() => sink.IsInSync, "in sync");

        await server.KillAsync();
        server.Wipe();
        await server.StartAgainAsync();
        await store.ApplyAsync(Key("new"), Set("new"), null, Stop);

        // The same key at the same revision as before, with another value.
        await store.ApplyAsync(Key("same"), Set("same", "10.2.0.0/16"), null, Stop);
        await Until.TrueAsync(() => sink.View.Count == 2 && sink.View.ContainsKey(Key("new")) && NetOf(sink.View[Key("same")].Value) == "10.2.0.0/16", "the new store");
    }

    [Fact]
    public async Task FrozenServer_ChangesTheStatus_AndTheViewIsRightAfterwards()
    {
        await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
        await using EtcdDatastore store = server.Connect();
        await store.ApplyAsync(Key("a"), Set("a"), null, Stop);
        RecordingSink sink = new();
        await using Running syncer = new(store, sink);
        await Until.TrueAsync(() => sink.IsInSync, "in sync");

        await server.PauseAsync();
        await Until.TrueAsync(() => sink.Statuses[^1] == "ResyncInProgress", "the trouble is told", seconds: 25);
        string detail = sink.LastDetail;
        await server.ResumeAsync();
        await Until.TrueAsync(() => sink.IsInSync, "in sync again");
        await store.ApplyAsync(Key("b"), Set("b"), null, Stop);
        await Until.TrueAsync(() => sink.View.ContainsKey(Key("b")), "changes");

        Assert.Contains(server.Endpoint.Authority, detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SlowSink_GetsTheNewestOfEachKey_AndNothingOfWhatCameAndWent()
    {
        await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
        await using EtcdDatastore store = server.Connect();
        RecordingSink sink = new();
        await using Running syncer = new(store, sink);
        await Until.TrueAsync(() => sink.IsInSync, "in sync");

        TaskCompletionSource gate = new();
        sink.Gate = gate.Task;
        await store.ApplyAsync(Key("first"), Set("first"), null, Stop);
        await Task.Delay(200, Stop); // Lets the delivery of "first" begin; the rest piles up behind it.
        for (int i = 0; i < 200; i++)
        {
            await store.ApplyAsync(Key("busy"), Set("busy", $"10.{i}.0.0/16"), null, Stop);
            await store.ApplyAsync(Key($"brief{i}"), Set($"brief{i}"), null, Stop);
            await store.DeleteAsync(Key($"brief{i}"), null, Stop);
        }

        await Task.Delay(500, Stop);
        gate.SetResult();
        await Until.TrueAsync(() => sink.View.TryGetValue(Key("busy"), out ModelUpdate busy) && NetOf(busy.Value) == "10.199.0.0/16", "the newest");

        Assert.Equal([Key("first"), Key("busy")], sink.View.Keys);
        Assert.True(sink.Updates < 20, $"{sink.Updates} updates for two keys");
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task TenThousandKeys_AreListedAndFollowed(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        await Parallel.ForAsync(0, 10_000, new ParallelOptions { MaxDegreeOfParallelism = 64, CancellationToken = Stop },
            async (i, stop) => await store.ApplyAsync(Key(i), Set(i), null, stop));
        RecordingSink sink = new();
        await using Running syncer = new(store, sink);

        await Until.TrueAsync(() => sink.IsInSync, "in sync");
        int listed = sink.View.Count;
        await Parallel.ForAsync(0, 1000, new ParallelOptions { MaxDegreeOfParallelism = 64, CancellationToken = Stop },
            async (i, stop) => await store.DeleteAsync(Key(i), null, stop));
        await Until.TrueAsync(() => sink.View.Count == 9000, "deletions");

        Assert.Equal(10_000, listed);
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task RandomOperationsWithKillsAndCompactions_EndInTheViewOfTheStore(ServerKind kind)
    {
        const int Seed = 20261122;
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        RecordingSink sink = new();
        await using Running syncer = new(store, sink);
        Random random = new(Seed);

        for (int round = 0; round < 6; round++)
        {
            WriteResult last = default;
            for (int i = 0; i < 150; i++)
            {
                ResourceKey key = Key(random.Next(30));
                last = random.Next(3) == 0
                    ? await store.DeleteAsync(key, null, Stop)
                    : await store.ApplyAsync(key, Set(key.Name, $"10.{random.Next(200)}.0.0/16"), null, Stop);
            }

            switch (random.Next(3))
            {
                case 0:
                    await server.KillAsync();
                    await server.StartAgainAsync();
                    break;
                case 1 when last.Revision.Value > 0:
                    await server.CompactAsync(last.Revision);
                    break;
                default:
                    break;
            }
        }

        ListResult truth = await store.ListAsync([Sets, Handles], Stop);
        Dictionary<ModelKey, long> expected = truth.Items.ToDictionary(i => i.Key, i => i.Revision.Value);
        await Until.TrueAsync(
            () => sink.View.Count == expected.Count && sink.View.All(v => expected.TryGetValue(v.Key, out long revision) && revision == v.Value.Revision),
            $"the view equals the store (seed {Seed})");
    }

    /// <summary>A running syncer of the two ranges; its end is awaited, so a fault of it fails the test.</summary>
    private sealed class Running : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _task;

        public Running(IDatastore store, ISyncSink sink) =>
            _task = new EtcdSyncer(store, [Sets, Handles], NullLoggerFactory.Instance, TimeProvider.System).RunAsync(sink, _stop.Token);

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _task;
            _stop.Dispose();
        }
    }
}
