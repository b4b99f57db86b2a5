using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Mvccpb;
using Weft.Cluster.Tests.Store.Fixtures;
using CompareResult = Etcdserverpb.Compare.Types.CompareResult;
using CompareTarget = Etcdserverpb.Compare.Types.CompareTarget;
using SortOrder = Etcdserverpb.RangeRequest.Types.SortOrder;
using SortTarget = Etcdserverpb.RangeRequest.Types.SortTarget;

namespace Weft.Cluster.Tests.Store;

/// <summary>The same random requests to the store and to Debian's etcd must get the same answers: responses, revisions, status codes and texts.</summary>
public class DifferentialTests
{
    private static readonly long[] LeaseIds = [101, 102, 103];

    [Fact]
    public async Task RandomRequests_GetTheAnswersOfEtcd()
    {
        using Scratch scratch = new();
        await using RunningStore store = await RunningStore.StartAsync(scratch.File("s.db"));
        await using RealEtcd etcd = await RealEtcd.StartAsync();
        int seed = Environment.TickCount;
        Random random = new(seed);
        long revision = 1;

        for (int i = 0; i < 3000; i++)
        {
            IMessage request = Next(random, revision);
            (string ours, long after) = await AskAsync(store.Channel, request);
            (string theirs, _) = await AskAsync(etcd.Channel, request);
            Assert.True(ours == theirs, $"seed {seed}, request {i}: {request.GetType().Name} {request}\nours:   {ours}\ntheirs: {theirs}");
            revision = Math.Max(revision, after);
        }

        string oursHistory = await ReplayAsync(store.Channel, revision);
        string theirsHistory = await ReplayAsync(etcd.Channel, revision);
        Assert.Equal(theirsHistory, oursHistory);
    }

    private static IMessage Next(Random random, long revision) => random.Next(100) switch
    {
        < 25 => Put(random),
        < 55 => Range(random, revision),
        < 67 => Delete(random),
        < 92 => Txn(random, revision, depth: 0),
        < 95 => new LeaseGrantRequest { ID = LeaseIds[random.Next(LeaseIds.Length)], TTL = 5000 + random.Next(10) },
        < 97 => new LeaseRevokeRequest { ID = LeaseIds[random.Next(LeaseIds.Length)] },
        < 98 => new LeaseTimeToLiveRequest { ID = LeaseIds[random.Next(LeaseIds.Length)], Keys = false },
        < 99 => new LeaseLeasesRequest(),
        _ => new CompactionRequest { Revision = Math.Max(1, revision - random.Next(-2, 300)), Physical = true },
    };

    private static ByteString Key(Random random) => random.Next(40) == 0 ? ByteString.Empty : ByteString.CopyFromUtf8("k" + (char)('a' + random.Next(12)));

    private static ByteString End(Random random) => random.Next(10) switch
    {
        < 4 => ByteString.Empty,
        < 6 => ByteString.CopyFrom(0),
        _ => ByteString.CopyFromUtf8("k" + (char)('a' + random.Next(14))),
    };

    private static long Lease(Random random) => random.Next(4) == 0 ? LeaseIds[random.Next(LeaseIds.Length)] : 0;

    private static PutRequest Put(Random random)
    {
        bool ignoreValue = random.Next(10) == 0;
        bool ignoreLease = random.Next(10) == 0;
        return new PutRequest
        {
            Key = Key(random),
            Value = ignoreValue && random.Next(4) != 0 ? ByteString.Empty : ByteString.CopyFromUtf8(random.Next(20).ToString()),
            Lease = ignoreLease && random.Next(4) != 0 ? 0 : Lease(random),
            PrevKv = random.Next(2) == 0,
            IgnoreValue = ignoreValue,
            IgnoreLease = ignoreLease,
        };
    }

    private static DeleteRangeRequest Delete(Random random) => new() { Key = Key(random), RangeEnd = random.Next(3) == 0 ? End(random) : ByteString.Empty, PrevKv = random.Next(2) == 0 };

    /// <summary>etcd lets a transaction put a key and delete it by "from this key on"; the history of that is better not compared.</summary>
    private static DeleteRangeRequest Bounded(DeleteRangeRequest request)
    {
        request.RangeEnd = request.RangeEnd.Span.SequenceEqual("\0"u8) ? ByteString.CopyFromUtf8("kf") : request.RangeEnd;
        return request;
    }

    private static RangeRequest Range(Random random, long revision)
    {
        RangeRequest request = new()
        {
            Key = Key(random),
            RangeEnd = End(random),
            Limit = random.Next(3) == 0 ? random.Next(6) : 0,
            Revision = random.Next(3) == 0 ? Math.Max(0, revision - random.Next(-3, 200)) : 0,
            KeysOnly = random.Next(8) == 0,
            CountOnly = random.Next(8) == 0,
        };
        if (random.Next(3) == 0)
        {
            // Ties are broken arbitrarily by etcd; these targets have none.
            (request.SortOrder, request.SortTarget) = ((SortOrder)random.Next(3), random.Next(2) == 0 ? SortTarget.Key : SortTarget.Mod);
        }

        if (random.Next(5) == 0)
        {
            long around = Math.Max(1, revision - random.Next(100));
            switch (random.Next(4))
            {
                case 0: request.MinModRevision = around; break;
                case 1: request.MaxModRevision = around; break;
                case 2: request.MinCreateRevision = around; break;
                default: request.MaxCreateRevision = around; break;
            }
        }

        // Keys written by one transaction share their mod revision: order by it only where that cannot matter.
        if (request.SortTarget == SortTarget.Mod && request.RangeEnd.Length > 0)
        {
            request.SortTarget = SortTarget.Key;
        }

        return request;
    }

