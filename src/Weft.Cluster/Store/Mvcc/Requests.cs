using Etcdserverpb;
using Google.Protobuf;
using Mvccpb;
using Weft.Cluster.Store.Transport;
using CompareResult = Etcdserverpb.Compare.Types.CompareResult;
using CompareTarget = Etcdserverpb.Compare.Types.CompareTarget;

namespace Weft.Cluster.Store.Mvcc;

/// <summary>
/// Applies put, deleteRange and txn to the state being prepared. Everything that can fail is checked before the first change, so a refused request
/// leaves no trace. Read-only transactions run on a published state by the same code.
/// </summary>
internal static class Requests
{
    public static PutResponse Put(PutRequest request, StoreEditor store)
    {
        CheckLease(request, store); // before the key here, after it in a transaction: etcd's order
        CheckExists(request, store);
        store.BeginRequest();
        return ApplyPut(request, store);
    }

    public static DeleteRangeResponse Delete(DeleteRangeRequest request, StoreEditor store)
    {
        store.BeginRequest();
        return ApplyDelete(request, store);
    }

    /// <param name="request">Checked by <see cref="RequestChecks"/>.</param>
    /// <param name="view">What is compared and read.</param>
    /// <param name="store">What is changed; null when the transaction is read-only.</param>
    /// <param name="history">For ranges at an older revision.</param>
    public static TxnResponse Txn(TxnRequest request, IKeyView view, StoreEditor? store, IHistory history)
    {
        // All compares, nested ones too, look at the state before the transaction.
        Plan plan = Choose(request, view);
        CheckPuts(plan, view); // first all puts, then all ranges: etcd's order, seen where several are wrong
        CheckRanges(plan, view);
        store?.BeginRequest();
        TxnResponse response = Apply(plan, view, store, history);
        response.Header.Revision = view.Revision; // etcd leaves the header of a nested transaction empty
        return response;
    }

    private static Plan Choose(TxnRequest request, IKeyView view)
    {
        bool succeeded = request.Compare.All(c => Holds(c, view));
        IReadOnlyList<RequestOp> operations = succeeded ? request.Success : request.Failure;
        return new Plan(succeeded, operations, [.. operations.Select(op => op.RequestCase == RequestOp.RequestOneofCase.RequestTxn ? Choose(op.RequestTxn, view) : null)]);
    }

    private static bool Holds(Compare compare, IKeyView view)
    {
        List<KeyValue> pairs = [];
        view.Collect(KeyRange.Of(compare.Key, compare.RangeEnd), 0, pairs);
        if (pairs.Count == 0)
        {
            // An absent key has version, revisions and lease 0, but no value: not even the empty one.
            return compare.Target != CompareTarget.Value && Holds(compare, new KeyValue());
        }

        return pairs.TrueForAll(kv => Holds(compare, kv));
    }

    private static bool Holds(Compare compare, KeyValue kv)
    {
        int order = compare.Target switch
        {
            CompareTarget.Version => kv.Version.CompareTo(compare.Version),
            CompareTarget.Create => kv.CreateRevision.CompareTo(compare.CreateRevision),
            CompareTarget.Mod => kv.ModRevision.CompareTo(compare.ModRevision),
            CompareTarget.Value => KeyRange.Compare(kv.Value, compare.Value),
            CompareTarget.Lease => kv.Lease.CompareTo(compare.Lease),
            _ => 0,
        };
        return compare.Result switch
        {
            CompareResult.Equal => order == 0,
            CompareResult.NotEqual => order != 0,
            CompareResult.Greater => order > 0,
            CompareResult.Less => order < 0,
            _ => true,
        };
    }

    private static void CheckPuts(Plan plan, IKeyView view)
    {
        for (int i = 0; i < plan.Operations.Count; i++)
        {
            if (plan.Nested[i] is { } nested)
            {
                CheckPuts(nested, view);
            }
            else if (plan.Operations[i].RequestPut is { } put)
            {
                CheckExists(put, view);
                CheckLease(put, view);
            }
        }
    }

    private static void CheckRanges(Plan plan, IKeyView view)
    {
        for (int i = 0; i < plan.Operations.Count; i++)
        {
            if (plan.Nested[i] is { } nested)
            {
                CheckRanges(nested, view);
            }
            else if (plan.Operations[i].RequestRange is { } range)
            {
                RangeQuery.CheckRevision(range, view);
            }
        }
    }

    private static void CheckExists(PutRequest request, IKeyView view)
    {
        if ((request.IgnoreValue || request.IgnoreLease) && view.Find(request.Key) is null)
        {
            throw new GrpcException(EtcdErrors.KeyNotFound);
        }
    }

    private static void CheckLease(PutRequest request, IKeyView view)
    {
        if (request.Lease != 0 && view.FindLease(request.Lease) is null)
        {
            throw new GrpcException(EtcdErrors.LeaseNotFound);
        }
    }

    private static TxnResponse Apply(Plan plan, IKeyView view, StoreEditor? store, IHistory history)
    {
        TxnResponse response = new() { Header = new ResponseHeader(), Succeeded = plan.Succeeded };
        for (int i = 0; i < plan.Operations.Count; i++)
        {
            RequestOp op = plan.Operations[i];
            response.Responses.Add(op.RequestCase switch
            {
                RequestOp.RequestOneofCase.RequestRange => new ResponseOp { ResponseRange = RangeQuery.Run(op.RequestRange, view, history) },
                RequestOp.RequestOneofCase.RequestPut => new ResponseOp { ResponsePut = ApplyPut(op.RequestPut, store!) },
                RequestOp.RequestOneofCase.RequestDeleteRange => new ResponseOp { ResponseDeleteRange = ApplyDelete(op.RequestDeleteRange, store!) },
                _ => new ResponseOp { ResponseTxn = Apply(plan.Nested[i]!, view, store, history) },
            });
        }

        return response;
    }

    private static PutResponse ApplyPut(PutRequest request, StoreEditor store)
    {
        KeyValue? previous = store.Find(request.Key);
        ByteString value = request.IgnoreValue ? previous!.Value : request.Value;
        store.Put(request.Key, value, request.IgnoreLease ? previous!.Lease : request.Lease);
        return new PutResponse { Header = new ResponseHeader { Revision = store.Revision }, PrevKv = request.PrevKv ? previous : null };
    }

    private static DeleteRangeResponse ApplyDelete(DeleteRangeRequest request, StoreEditor store)
    {
        List<KeyValue> pairs = [];
        store.Collect(KeyRange.Of(request.Key, request.RangeEnd), 0, pairs);
        foreach (KeyValue kv in pairs)
        {
            store.Delete(kv);
        }

        DeleteRangeResponse response = new() { Header = new ResponseHeader { Revision = store.Revision }, Deleted = pairs.Count };
        if (request.PrevKv)
        {
            response.PrevKvs.AddRange(pairs);
        }

        return response;
    }

    /// <summary>A transaction with its branches chosen; <paramref name="Nested"/> runs beside <paramref name="Operations"/>.</summary>
    private sealed record Plan(bool Succeeded, IReadOnlyList<RequestOp> Operations, Plan?[] Nested);
}
