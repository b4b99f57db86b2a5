using Weft.Datastore.Etcd;
using Weft.Testing.Datastore;
using static Weft.Datastore.Tests.Values;

namespace Weft.Datastore.Tests.Etcd;

public sealed class EtcdTransactionTests
{
    public static TheoryData<ServerKind> Servers => [.. Enum.GetValues<ServerKind>()];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(Servers))]
    public async Task Transaction_WritesAllOrNothing_AndNamesTheKeysInTheWay(ServerKind kind)
    {
        await using TestServer server = await TestServer.StartAsync(kind);
        await using EtcdDatastore store = server.Connect();
        WriteResult a = await store.CreateAsync(Key("a"), Set("a"), Stop);
        WriteResult b = await store.CreateAsync(Key("b"), Set("b"), Stop);
        StoreWrite[] writes = [new(Key("a"), Set("a", "10.9.0.0/16")), new(Key("b"), null), new(Handle("h"), HandleOf(1))];

        TransactionResult first = await store.TransactAsync(
            new StoreTransaction([StoreCondition.Unchanged(Key("a"), a.Revision), StoreCondition.Absent(Handle("h")), StoreCondition.NothingNewer(Sets, b.Revision)], writes), Stop);
        TransactionResult stale = await store.TransactAsync(
            new StoreTransaction([StoreCondition.Unchanged(Key("a"), a.Revision), StoreCondition.Absent(Handle("h")), StoreCondition.Absent(Key("b"))], writes), Stop);
        TransactionResult newer = await store.TransactAsync(
            new StoreTransaction([StoreCondition.Unchanged(Handle("h"), first.Revision), StoreCondition.NothingNewer(Sets, b.Revision)], writes), Stop);

        Assert.True(first.IsWritten);
        Assert.Equal("10.9.0.0/16", NetOf((await store.GetAsync(Key("a"), Stop))!.Value));
        Assert.Null(await store.GetAsync(Key("b"), Stop));
        Assert.Equal(first.Revision, (await store.GetAsync(Handle("h"), Stop))!.Revision);
        Assert.False(stale.IsWritten);
        Assert.Equal([Key("a"), Handle("h")], stale.Broken);
        Assert.False(newer.IsWritten);
        Assert.Empty(newer.Broken);
    }
}
