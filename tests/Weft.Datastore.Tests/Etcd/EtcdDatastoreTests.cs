using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore.Etcd;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Testing.Datastore;
using static Weft.Datastore.Tests.Values;

namespace Weft.Datastore.Tests.Etcd;

public sealed class EtcdDatastoreTests
{
    public static TheoryData<ServerKind> Servers => [.. Enum.GetValues<ServerKind>()];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(Servers))]
    public async Task ConditionalWrites_FollowTheTableOfOutcomes(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();

        WriteResult created = await store.CreateAsync(Key("a"), Set("a", "10.1.0.0/16"), Stop);
        WriteResult again = await store.CreateAsync(Key("a"), Set("a", "10.2.0.0/16"), Stop);
        WriteResult updated = await store.UpdateAsync(Key("a"), Set("a", "10.3.0.0/16"), created.Revision, Stop);
        WriteResult stale = await store.UpdateAsync(Key("a"), Set("a", "10.4.0.0/16"), created.Revision, Stop);
        WriteResult absent = await store.UpdateAsync(Key("b"), Set("b"), created.Revision, Stop);
        WriteResult staleDelete = await store.DeleteAsync(Key("a"), created.Revision, Stop);
        KeyValue? before = await store.GetAsync(Key("a"), Stop);
        WriteResult deleted = await store.DeleteAsync(Key("a"), updated.Revision, Stop);
        WriteResult deletedAgain = await store.DeleteAsync(Key("a"), null, Stop);
        WriteResult deletedAgainAt = await store.DeleteAsync(Key("a"), updated.Revision, Stop);
        KeyValue? after = await store.GetAsync(Key("a"), Stop);

        Assert.Equal(WriteOutcome.Written, created.Outcome);
        Assert.Equal(WriteOutcome.AlreadyExists, again.Outcome);
        Assert.Equal("10.1.0.0/16", NetOf(again.Existing!.Value));
        Assert.Equal(created.Revision, again.Existing.Revision);
        Assert.True(updated.IsWritten && updated.Revision.Value > created.Revision.Value);
        Assert.Equal(WriteOutcome.Conflict, stale.Outcome);
        Assert.Equal("10.3.0.0/16", NetOf(stale.Existing!.Value));
        Assert.Equal(WriteOutcome.NotFound, absent.Outcome);
        Assert.Equal(WriteOutcome.Conflict, staleDelete.Outcome);
        Assert.Equal("10.3.0.0/16", NetOf(before!.Value));
        Assert.Equal(updated.Revision.ToString(), before.As<GlobalNetworkSet>().Metadata.ResourceVersion);
        Assert.Equal(WriteOutcome.Written, deleted.Outcome);
        Assert.Equal("10.3.0.0/16", NetOf(deleted.Existing!.Value));
        Assert.Equal(WriteOutcome.NotFound, deletedAgain.Outcome);
        Assert.Equal(WriteOutcome.NotFound, deletedAgainAt.Outcome);
        Assert.Null(after);
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task List_ReadsPagesAndRanges_AtOneRevision(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = EtcdDatastore.Connect(server.Settings, NullLoggerFactory.Instance, TimeProvider.System, pageSize: 3);
        for (int i = 0; i < 10; i++)
        {
            await store.ApplyAsync(Key(i), Set(i), null, Stop);
        }

        WriteResult last = await store.ApplyAsync(Handle("h"), HandleOf(2), null, Stop);
        await server.ControlAsync("put", Sets.Path + "x/y/z", "not a key weft knows");
        await server.ControlAsync("put", Key("bad").Path, "{");

        ListResult list = await store.ListAsync([Sets, Handles], Stop);
        ListResult exact = await store.ListAsync(ModelPrefix.Of(Key(1)), Stop);

        Assert.Equal([.. Enumerable.Range(0, 10).Select(i => (ModelKey)Key(i)), Handle("h")], list.Items.Select(i => i.Key));
        Assert.Equal(2, list.Items[10].As<IpamHandle>().Block["10.0.0.0/26"]);
        Assert.Equal(last.Revision.Value + 2, list.Revision.Value);
        Assert.Equal(Key("bad"), Assert.Single(list.Unreadable).Key);
        Assert.Equal(Key(1), Assert.Single(exact.Items).Key);
        DatastoreException unreadable = await Assert.ThrowsAsync<DatastoreException>(async () => await store.GetAsync(Key("bad"), Stop));
        Assert.Contains(Key("bad").Path, unreadable.Message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task TimeToLive_EndsWithItsKey(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();

        await store.ApplyAsync(Key("brief"), Set("brief"), TimeSpan.FromSeconds(1), Stop);
        await store.ApplyAsync(Key("lasting"), Set("lasting"), null, Stop);
        KeyValue? soon = await store.GetAsync(Key("brief"), Stop);

        Assert.NotNull(soon);
        await Until.TrueAsync(async () => await store.GetAsync(Key("brief"), Stop) is null, "the lease ends");
        Assert.NotNull(await store.GetAsync(Key("lasting"), Stop));
    }

    [Fact]
    public async Task DeadAndSilentEndpoints_AreLeftForTheNextOne()
    {
        await using TestServer dead = await TestServer.StartAsync(ServerKind.Etcd);
        await using TestServer silent = await TestServer.StartAsync(ServerKind.Etcd);
        await using TestServer alive = await TestServer.StartAsync(ServerKind.Etcd);
        await dead.KillAsync();
        await silent.PauseAsync();
        DatastoreSettings settings = alive.Settings with { Endpoints = [dead.Endpoint, silent.Endpoint, alive.Endpoint] };
        await using EtcdDatastore store = EtcdDatastore.Connect(settings, NullLoggerFactory.Instance, TimeProvider.System);

        // A write is asked once; what it teaches about the endpoint serves the next request.
        KeyValue? read = await store.GetAsync(Key("a"), Stop);
        WriteResult written = await store.CreateAsync(Key("a"), Set("a"), Stop);

        Assert.Null(read);
        Assert.True(written.IsWritten);
        await silent.ResumeAsync();
    }

    [Fact]
    public async Task WriteToADeadEndpoint_GoesToTheNext_SinceNothingWasSent()
    {
        await using TestServer dead = await TestServer.StartAsync(ServerKind.Etcd);
        await using TestServer alive = await TestServer.StartAsync(ServerKind.Etcd);
        await dead.KillAsync();
        await using EtcdDatastore store = EtcdDatastore.Connect(
            alive.Settings with { Endpoints = [dead.Endpoint, alive.Endpoint] }, NullLoggerFactory.Instance, TimeProvider.System);

        WriteResult written = await store.CreateAsync(Key("a"), Set("a"), Stop);

        Assert.True(written.IsWritten);
    }

    [Fact]
    public async Task NobodyServes_SaysWhatWasAskedWhereAndWhy()
    {
        TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
        await using TestServer end = server;
        await using EtcdDatastore store = EtcdDatastore.Connect(
            server.Settings with { RequestTimeout = TimeSpan.FromSeconds(1) }, NullLoggerFactory.Instance, TimeProvider.System);
        await server.PauseAsync();

        DatastoreException silent = await Assert.ThrowsAsync<DatastoreException>(async () => await store.GetAsync(Key("a"), Stop));
        await server.ResumeAsync();
        await server.KillAsync();
        DatastoreException refused = await Assert.ThrowsAsync<DatastoreException>(async () => await store.GetAsync(Key("a"), Stop));

        Assert.Contains($"get {Key("a")} at http://127.0.0.1:", silent.Message, StringComparison.Ordinal);
        Assert.Contains("no answer within 1 s", silent.Message, StringComparison.Ordinal);
        Assert.Contains("Connection refused", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CancelledRequest_IsCancelled_NotADatastoreFailure()
    {
        await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
        await using EtcdDatastore store = server.Connect();
        await server.PauseAsync();
        using CancellationTokenSource stop = new(TimeSpan.FromMilliseconds(100));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.GetAsync(Key("a"), stop.Token));

        await server.ResumeAsync();
    }
}
