using System.Collections.Immutable;
using Google.Protobuf;
using Mvccpb;

namespace Weft.Cluster.Store.Mvcc;

/// <summary>
/// The next state of the store, while the write loop works through a batch. Requests change it one after the other, each at its own revision; at the
/// end the batch is frozen when the file has it, or reset when the file refused it.
/// </summary>
internal sealed class StoreEditor : IKeyView
{
    private readonly KeyTree.Editor _keys;
    private readonly List<Change> _changes = [];
    private readonly HashSet<long> _touchedLeases = [];
    private StoreState _base;
    private ImmutableDictionary<long, Lease> _leases;
    private bool _writing;

    public StoreEditor(StoreState state)
    {
        (_base, _leases) = (state, state.Leases);
        (Revision, CompactRevision) = (state.Revision, state.CompactRevision);
        _keys = state.Keys.Edit();
    }

    /// <summary>The newest finished revision, or within a request that has written: the revision it writes.</summary>
    public long Revision { get; private set; }

    public long CompactRevision { get; private set; }

    /// <summary>What the batch wrote so far, in order.</summary>
    public IReadOnlyList<Change> Changes => _changes;

    /// <summary>Leases granted or revoked by the batch: to be written to the file.</summary>
    public IReadOnlyCollection<long> TouchedLeases => _touchedLeases;

    public bool IsDirty => _changes.Count > 0 || _touchedLeases.Count > 0 || CompactRevision != _base.CompactRevision;

    public bool CompactionChanged => CompactRevision != _base.CompactRevision;

    public Lease? FindLease(long id) => _leases.GetValueOrDefault(id);

    public KeyValue? Find(ByteString key) => _keys.Find(key);

    public long CountOf(in KeyRange range) => _keys.CountOf(range);

    public void Collect(in KeyRange range, long limit, List<KeyValue> into) => _keys.Collect(range, limit, into);

    /// <summary>A new request: its first write takes the next revision, all its writes share it.</summary>
    public void BeginRequest() => _writing = false;

    public void Put(ByteString key, ByteString value, long lease)
    {
        KeyValue? previous = _keys.Find(key);
        long revision = WriteRevision();
        KeyValue kv = new()
        {
            Key = key,
            Value = value,
            Lease = lease,
            ModRevision = revision,
            CreateRevision = previous?.CreateRevision ?? revision,
            Version = (previous?.Version ?? 0) + 1,
        };
        _keys.Put(kv);
        _changes.Add(new Change(kv, previous, IsDelete: false));
        if (previous?.Lease != lease)
        {
            Detach(previous);
            if (lease != 0 && _leases.TryGetValue(lease, out Lease? attached))
            {
                _leases = _leases.SetItem(lease, attached with { Keys = attached.Keys.Add(key) });
            }
        }
    }

    public void Delete(KeyValue existing)
    {
        long revision = WriteRevision();
        _keys.Remove(existing.Key);
        _changes.Add(new Change(new KeyValue { Key = existing.Key, ModRevision = revision }, existing, IsDelete: true));
        Detach(existing);
    }

    public void Grant(Lease lease)
    {
        _leases = _leases.SetItem(lease.Id, lease);
        _touchedLeases.Add(lease.Id);
    }

    /// <summary>Forgets the lease and deletes its keys, in key order, at one revision.</summary>
    public void Revoke(Lease lease)
    {
        List<ByteString> keys = [.. lease.Keys];
        keys.Sort(KeyRange.Compare);
        foreach (ByteString key in keys)
        {
            if (_keys.Find(key) is { } existing)
            {
                Delete(existing);
            }
        }

        _leases = _leases.Remove(lease.Id);
        _touchedLeases.Add(lease.Id);
    }

    public void Compact(long revision) => CompactRevision = revision;

    /// <summary>The batch is in the file: the state to publish. A new batch begins.</summary>
    public StoreState Freeze()
    {
        _base = new StoreState(_keys.Freeze(), Revision, CompactRevision, _leases);
        Forget();
        return _base;
    }

    /// <summary>The file did not take the batch: back to the last published state.</summary>
    public void Reset()
    {
        _keys.Reset(_base.Keys);
        (_leases, Revision, CompactRevision) = (_base.Leases, _base.Revision, _base.CompactRevision);
        Forget();
    }

    private void Forget()
    {
        _changes.Clear();
        _touchedLeases.Clear();
        _writing = false;
    }

    private long WriteRevision()
    {
        if (!_writing)
        {
            _writing = true;
            Revision++;
        }

        return Revision;
    }

    private void Detach(KeyValue? existing)
    {
        if (existing is { Lease: not 0 } && _leases.TryGetValue(existing.Lease, out Lease? lease))
        {
            _leases = _leases.SetItem(existing.Lease, lease with { Keys = lease.Keys.Remove(existing.Key) });
        }
    }
}
