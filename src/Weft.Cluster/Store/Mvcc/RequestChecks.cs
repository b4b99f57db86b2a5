using Etcdserverpb;
using Google.Protobuf;
using Weft.Cluster.Store.Transport;

namespace Weft.Cluster.Store.Mvcc;

/// <summary>What can be said against a request without looking at the keys: checked before it is queued.</summary>
internal static class RequestChecks
{
    /// <summary>--max-txn-ops of etcd. It bounds compares and each branch, and a nested transaction counts against its parent's rest.</summary>
    private const int MaxTxnOps = 128;

    public static void Check(RangeRequest request) => Require(request.Key.Length > 0, EtcdErrors.EmptyKey);

    public static void Check(DeleteRangeRequest request) => Require(request.Key.Length > 0, EtcdErrors.EmptyKey);

    public static void Check(PutRequest request)
    {
        Require(request.Key.Length > 0, EtcdErrors.EmptyKey);
        Require(!request.IgnoreValue || request.Value.Length == 0, EtcdErrors.ValueProvided);
        Require(!request.IgnoreLease || request.Lease == 0, EtcdErrors.LeaseProvided);
    }

    public static void Check(TxnRequest request)
    {
        Check(request, MaxTxnOps);

        // No key may be written twice, whichever branch is taken; nested branches exclude each other.
        CheckOverlaps(request.Success);
        CheckOverlaps(request.Failure);
    }

    /// <summary>True when no branch can change anything.</summary>
    public static bool IsReadOnly(TxnRequest request) => request.Success.Concat(request.Failure).All(op => op.RequestCase switch
    {
        RequestOp.RequestOneofCase.RequestRange => true,
        RequestOp.RequestOneofCase.RequestTxn => IsReadOnly(op.RequestTxn),
        _ => false,
    });

    /// <summary>True when some branch may take space; such a transaction is refused when there is none left.</summary>
    public static bool HasPut(TxnRequest request) => request.Success.Concat(request.Failure).Any(op => op.RequestCase switch
    {
        RequestOp.RequestOneofCase.RequestPut => true,
        RequestOp.RequestOneofCase.RequestTxn => HasPut(op.RequestTxn),
        _ => false,
    });

    private static void Check(TxnRequest request, int allowed)
    {
        int operations = Math.Max(request.Compare.Count, Math.Max(request.Success.Count, request.Failure.Count));
        Require(operations <= allowed, EtcdErrors.TooManyOps);
        foreach (Compare compare in request.Compare)
        {
            Require(compare.Key.Length > 0, EtcdErrors.EmptyKey);
        }

        foreach (RequestOp op in request.Success.Concat(request.Failure))
        {
            switch (op.RequestCase)
            {
                case RequestOp.RequestOneofCase.RequestRange: Check(op.RequestRange); break;
                case RequestOp.RequestOneofCase.RequestPut: Check(op.RequestPut); break;
                case RequestOp.RequestOneofCase.RequestDeleteRange: Check(op.RequestDeleteRange); break;
                case RequestOp.RequestOneofCase.RequestTxn: Check(op.RequestTxn, allowed - operations); break;
                default: throw new GrpcException(EtcdErrors.KeyNotFound); // etcd's answer to an operation without content
            }
        }
    }

    private static (HashSet<ByteString> Puts, List<KeyRange> Deletes) CheckOverlaps(IEnumerable<RequestOp> operations)
    {
        HashSet<ByteString> puts = [];
        // etcd takes the end "\0" literally here, so a deletion "from this key on" overlaps nothing; what it accepts must be accepted.
        List<KeyRange> deletes = [.. operations
            .Where(op => op.RequestCase == RequestOp.RequestOneofCase.RequestDeleteRange && !op.RequestDeleteRange.RangeEnd.Span.SequenceEqual("\0"u8))
            .Select(op => KeyRange.Of(op.RequestDeleteRange.Key, op.RequestDeleteRange.RangeEnd))];
        foreach (RequestOp op in operations)
        {
            if (op.RequestCase == RequestOp.RequestOneofCase.RequestTxn)
            {
                (HashSet<ByteString> thenPuts, List<KeyRange> thenDeletes) = CheckOverlaps(op.RequestTxn.Success);
                (HashSet<ByteString> elsePuts, List<KeyRange> elseDeletes) = CheckOverlaps(op.RequestTxn.Failure);
                elsePuts.ExceptWith(thenPuts);
                foreach (ByteString key in thenPuts.Concat(elsePuts))
                {
                    Claim(key);
                }

                deletes.AddRange(thenDeletes);
                deletes.AddRange(elseDeletes);
            }
        }

        foreach (RequestOp op in operations)
        {
            if (op.RequestCase == RequestOp.RequestOneofCase.RequestPut)
            {
                Claim(op.RequestPut.Key);
            }
        }

        return (puts, deletes);

        void Claim(ByteString key) => Require(puts.Add(key) && !deletes.Exists(d => d.Contains(key)), EtcdErrors.DuplicateKey);
    }

    private static void Require(bool condition, GrpcError error)
    {
        if (!condition)
        {
            throw new GrpcException(error);
        }
    }
}
