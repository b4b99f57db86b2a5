using System.Collections.Immutable;
using Google.Protobuf;
using Mvccpb;

namespace Weft.Cluster.Store.Mvcc;

/// <summary>
/// Everything a reader may see, as of one committed batch: immutable, swapped whole by the write loop. A state is published only when the file holds
/// it, so nobody ever reads what a crash could take back.
/// </summary>
/// <param name="Keys">Live keys.</param>
/// <param name="Revision">The newest revision; 1 in an empty store, as in etcd.</param>
/// <param name="CompactRevision">History before this revision is gone; 0 when nothing was compacted.</param>
/// <param name="Leases">Granted leases by id.</param>
internal sealed record StoreState(KeyTree Keys, long Revision, long CompactRevision, ImmutableDictionary<long, Lease> Leases) : IKeyView
{
    public static readonly StoreState Empty = new(KeyTree.Empty, 1, 0, ImmutableDictionary<long, Lease>.Empty);

    public KeyValue? Find(ByteString key) => Keys.Find(key);

    public long CountOf(in KeyRange range) => Keys.CountOf(range);

    public void Collect(in KeyRange range, long limit, List<KeyValue> into) => Keys.Collect(range, limit, into);

    public Lease? FindLease(long id) => Leases.GetValueOrDefault(id);
}
