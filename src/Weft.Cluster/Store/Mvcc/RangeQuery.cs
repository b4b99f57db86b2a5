using Etcdserverpb;
using Mvccpb;
using Weft.Cluster.Store.Transport;
using SortOrder = Etcdserverpb.RangeRequest.Types.SortOrder;
using SortTarget = Etcdserverpb.RangeRequest.Types.SortTarget;

namespace Weft.Cluster.Store.Mvcc;

/// <summary>Answers one RangeRequest from the newest keys or, for an older revision, from history.</summary>
internal static class RangeQuery
{
    public static RangeResponse Run(RangeRequest request, IKeyView view, IHistory history)
    {
        CheckRevision(request, view);
        KeyRange range = KeyRange.Of(request.Key, request.RangeEnd);
        bool past = request.Revision > 0 && request.Revision != view.Revision;
        RangeResponse response = new() { Header = new ResponseHeader { Revision = view.Revision } };
        if (request.CountOnly)
        {
            response.Count = past ? history.CountAt(range, request.Revision) : view.CountOf(range);
            return response;
        }

        // One more than asked for tells whether there is more; sorting and filtering need every pair first.
        bool inOrder = !IsSorted(request) && !IsFiltered(request);
        long fetch = inOrder && request.Limit > 0 ? request.Limit + 1 : 0;
        List<KeyValue> pairs = [];
        if (past)
        {
            pairs = history.RangeAt(range, request.Revision, fetch);
        }
        else
        {
            view.Collect(range, fetch, pairs);
        }

        response.Count = fetch == 0 || pairs.Count < fetch ? pairs.Count : past ? history.CountAt(range, request.Revision) : view.CountOf(range);
        if (!inOrder)
        {
            pairs.RemoveAll(kv => IsPruned(kv, request));
            Sort(pairs, request);
        }

        if (request.Limit > 0 && pairs.Count > request.Limit)
        {
            response.More = true;
            pairs.RemoveRange((int)request.Limit, pairs.Count - (int)request.Limit);
        }

        response.Kvs.Capacity = pairs.Count;
        foreach (KeyValue kv in pairs)
        {
            response.Kvs.Add(request.KeysOnly ? WithoutValue(kv) : kv);
        }

        return response;
    }

    /// <summary>Refuses a revision that is not there yet or no more.</summary>
    public static void CheckRevision(RangeRequest request, IKeyView view)
    {
        if (request.Revision > view.Revision)
        {
            throw new GrpcException(EtcdErrors.FutureRevision);
        }

        if (request.Revision > 0 && request.Revision < view.CompactRevision)
        {
            throw new GrpcException(EtcdErrors.Compacted);
        }
    }

    private static bool IsFiltered(RangeRequest request) =>
        (request.MinModRevision | request.MaxModRevision | request.MinCreateRevision | request.MaxCreateRevision) != 0;

    private static bool IsPruned(KeyValue kv, RangeRequest request) =>
        (request.MaxModRevision != 0 && kv.ModRevision > request.MaxModRevision)
        || (request.MinModRevision != 0 && kv.ModRevision < request.MinModRevision)
        || (request.MaxCreateRevision != 0 && kv.CreateRevision > request.MaxCreateRevision)
        || (request.MinCreateRevision != 0 && kv.CreateRevision < request.MinCreateRevision);

    /// <summary>Key order, ascending, is how the pairs lie anyway. A target other than the key means ascending unless said otherwise.</summary>
    private static bool IsSorted(RangeRequest request) => request.SortOrder == SortOrder.Descend || request.SortTarget != SortTarget.Key;

    private static void Sort(List<KeyValue> pairs, RangeRequest request)
    {
        if (!IsSorted(request))
        {
            return;
        }

        Comparison<KeyValue> order = request.SortTarget switch
        {
            SortTarget.Version => (a, b) => a.Version.CompareTo(b.Version),
            SortTarget.Create => (a, b) => a.CreateRevision.CompareTo(b.CreateRevision),
            SortTarget.Mod => (a, b) => a.ModRevision.CompareTo(b.ModRevision),
            SortTarget.Value => (a, b) => KeyRange.Compare(a.Value, b.Value),
            _ => (a, b) => KeyRange.Compare(a.Key, b.Key),
        };
        bool down = request.SortOrder == SortOrder.Descend;
        pairs.Sort((a, b) =>
        {
            int result = down ? order(b, a) : order(a, b);
            return result != 0 ? result : KeyRange.Compare(a.Key, b.Key);
        });
    }

    private static KeyValue WithoutValue(KeyValue kv) => new()
    {
        Key = kv.Key, CreateRevision = kv.CreateRevision, ModRevision = kv.ModRevision, Version = kv.Version, Lease = kv.Lease,
    };
}
