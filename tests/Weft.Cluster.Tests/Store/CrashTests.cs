using System.Collections.Concurrent;
using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Mvccpb;
using Weft.Cluster.Tests.Store.Fixtures;

namespace Weft.Cluster.Tests.Store;

public class CrashTests
{
    private const int Rounds = 12;
    private const int Clients = 8;

    [Fact]
    public async Task KillAtAnyMoment_LosesNoAcknowledgedWrite_AndRevisionsOnlyGrow()
    {
        using Scratch scratch = new();
        int seed = Environment.TickCount;
        Random random = new(seed);
        string data = scratch.File("s.db");
        ConcurrentDictionary<string, (long Sent, long Acknowledged, long Revision)> keys = new();
        long newest = 0;

        for (int round = 0; round < Rounds; round++)
        {
            await using (StoreProcess store = await StoreProcess.StartAsync(data))
            {
                newest = await CheckAsync(store, keys, newest, $"seed {seed}, round {round}");
                using CancellationTokenSource stop = new();
                Task[] writers = [.. Enumerable.Range(0, Clients).Select(c => WriteAsync(store, c, keys, stop.Token))];
                Task<long> seen = WatchAsync(store, newest + 1, stop.Token);

                await Task.Delay(random.Next(30, 700));
                await store.KillAsync();

                await stop.CancelAsync();
                await Task.WhenAll(writers);
                long watched = await seen;
                newest = Math.Max(newest, Math.Max(watched, keys.IsEmpty ? 0 : keys.Values.Max(k => k.Revision)));
            }
        }

        await using StoreProcess last = await StoreProcess.StartAsync(data);
        await CheckAsync(last, keys, newest, $"seed {seed}, at the end");
        Assert.True(keys.Values.Sum(k => k.Acknowledged) > 100, "hardly anything was written");
    }

    /// <summary>Each key belongs to one client and counts up, so its value says which writes are in.</summary>
    private static async Task WriteAsync(StoreProcess store, int client, ConcurrentDictionary<string, (long Sent, long Acknowledged, long Revision)> keys, CancellationToken stop)
    {
        KV.KVClient kv = new(store.Channel);
        for (int i = 0; !stop.IsCancellationRequested; i = (i + 1) % 5)
        {
            string key = $"c/{client}/{i}";
            (long sent, long acknowledged, long revision) = keys.GetValueOrDefault(key);
            keys[key] = (++sent, acknowledged, revision);
            PutRequest put = new() { Key = Api.Bytes(key), Value = Api.Bytes(sent.ToString()) };
            try
            {
                if (i == 4)
                {
                    TxnRequest txn = new() { Success = { new RequestOp { RequestPut = put }, new RequestOp { RequestPut = new PutRequest { Key = Api.Bytes(key + "/twin"), Value = put.Value } } } };
                    revision = (await kv.TxnAsync(txn, cancellationToken: stop)).Header.Revision;
                }
                else
                {
                    revision = (await kv.PutAsync(put, cancellationToken: stop)).Header.Revision;
                }

                keys[key] = (sent, sent, revision);
            }
            catch (RpcException)
            {
                return; // Killed: this one may be in or not.
            }
        }
    }

    /// <summary>The newest revision a watch has shown: what was shown must be there after the crash.</summary>
    private static async Task<long> WatchAsync(StoreProcess store, long start, CancellationToken stop)
    {
        long newest = start - 1;
        try
        {
            using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = new Watch.WatchClient(store.Channel).Watch(cancellationToken: stop);
            await watch.RequestStream.WriteAsync(Api.WatchPrefix("c/", start), stop);
            while (await watch.ResponseStream.MoveNext(stop))
            {
                foreach (Event e in watch.ResponseStream.Current.Events)
                {
                    Assert.InRange(e.Kv.ModRevision, newest, newest + 1); // no gap
                    newest = e.Kv.ModRevision;
                }
            }
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException)
        {
            // Killed.
        }

        return newest;
    }

    private static async Task<long> CheckAsync(StoreProcess store, ConcurrentDictionary<string, (long Sent, long Acknowledged, long Revision)> keys, long newest, string where)
    {
        RangeResponse all = await new KV.KVClient(store.Channel).RangeAsync(new RangeRequest { Key = ByteString.CopyFrom(0), RangeEnd = ByteString.CopyFrom(0) });
        Assert.True(all.Header.Revision >= newest, $"{where}: revision {all.Header.Revision}, but {newest} was seen before");
        Dictionary<string, KeyValue> found = all.Kvs.ToDictionary(kv => kv.Key.ToStringUtf8());
        foreach ((string key, (long sent, long acknowledged, _)) in keys)
        {
            long value = found.TryGetValue(key, out KeyValue? kv) ? long.Parse(kv.Value.ToStringUtf8()) : 0;
            Assert.True(value >= acknowledged && value <= sent, $"{where}: {key} is {value}; acknowledged {acknowledged}, sent {sent}");
            if (found.TryGetValue(key + "/twin", out KeyValue? twin))
            {
                Assert.True(twin.Value.Equals(kv!.Value) && twin.ModRevision == kv.ModRevision, $"{where}: half of the transaction on {key}");
            }

            keys[key] = (Math.Max(value, sent), value, kv?.ModRevision ?? 0);
        }

        return all.Header.Revision;
    }
}
