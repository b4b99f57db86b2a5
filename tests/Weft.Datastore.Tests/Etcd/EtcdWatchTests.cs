using Weft.Datastore.Etcd;
using Weft.Model.Keys;
using Weft.Testing.Datastore;
using static Weft.Datastore.Tests.Values;

namespace Weft.Datastore.Tests.Etcd;

public sealed class EtcdWatchTests
{
    public static TheoryData<ServerKind> Servers => [.. Enum.GetValues<ServerKind>()];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(Servers))]
    public async Task Changes_ArriveInOrder_WithKeysValuesAndRevisions(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        Revision start = (await store.ListAsync(Sets, Stop)).Revision;
        WriteResult one = await store.CreateAsync(Key("a"), Set("a", "10.1.0.0/16"), Stop);
        WriteResult two = await store.UpdateAsync(Key("a"), Set("a", "10.2.0.0/16"), one.Revision, Stop);
        await store.CreateAsync(Handle("elsewhere"), HandleOf(1), Stop);
        await server.ControlAsync("put", Key("bad").Path, "[]");
        WriteResult three = await store.DeleteAsync(Key("a"), null, Stop);

        List<ModelUpdate> seen = await CollectAsync(store.WatchAsync(Sets, start, Stop), u => u.Count == 4);

        Assert.Equal([Key("a"), Key("a"), Key("bad"), Key("a")], seen.Select(u => u.Key));
        Assert.Equal(["10.1.0.0/16", "10.2.0.0/16"], seen.Take(2).Select(u => NetOf(u.Value)));
        Assert.True(seen[2] is { Value: null, Problem.Length: > 0 });
        Assert.True(seen[3] is { Value: null, Problem: null });
        Assert.Equal([one.Revision.Value, two.Revision.Value, three.Revision.Value], [seen[0].Revision, seen[1].Revision, seen[3].Revision]);
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task KilledServer_LosesAndRepeatsNothing(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        Revision start = (await store.ListAsync(Sets, Stop)).Revision;
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        List<(string Name, long Revision)> written = [];

        // Each range has its own order: the last of one may arrive before those of the other.
        Task<List<ModelUpdate>> watching = CollectAsync(
            store.WatchAsync([Sets, Handles], start, end.Token), u => u.Count(x => x.Key.Path.EndsWith("/last", StringComparison.Ordinal)) == 2);
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < 50; i++)
            {
                int number = (round * 50) + i;
                written.Add((Key(number).Path, (await store.CreateAsync(Key(number), Set(number), Stop)).Revision.Value));
                written.Add((Handle($"h{number}").Path, (await store.CreateAsync(Handle($"h{number}"), HandleOf(1), Stop)).Revision.Value));
            }

            await server.KillAsync();
            await server.StartAgainAsync();
        }

        written.Add((Key("last").Path, (await store.CreateAsync(Key("last"), Set("last"), Stop)).Revision.Value));
        written.Add((Handle("last").Path, (await store.CreateAsync(Handle("last"), HandleOf(1), Stop)).Revision.Value));
        List<ModelUpdate> seen = await watching;

        Assert.Equal(written.Where(w => Sets.Contains(w.Name)), seen.Where(u => Sets.Contains(u.Key.Path)).Select(u => (u.Key.Path, u.Revision)));
        Assert.Equal(written.Where(w => Handles.Contains(w.Name)), seen.Where(u => Handles.Contains(u.Key.Path)).Select(u => (u.Key.Path, u.Revision)));
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task CompactedRevision_EndsTheWatch(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        WriteResult first = await store.ApplyAsync(Key("a"), Set("a"), null, Stop);
        await store.ApplyAsync(Key("a"), Set("a"), null, Stop);
        await store.ApplyAsync(Key("a"), Set("a"), null, Stop);
        WriteResult last = await store.ApplyAsync(Key("a"), Set("a"), null, Stop);
        await server.CompactAsync(last.Revision);

        CompactedException gone = await Assert.ThrowsAsync<CompactedException>(async () => await CollectAsync(store.WatchAsync(Sets, first.Revision, Stop), _ => false));

        Assert.False(gone.HistoryChanged);
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task StoreMadeAnew_IsNoticed_ThoughItsRevisionHasPassedTheOldOne(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        await store.ApplyAsync(Key("a"), Set("a", "10.1.0.0/16"), null, Stop);
        WriteResult last = await store.ApplyAsync(Key("b"), Set("b", "10.1.0.0/16"), null, Stop);
        await using IAsyncEnumerator<WatchBatch> watch = store.WatchAsync(Sets, last.Revision, Stop).GetAsyncEnumerator(Stop);
        Task<bool> next = watch.MoveNextAsync().AsTask();
        await store.ApplyAsync(Key("c"), Set("c", "10.1.0.0/16"), null, Stop);
        await next;

        await server.KillAsync();
        server.Wipe();
        await server.StartAgainAsync();
        for (int i = 0; i < 10; i++)
        {
            await store.ApplyAsync(Key("c"), Set("c", $"10.{i + 2}.0.0/16"), null, Stop);
        }

        CompactedException changed = await Assert.ThrowsAsync<CompactedException>(async () =>
        {
            while (await watch.MoveNextAsync())
            {
                Assert.Empty(watch.Current.Updates);
            }
        });
        Assert.True(changed.HistoryChanged, changed.Message);
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task LargeCatchUp_ArrivesWhole(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        Revision start = (await store.ListAsync(Sets, Stop)).Revision;
        for (int i = 0; i < 12; i++)
        {
            var set = Set(i);
            set.Spec.Nets = [.. Enumerable.Range(0, 40000).Select(n => $"10.{i}.{n / 250}.{n % 250}/32")];
            await store.CreateAsync(Key(i), set, Stop);
        }

        // More than etcd puts into one answer: it comes in fragments.
        List<ModelUpdate> seen = await CollectAsync(store.WatchAsync(Sets, start, Stop), u => u.Count == 12);

        Assert.Equal(Enumerable.Range(0, 12).Select(i => (ModelKey)Key(i)), seen.Select(u => u.Key));
        Assert.All(seen, u => Assert.Equal(40000, ((Model.Resources.GlobalNetworkSet)u.Value!).Spec.Nets!.Count));
    }

    [Fact]
    public async Task FrozenServer_IsReportedWithinSeconds_AndResumedWithoutLoss()
    {
        await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
        await using EtcdDatastore store = server.Connect();
        Revision start = (await store.ListAsync(Sets, Stop)).Revision;
        await using IAsyncEnumerator<WatchBatch> watch = store.WatchAsync(Sets, start, Stop).GetAsyncEnumerator(Stop);
        Task<bool> next = watch.MoveNextAsync().AsTask();
        await store.CreateAsync(Key("a"), Set("a"), Stop);
        await next;

        await server.PauseAsync();
        long paused = TimeProvider.System.GetTimestamp();
        await watch.MoveNextAsync();
        TimeSpan noticed = TimeProvider.System.GetElapsedTime(paused);
        string? trouble = watch.Current.Trouble;
        await server.ResumeAsync();
        while (watch.Current.Trouble is not null)
        {
            await watch.MoveNextAsync();
        }

        next = watch.MoveNextAsync().AsTask();
        await store.CreateAsync(Key("b"), Set("b"), Stop);
        await next;

        Assert.NotNull(trouble);
        Assert.True(noticed < TimeSpan.FromSeconds(25), $"noticed after {noticed}");
        Assert.Equal(Key("b"), Assert.Single(watch.Current.Updates).Key);
    }

    private static async Task<List<ModelUpdate>> CollectAsync(IAsyncEnumerable<WatchBatch> watch, Func<List<ModelUpdate>, bool> enough)
    {
        List<ModelUpdate> seen = [];
        await foreach (WatchBatch batch in watch)
        {
            Assert.All(batch.Updates, u => Assert.True(batch.Updates.Count == 0 || u.Revision > 0));
            seen.AddRange(batch.Updates);
            if (enough(seen))
            {
                break;
            }
        }

        return seen;
    }
}
