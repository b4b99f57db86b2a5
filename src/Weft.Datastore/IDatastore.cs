using Weft.Model.Keys;

namespace Weft.Datastore;

/// <summary>
/// Typed access to the datastore with compare-and-swap. Expected outcomes (conflict, not found, already exists) are values;
/// <see cref="DatastoreException"/> means that the store could not be asked or did not answer, and that trying again may help.
/// No member waits longer than the request timeout of the connection.
/// </summary>
public interface IDatastore : IAsyncDisposable
{
    /// <summary>Null when the key is absent.</summary>
    /// <exception cref="DatastoreException">The store is unreachable, or the value is not valid JSON for the key's type.</exception>
    ValueTask<KeyValue?> GetAsync(ModelKey key, CancellationToken stop);

    /// <summary>Everything under the prefix at one revision. Keys weft does not know are left out; values it cannot read are in <see cref="ListResult.Unreadable"/>.</summary>
    ValueTask<ListResult> ListAsync(ModelPrefix prefix, CancellationToken stop);

    /// <summary>Several ranges at one and the same revision. Ranges must not overlap.</summary>
    ValueTask<ListResult> ListAsync(IReadOnlyList<ModelPrefix> prefixes, CancellationToken stop);

    /// <summary>Writes the value if the key is absent; otherwise <see cref="WriteOutcome.AlreadyExists"/> with the existing value.</summary>
    ValueTask<WriteResult> CreateAsync(ModelKey key, object value, CancellationToken stop);

    /// <summary>Writes the value if the key still has the revision; otherwise Conflict (with the existing value) or NotFound.</summary>
    ValueTask<WriteResult> UpdateAsync(ModelKey key, object value, Revision expected, CancellationToken stop);

    /// <summary>Writes the value whatever is there.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="timeToLive">The key vanishes by itself after this time (a lease of its own per write); null for no end.</param>
    /// <param name="stop">Cancels the request; the write may have happened.</param>
    ValueTask<WriteResult> ApplyAsync(ModelKey key, object value, TimeSpan? timeToLive, CancellationToken stop);

    /// <summary>Deletes the key, if given only at that revision; otherwise Conflict or NotFound. The result carries the deleted value.</summary>
    ValueTask<WriteResult> DeleteAsync(ModelKey key, Revision? expected, CancellationToken stop);

    /// <summary>
    /// Changes after a revision, in order, each once, across reconnects. Ends with <see cref="CompactedException"/> when the revision is gone:
    /// list again. Syncers use this; others rarely should.
    /// </summary>
    IAsyncEnumerable<WatchBatch> WatchAsync(ModelPrefix prefix, Revision after, CancellationToken stop);

    /// <summary>
    /// Several ranges on one stream. Changes of one range are in order; between ranges only as far as <see cref="WatchBatch.Revision"/> says.
    /// </summary>
    IAsyncEnumerable<WatchBatch> WatchAsync(IReadOnlyList<ModelPrefix> prefixes, Revision after, CancellationToken stop);
}

/// <summary>A modification revision of the store; ordered.</summary>
public readonly record struct Revision(long Value) : IComparable<Revision>
{
    public int CompareTo(Revision other) => Value.CompareTo(other.Value);

    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>A stored value. Resources have metadata.resourceVersion filled from the revision.</summary>
public sealed record KeyValue(ModelKey Key, object Value, Revision Revision)
{
    /// <summary>The value as a type the caller knows the key has.</summary>
    public T As<T>() => (T)Value;
}

/// <summary>A value that could not be read, with the reason.</summary>
public readonly record struct UnreadableValue(ModelKey Key, Revision Revision, string Reason);

/// <param name="Items">In the order of their paths.</param>
/// <param name="Unreadable">Values under known keys that are not what the key says.</param>
/// <param name="Revision">The revision of the store the list was made at: watch after this one.</param>
public sealed record ListResult(IReadOnlyList<KeyValue> Items, IReadOnlyList<UnreadableValue> Unreadable, Revision Revision);

/// <summary>Changes of one or more consecutive revisions; all changes of a revision are in the same batch.</summary>
/// <param name="Updates">In order; empty for a pure progress mark.</param>
/// <param name="Revision">Everything up to this revision has been seen.</param>
public sealed record WatchBatch(IReadOnlyList<ModelUpdate> Updates, Revision Revision)
{
    /// <summary>
    /// Not null when the store has been lost and is being looked for: "watch at http://...: connection refused". Such a batch has no updates; the next
    /// one without trouble says that the store is back and nothing was missed.
    /// </summary>
    public string? Trouble { get; init; }
}

public enum WriteOutcome : byte
{
    Written,
    Conflict,
    AlreadyExists,
    NotFound,
}

/// <param name="Outcome">What happened.</param>
/// <param name="Revision">Of the written value, when written.</param>
/// <param name="Existing">The value found instead (or deleted), where the outcome has one.</param>
public readonly record struct WriteResult(WriteOutcome Outcome, Revision Revision, KeyValue? Existing)
{
    public bool IsWritten => Outcome == WriteOutcome.Written;
}

/// <summary>The store could not be reached or refused to answer; the message names endpoint, operation, key and what the store said.</summary>
public class DatastoreException : Exception
{
    public DatastoreException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>The changes after a revision cannot be had any more: it has been compacted away, or the store is not the one it was.</summary>
public sealed class CompactedException(string message, Revision compacted) : DatastoreException(message)
{
    public Revision Compacted { get; } = compacted;

    /// <summary>
    /// The store has another history (restored from a backup, or a new cluster): equal revisions no longer mean equal values.
    /// </summary>
    public bool HistoryChanged { get; init; }
}
