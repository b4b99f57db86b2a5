using Weft.Model.Keys;

namespace Weft.Datastore;

/// <summary>
/// A store that changes several keys in one step. Who uses it must also have a way with single writes: the datastore of Kubernetes, and a store behind a
/// proxy, know only those.
/// </summary>
public interface IAtomicDatastore : IDatastore
{
    /// <summary>All writes if every condition holds, else none. Conditions look at the state before the writes.</summary>
    ValueTask<TransactionResult> TransactAsync(StoreTransaction transaction, CancellationToken stop);
}

/// <param name="Conditions">At most <see cref="MaxOperations"/>.</param>
/// <param name="Writes">At most <see cref="MaxOperations"/>, each of another key.</param>
public sealed record StoreTransaction(IReadOnlyList<StoreCondition> Conditions, IReadOnlyList<StoreWrite> Writes)
{
    /// <summary>etcd's --max-txn-ops is 128; it counts conditions and writes each by themselves.</summary>
    public const int MaxOperations = 128;
}

/// <summary>What must hold for a transaction.</summary>
public readonly record struct StoreCondition
{
    private StoreCondition(ModelKey? key, ModelPrefix range, Revision revision) => (Key, Range, Revision) = (key, range, revision);

    /// <summary>Null for a condition on a range.</summary>
    public ModelKey? Key { get; }

    public ModelPrefix Range { get; }

    /// <summary>Of a key: exactly this one, 0 for absent. Of a range: none of its keys was written after it.</summary>
    public Revision Revision { get; }

    public static StoreCondition Unchanged(ModelKey key, Revision revision) => new(key, ModelPrefix.Of(key), revision);

    public static StoreCondition Absent(ModelKey key) => new(key, ModelPrefix.Of(key), default);

    /// <summary>No key of the range was created or changed after the revision. Deletions are not seen.</summary>
    public static StoreCondition NothingNewer(ModelPrefix range, Revision revision) => new(null, range, revision);
}

/// <summary>One write of a transaction; a null value deletes.</summary>
public readonly record struct StoreWrite(ModelKey Key, object? Value);

/// <param name="IsWritten">The conditions held and everything is written.</param>
/// <param name="Revision">Of everything written; when not written, of the store as it was looked at.</param>
/// <param name="Broken">When not written: the keys whose own condition did not hold. Empty when it was that of a range.</param>
public readonly record struct TransactionResult(bool IsWritten, Revision Revision, IReadOnlyList<ModelKey> Broken);
