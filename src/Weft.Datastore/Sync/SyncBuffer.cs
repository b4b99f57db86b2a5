using Weft.Model.Keys;

namespace Weft.Datastore.Sync;

/// <summary>One delivery to a sink: the updates, then (when not null) the status.</summary>
internal sealed record Delivery(IReadOnlyList<ModelUpdate> Updates, SyncStatus? Status, string Detail);

/// <summary>
/// What the sink has not been told yet, one entry per key, cut into sections by status changes:
/// <code>
///   section 1: updates, status   section 2: updates, status   ...   open section: updates
/// </code>
/// Also remembers the revision of every key as the sink will know it, which is what a new snapshot is compared with. Bounded: a section never holds more
/// keys than the sink knows or the store has, and there are never more than <see cref="MaxSections"/>. Owned by one <see cref="EtcdSyncer"/>.
/// </summary>
internal sealed class SyncBuffer
{
    private const int MaxSections = 4;

    /// <summary>Most updates of one delivery: a sink gets to see its stop signal now and then.</summary>
    private const int MaxDelivery = 1000;

    private readonly LinkedList<Section> _sections = new();
    private readonly Dictionary<ModelKey, long> _known = [];
    private (SyncStatus Status, string Detail)? _last;

    public SyncBuffer() => _sections.AddLast(new Section());

    public bool IsEmpty => _sections.Count == 1 && _sections.First!.Value.Updates.Count == 0;

    /// <summary>How many updates wait.</summary>
    public int Pending => _sections.Sum(s => s.Updates.Count);

    /// <summary>A status that is already the last one (with the same detail) is not repeated.</summary>
    public void Add(SyncStatus status, string detail)
    {
        if (_last == (status, detail))
        {
            return;
        }

        _last = (status, detail);
        Section open = _sections.Last!.Value;
        if (open.Updates.Count == 0 && _sections.Count > 1 && _sections.Last.Previous!.Value is { } previous && previous.Status == status)
        {
            previous.Detail = detail;
            return;
        }

        (open.Status, open.Detail) = (status, detail);
        _sections.AddLast(new Section());
        if (_sections.Count > MaxSections)
        {
            // A sink this slow sees the newest status only; the one before it is dropped and its updates go with the next.
            MergeIntoNext(_sections.Last!.Previous!.Previous!);
        }
    }

    /// <summary>InSync, unless that is the status already.</summary>
    public void AddInSyncAfterTrouble(string detail)
    {
        if (_last?.Status != SyncStatus.InSync)
        {
            Add(SyncStatus.InSync, detail);
        }
    }

    public void Add(in ModelUpdate update)
    {
        Section open = _sections.Last!.Value;
        if (update.Value is null && update.Problem is null && !_known.ContainsKey(update.Key))
        {
            return;
        }

        if (update.Value is null && update.Problem is null)
        {
            _known.Remove(update.Key);
            if (open.Born.Remove(update.Key))
            {
                // Born and gone while the sink was busy: it never hears of the key, and the buffer does not grow with churn.
                open.Remove(update.Key);
                return;
            }
        }
        else if (!_known.ContainsKey(update.Key))
        {
            // Not born when a deletion of it waits in this section: the sink still knows the old one.
            if (!open.Updates.ContainsKey(update.Key))
            {
                open.Born.Add(update.Key);
            }

            _known[update.Key] = update.Revision;
        }
        else
        {
            _known[update.Key] = update.Revision;
        }

        open.Put(update);
    }

    /// <summary>Adds what is different in the snapshot, deletions included.</summary>
    /// <param name="snapshot">Everything in the ranges.</param>
    /// <param name="historyChanged">Equal revisions do not mean equal values.</param>
    /// <returns>How many changes that were.</returns>
    public int Add(ListResult snapshot, bool historyChanged)
    {
        bool trust = !historyChanged && !WentBack(snapshot);
        HashSet<ModelKey> gone = [.. _known.Keys];
        int changes = 0;
        foreach (KeyValue item in snapshot.Items)
        {
            gone.Remove(item.Key);
            if (!trust || !_known.TryGetValue(item.Key, out long revision) || revision != item.Revision.Value)
            {
                Add(new ModelUpdate(item.Key, item.Value, item.Revision.Value));
                changes++;
            }
        }

        foreach (UnreadableValue item in snapshot.Unreadable)
        {
            gone.Remove(item.Key);
            if (!trust || !_known.TryGetValue(item.Key, out long revision) || revision != item.Revision.Value)
            {
                Add(new ModelUpdate(item.Key, null, item.Revision.Value, item.Reason));
                changes++;
            }
        }

        foreach (ModelKey key in gone)
        {
            Add(new ModelUpdate(key, null, 0));
        }

        return changes + gone.Count;
    }

    /// <summary>The oldest undelivered part; taken means delivered.</summary>
    public Delivery Take()
    {
        Section first = _sections.First!.Value;
        if (first.Updates.Count > MaxDelivery)
        {
            return new Delivery(first.Split(MaxDelivery), null, string.Empty);
        }

        _sections.RemoveFirst();
        if (_sections.Count == 0)
        {
            _sections.AddLast(new Section());
        }

        return new Delivery(first.InOrder(), first.Status, first.Detail);
    }

    private bool WentBack(ListResult snapshot) =>
        snapshot.Items.Any(i => _known.TryGetValue(i.Key, out long revision) && revision > i.Revision.Value);

    private void MergeIntoNext(LinkedListNode<Section> node)
    {
        Section older = node.Value;
        Section newer = node.Next!.Value;
        foreach (ModelUpdate update in newer.InOrder())
        {
            if (update.Value is null && update.Problem is null && older.Born.Remove(update.Key))
            {
                older.Remove(update.Key);
                continue;
            }

            if (newer.Born.Contains(update.Key) && !older.Updates.ContainsKey(update.Key))
            {
                older.Born.Add(update.Key);
            }

            older.Put(update);
        }

        (older.Status, older.Detail) = (newer.Status, newer.Detail);
        _sections.Remove(node.Next!);
    }

    /// <summary>Updates up to a status change. In the order of their first appearance, newest value each.</summary>
    private sealed class Section
    {
        private readonly LinkedList<ModelKey> _order = new();

        public Dictionary<ModelKey, (ModelUpdate Update, LinkedListNode<ModelKey> Node)> Updates { get; } = [];

        /// <summary>Keys the sink knows nothing of before this section.</summary>
        public HashSet<ModelKey> Born { get; } = [];

        public SyncStatus? Status { get; set; }

        public string Detail { get; set; } = string.Empty;

        public void Put(in ModelUpdate update)
        {
            LinkedListNode<ModelKey> node = Updates.TryGetValue(update.Key, out var old) ? old.Node : _order.AddLast(update.Key);
            Updates[update.Key] = (update, node);
        }

        public void Remove(ModelKey key)
        {
            if (Updates.Remove(key, out var old))
            {
                _order.Remove(old.Node);
            }
        }

        public List<ModelUpdate> InOrder() => [.. _order.Select(k => Updates[k].Update)];

        /// <summary>Takes the oldest out.</summary>
        public List<ModelUpdate> Split(int count)
        {
            List<ModelUpdate> taken = new(count);
            while (taken.Count < count)
            {
                ModelKey key = _order.First!.Value;
                taken.Add(Updates[key].Update);
                Born.Remove(key);
                Remove(key);
            }

            return taken;
        }
    }
}
