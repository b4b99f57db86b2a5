using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace Weft.Cluster.Tests.Store.Fixtures;

/// <summary>Short forms of the generated clients.</summary>
internal static class Api
{
    public static ByteString Bytes(string text) => ByteString.CopyFromUtf8(text);

    public static KV.KVClient Kv(this RunningStore store) => new(store.Channel);

    public static async Task<long> PutAsync(this GrpcChannel channel, string key, string value, long lease = 0) =>
        (await new KV.KVClient(channel).PutAsync(new PutRequest { Key = Bytes(key), Value = Bytes(value), Lease = lease })).Header.Revision;

    public static async Task<RangeResponse> PrefixAsync(this GrpcChannel channel, string prefix, long revision = 0) =>
        await new KV.KVClient(channel).RangeAsync(new RangeRequest { Key = Bytes(prefix), RangeEnd = AfterPrefix(prefix), Revision = revision });

    public static ByteString AfterPrefix(string prefix) => Bytes(prefix[..^1] + (char)(prefix[^1] + 1));

    public static WatchRequest WatchPrefix(string prefix, long start = 0, bool previous = false) => new()
    {
        CreateRequest = new WatchCreateRequest { Key = Bytes(prefix), RangeEnd = AfterPrefix(prefix), StartRevision = start, PrevKv = previous },
    };

    public static async Task<WatchResponse> NextAsync(this AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch)
    {
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(20)), "the watch stream ended");
        return watch.ResponseStream.Current;
    }
}