    private static Compare Compare(Random random, long revision)
    {
        Compare compare = new() { Key = Key(random), RangeEnd = random.Next(4) == 0 ? End(random) : ByteString.Empty, Result = (CompareResult)random.Next(4), Target = (CompareTarget)random.Next(5) };
        switch (compare.Target)
        {
            case CompareTarget.Version: compare.Version = random.Next(4); break;
            case CompareTarget.Create: compare.CreateRevision = random.Next(2) == 0 ? 0 : revision - random.Next(50); break;
            case CompareTarget.Mod: compare.ModRevision = random.Next(2) == 0 ? 0 : revision - random.Next(50); break;
            case CompareTarget.Value: compare.Value = ByteString.CopyFromUtf8(random.Next(20).ToString()); break;
            default: compare.Lease = Lease(random); break;
        }

        return compare;
    }

    private static TxnRequest Txn(Random random, long revision, int depth)
    {
        TxnRequest request = new();
        request.Compare.AddRange(Enumerable.Range(0, random.Next(3)).Select(_ => Compare(random, revision)));
        request.Success.AddRange(Enumerable.Range(0, random.Next(4)).Select(_ => Op(random, revision, depth)));
        request.Failure.AddRange(Enumerable.Range(0, random.Next(3)).Select(_ => Op(random, revision, depth)));
        return request;
    }

    private static RequestOp Op(Random random, long revision, int depth) => random.Next(depth < 2 ? 10 : 8) switch
    {
        < 4 => new RequestOp { RequestPut = Put(random) },
        < 6 => new RequestOp { RequestRange = Range(random, revision) },
        < 8 => random.Next(20) == 0 ? new RequestOp() : new RequestOp { RequestDeleteRange = Bounded(Delete(random)) },
        _ => new RequestOp { RequestTxn = Txn(random, revision, depth + 1) },
    };

    private static async Task<(string Answer, long Revision)> AskAsync(GrpcChannel channel, IMessage request)
    {
        try
        {
            return request switch
            {
                PutRequest r => Show(await new KV.KVClient(channel).PutAsync(r), a => a.Header),
                RangeRequest r => Show(await new KV.KVClient(channel).RangeAsync(r), a => a.Header),
                DeleteRangeRequest r => Show(await new KV.KVClient(channel).DeleteRangeAsync(r), a => a.Header),
                TxnRequest r => Show(await new KV.KVClient(channel).TxnAsync(r), a => a.Header),
                CompactionRequest r => Show(await new KV.KVClient(channel).CompactAsync(r), a => a.Header),
                LeaseGrantRequest r => Show(await new Lease.LeaseClient(channel).LeaseGrantAsync(r), a => a.Header),
                LeaseRevokeRequest r => Show(await new Lease.LeaseClient(channel).LeaseRevokeAsync(r), a => a.Header),
                LeaseTimeToLiveRequest r => Show(WithoutClock(await new Lease.LeaseClient(channel).LeaseTimeToLiveAsync(r)), a => a.Header),
                LeaseLeasesRequest r => Show(Sorted(await new Lease.LeaseClient(channel).LeaseLeasesAsync(r)), a => a.Header),
                _ => throw new ArgumentException(request.GetType().Name),
            };
        }
        catch (RpcException e)
        {
            return ($"{e.StatusCode} {e.Status.Detail}", 0);
        }
    }

    private static LeaseTimeToLiveResponse WithoutClock(LeaseTimeToLiveResponse response)
    {
        response.TTL = Math.Sign(response.TTL);
        return response;
    }

    private static LeaseLeasesResponse Sorted(LeaseLeasesResponse response)
    {
        List<LeaseStatus> leases = [.. response.Leases.OrderBy(l => l.ID)];
        response.Leases.Clear();
        response.Leases.AddRange(leases);
        return response;
    }

    private static (string, long) Show<T>(T answer, Func<T, ResponseHeader> header)
        where T : IMessage
    {
        (header(answer).ClusterId, header(answer).MemberId, header(answer).RaftTerm) = (0, 0, 0);
        return (answer.ToString()!, header(answer).Revision);
    }

    /// <summary>All events from the oldest revision that is left to the given one.</summary>
    private static async Task<string> ReplayAsync(GrpcChannel channel, long last)
    {
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = new Watch.WatchClient(channel).Watch();
        long start = 1;
        List<string> events = [];
        await CreateAsync();
        while (await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30)))
        {
            WatchResponse response = watch.ResponseStream.Current;
            if (response.CompactRevision != 0)
            {
                start = response.CompactRevision + 1; // etcd 3.4 forgets deletions at the compact revision itself
                await CreateAsync();
            }

            foreach (Event e in response.Events)
            {
                events.Add(e.ToString());
                if (e.Kv.ModRevision == last)
                {
                    // The last revision may have several events; they come in one response.
                    last = -1;
                }
            }

            if (last == -1)
            {
                return $"from {start}\n{string.Join('\n', events)}";
            }
        }

        return "the stream ended";

        Task CreateAsync() => watch.RequestStream.WriteAsync(new WatchRequest
        {
            CreateRequest = new WatchCreateRequest { Key = ByteString.CopyFrom(0), RangeEnd = ByteString.CopyFrom(0), StartRevision = start, PrevKv = true },
        });
    }
}
