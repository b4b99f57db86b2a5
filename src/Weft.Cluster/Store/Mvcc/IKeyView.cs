using Google.Protobuf;
using Mvccpb;

namespace Weft.Cluster.Store.Mvcc;

/// <summary>The newest keys as a request sees them: a published state, or the state the write loop is preparing.</summary>
internal interface IKeyView
{
    long Revision { get; }

    long CompactRevision { get; }

    KeyValue? Find(ByteString key);

    long CountOf(in KeyRange range);

    void Collect(in KeyRange range, long limit, List<KeyValue> into);

    Lease? FindLease(long id);
}

/// <summary>Older values, from the file.</summary>
internal interface IHistory
{
    /// <summary>The pairs of the range as they were at the revision, in key order.</summary>
    /// <param name="range">Which keys.</param>
    /// <param name="revision">Neither compacted nor in the future; the caller checks both.</param>
    /// <param name="limit">At most so many; 0: all.</param>
    List<KeyValue> RangeAt(in KeyRange range, long revision, long limit);

    /// <summary>How many keys the range had at the revision.</summary>
    long CountAt(in KeyRange range, long revision);
}
