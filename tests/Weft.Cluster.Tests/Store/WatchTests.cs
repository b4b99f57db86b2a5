using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Mvccpb;
using Weft.Cluster.Tests.Store.Fixtures;
using FilterType = Etcdserverpb.WatchCreateRequest.Types.FilterType;

namespace Weft.Cluster.Tests.Store;

public sealed class WatchTests : IAsyncLifetime
{
    private readonly Scratch _scratch = new();
    private RunningStore _store = null!;

    public async ValueTask InitializeAsync() => _store = await RunningStore.StartAsync(_scratch.File("s.db"));

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _scratch.Dispose();
    }

    [Fact]
    public async Task ManyWatchesOnOneStream_EachGetsItsOwn()
    {
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = Open();
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("a/", previous: true));
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("b/"));
        WatchResponse[] created = [await watch.NextAsync(), await watch.NextAsync()];

        await _store.Channel.PutAsync("a/1", "x");
        WatchResponse first = await watch.NextAsync();
        await _store.Channel.PutAsync("b/1", "y");
        WatchResponse second = await watch.NextAsync();
        await _store.Channel.PutAsync("a/1", "z");
        WatchResponse third = await watch.NextAsync();

        Assert.Equal([(0L, true), (1L, true)], created.Select(c => (c.WatchId, c.Created)));
        Assert.Equal((0L, "a/1", (KeyValue?)null), (first.WatchId, Assert.Single(first.Events).Kv.Key.ToStringUtf8(), first.Events[0].PrevKv));
        Assert.Equal((1L, "b/1"), (second.WatchId, Assert.Single(second.Events).Kv.Key.ToStringUtf8()));
        Assert.Equal("x", Assert.Single(third.Events).PrevKv.Value.ToStringUtf8());
    }

    [Fact]
    public async Task CancelledWatch_SaysSo_AndTheOthersGoOn()
    {
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = Open();
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("a/"));
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("a/"));
        await watch.NextAsync();
        await watch.NextAsync();

        await watch.RequestStream.WriteAsync(new WatchRequest { CancelRequest = new WatchCancelRequest { WatchId = 0 } });
        WatchResponse cancelled = await watch.NextAsync();
        await _store.Channel.PutAsync("a/1", "x");
        WatchResponse events = await watch.NextAsync();

        Assert.Equal((0L, true), (cancelled.WatchId, cancelled.Canceled));
        Assert.Equal(1, events.WatchId);
    }

    [Fact]
    public async Task DuplicateIdAndEmptyRange_AreRefusedWithEtcdsWords()
    {
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = Open();
        WatchRequest chosen = Api.WatchPrefix("a/");
        chosen.CreateRequest.WatchId = 7;
        WatchRequest empty = new() { CreateRequest = new WatchCreateRequest { Key = Api.Bytes("b"), RangeEnd = Api.Bytes("a") } };

        await watch.RequestStream.WriteAsync(chosen);
        await watch.RequestStream.WriteAsync(chosen);
        await watch.RequestStream.WriteAsync(empty);
        WatchResponse[] answers = [await watch.NextAsync(), await watch.NextAsync(), await watch.NextAsync()];

        Assert.Equal(
            [(7L, false, ""), (-1L, true, "mvcc: duplicate watch ID provided on the WatchStream"), (-1L, true, "mvcc: watcher range is empty")],
            answers.Select(a => (a.WatchId, a.Canceled, a.CancelReason)));
    }

    [Fact]
    public async Task StartRevision_ReplaysHistory_AndRunsIntoThePresent()
    {
        for (int i = 2; i <= 31; i++)
        {
            await _store.Channel.PutAsync("k/" + (i % 3), i.ToString());
        }

        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = Open();
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("k/", start: 11, previous: true));
        await watch.NextAsync();
        List<Event> events = [];
        while (events.Count < 21)
        {
            events.AddRange((await watch.NextAsync()).Events);
        }

        await _store.Channel.PutAsync("k/9", "now");
        events.AddRange((await watch.NextAsync()).Events);

        Assert.Equal(Enumerable.Range(11, 22).Select(r => (long)r), events.Select(e => e.Kv.ModRevision));
        Assert.All(events.Take(21), e => Assert.Equal(e.Kv.ModRevision - 3, e.PrevKv.ModRevision));
    }

    [Fact]
    public async Task FutureRevision_WaitsForIt()
    {
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = Open();
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("k", start: 4));
        await watch.NextAsync();

        await _store.Channel.PutAsync("k", "2");
        await _store.Channel.PutAsync("k", "3");
        await _store.Channel.PutAsync("k", "4");

        Assert.Equal(4, Assert.Single((await watch.NextAsync()).Events).Kv.ModRevision);
    }

    [Fact]
    public async Task CompactedStart_IsCancelledWithTheCompactRevision()
    {
        await _store.Channel.PutAsync("k", "2");
        await _store.Channel.PutAsync("k", "3");
        await _store.Channel.PutAsync("k", "4");
        await _store.Kv().CompactAsync(new CompactionRequest { Revision = 4, Physical = true });
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = Open();

        await watch.RequestStream.WriteAsync(Api.WatchPrefix("k", start: 3));
        WatchResponse created = await watch.NextAsync();
        WatchResponse cancelled = await watch.NextAsync();
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("k", start: 4));
        await watch.NextAsync();

        Assert.True(created.Created);
        Assert.Equal((created.WatchId, true, 4L), (cancelled.WatchId, cancelled.Canceled, cancelled.CompactRevision));
        Assert.Equal(4, Assert.Single((await watch.NextAsync()).Events).Kv.ModRevision);
    }

    [Fact]
    public async Task ManualProgress_ComesAfterEverythingUpToItsRevision()
    {
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = Open();
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("k"));
        await watch.NextAsync();
        await _store.Channel.PutAsync("k", "2");
        await _store.Channel.PutAsync("other", "3");

        await watch.RequestStream.WriteAsync(new WatchRequest { ProgressRequest = new WatchProgressRequest() });
        WatchResponse events = await watch.NextAsync();
        WatchResponse progress = await watch.NextAsync();

        Assert.Equal(2, Assert.Single(events.Events).Kv.ModRevision);
        Assert.Equal((-1L, 3L, 0), (progress.WatchId, progress.Header.Revision, progress.Events.Count));
    }

    [Fact]
    public async Task Filters_KeepWhatTheyName_Away()
    {
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = Open();
        WatchRequest request = Api.WatchPrefix("k");
        request.CreateRequest.Filters.Add(FilterType.Noput);
        await watch.RequestStream.WriteAsync(request);
        await watch.NextAsync();

        await _store.Channel.PutAsync("k", "2");
        await _store.Kv().DeleteRangeAsync(new DeleteRangeRequest { Key = Api.Bytes("k") });

        Event deleted = Assert.Single((await watch.NextAsync()).Events);
        Assert.Equal((Event.Types.EventType.Delete, 3L), (deleted.Type, deleted.Kv.ModRevision));
    }

    [Fact]
    public async Task OneRevision_StaysInOneResponse_UnlessFragmentsAreAllowed()
    {
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> whole = Open();
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> fragmented = Open();
        WatchRequest request = Api.WatchPrefix("k");
        await whole.RequestStream.WriteAsync(request);
        request.CreateRequest.Fragment = true;
        await fragmented.RequestStream.WriteAsync(request);
        await whole.NextAsync();
        await fragmented.NextAsync();
        for (int i = 0; i < 30; i++)
        {
            await _store.Kv().PutAsync(new PutRequest { Key = Api.Bytes($"x{i:d2}"), Value = ByteString.CopyFrom(new byte[100_000]) });
        }

        TxnRequest txn = new();
        txn.Success.AddRange(Enumerable.Range(0, 12).Select(i => new RequestOp { RequestPut = new PutRequest { Key = Api.Bytes($"k{i:d2}"), Value = ByteString.CopyFrom(new byte[120_000]) } }));
        await _store.Kv().TxnAsync(txn);

        Assert.Equal(12, (await whole.NextAsync()).Events.Count);
        List<(int Events, bool Fragment)> parts = [];
        do
        {
            WatchResponse part = await fragmented.NextAsync();
            parts.Add((part.Events.Count, part.Fragment));
        }
        while (parts[^1].Fragment);
        Assert.Equal(12, parts.Sum(p => p.Events));
        Assert.True(parts.Count > 1);
    }

    [Fact]
    public async Task SlowWatcher_LosesNothing_DoublesNothing_AndSlowsNobody()
    {
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = Open();
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("k/"));
        await watch.NextAsync();
        ByteString value = ByteString.CopyFrom(new byte[8192]);

        // 64 MB of events while the client reads none: more than any window, and four times what the store keeps in memory.
        await Parallel.ForAsync(0, 8000, async (i, stop) => await _store.Kv().PutAsync(new PutRequest { Key = Api.Bytes($"k/{i % 100}"), Value = value }, cancellationToken: stop));

        long expected = 2;
        while (expected <= 8001)
        {
            foreach (Event e in (await watch.NextAsync()).Events)
            {
                Assert.Equal(expected++, e.Kv.ModRevision);
            }
        }
    }

    [Fact]
    public async Task StoppingStore_EndsWatchesWithUnavailable_AndIsQuick()
    {
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = Open();
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("k/"));
        await watch.NextAsync();
        Task<bool> next = watch.ResponseStream.MoveNext(CancellationToken.None);
        long start = TimeProvider.System.GetTimestamp();

        Hosting.ExitStatus status = await _store.StopAsync();

        Assert.Equal(Hosting.ExitStatus.Ok, status);
        Assert.InRange(TimeProvider.System.GetElapsedTime(start).TotalSeconds, 0, 2);
        RpcException ended = await Assert.ThrowsAsync<RpcException>(() => next);
        Assert.True(ended.StatusCode == StatusCode.Unavailable, ended.ToString());
    }

    private AsyncDuplexStreamingCall<WatchRequest, WatchResponse> Open() => new Watch.WatchClient(_store.Channel).Watch();
}
