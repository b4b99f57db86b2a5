using Google.Protobuf;

namespace Weft.Cluster.Store.Mvcc;

/// <summary>
/// The keys a request names, by etcd's rule: no range_end is one key, a range_end of one zero byte is every key from the first on, anything else
/// is the half-open interval. Keys are ordered as unsigned bytes.
/// </summary>
internal readonly struct KeyRange
{
    private static readonly ByteString AfterEverything = ByteString.Empty;

    private readonly ByteString? _end; // null: one key; empty: no upper bound

    private KeyRange(ByteString start, ByteString? end) => (Start, _end) = (start, end);

    public static KeyRange All { get; } = new(ByteString.Empty, AfterEverything);

    public ByteString Start { get; }

    public bool IsSingleKey => _end is null;

    public bool IsUnbounded => _end is { Length: 0 };

    /// <summary>True when no key can lie in the range (the end does not come after the start).</summary>
    public bool IsEmpty => _end is { Length: > 0 } && Compare(Start, _end) >= 0;

    /// <summary>The first key behind the range, or null when there is no bound. For one key that is the key followed by a zero byte.</summary>
    public ByteString? End => IsUnbounded ? null : _end ?? Successor(Start);

    public static KeyRange Of(ByteString key, ByteString rangeEnd) =>
        rangeEnd.Length == 0 ? new KeyRange(key, null)
        : rangeEnd.Length == 1 && rangeEnd[0] == 0 ? new KeyRange(key, AfterEverything)
        : new KeyRange(key, rangeEnd);

    public bool Contains(ByteString key)
    {
        if (_end is null)
        {
            return key.Span.SequenceEqual(Start.Span);
        }

        return Compare(key, Start) >= 0 && (_end.Length == 0 || Compare(key, _end) < 0);
    }

    public bool Overlaps(in KeyRange other) =>
        !IsEmpty && !other.IsEmpty && (End is not { } end || Compare(other.Start, end) < 0) && (other.End is not { } otherEnd || Compare(Start, otherEnd) < 0);

    public static int Compare(ByteString a, ByteString b) => a.Span.SequenceCompareTo(b.Span);

    private static ByteString Successor(ByteString key)
    {
        byte[] next = new byte[key.Length + 1];
        key.Span.CopyTo(next);
        return UnsafeByteOperations.UnsafeWrap(next);
    }
}
