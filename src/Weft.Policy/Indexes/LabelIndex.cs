using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Weft.Model.Selectors;

namespace Weft.Policy.Indexes;

/// <summary>Told of every pair of selector and item that begins or ceases to match.</summary>
internal interface IMatchListener<TSelector, TItem>
{
    void OnMatchStarted(TSelector selector, TItem item);

    void OnMatchStopped(TSelector selector, TItem item);
}

/// <summary>
/// Which items match which selectors, kept up to date. Items have labels of their own and inherit others from parents (profiles). A change looks only at
/// candidates found through the label restrictions of the selectors, not at everything: an item at the selectors filed under one of its labels, a
/// selector at the items that have a label it demands.
/// <code>
///   item changes     -> for each of its labels: selectors filed under (name, value) and under name; selectors filed nowhere
///   selector changes -> the demanded label with the fewest holders: items that have it, and children of parents that have it
///   parent changes   -> its children, as if each had changed
/// </code>
/// </summary>
internal sealed class LabelIndex<TSelector, TItem>(IMatchListener<TSelector, TItem> listener)
    where TSelector : notnull
    where TItem : notnull
{
    private static readonly Dictionary<string, string> s_noLabels = [];

    private readonly Dictionary<TItem, Entry> _items = [];
    private readonly Dictionary<string, Parent> _parents = new(StringComparer.Ordinal);
    private readonly Dictionary<TSelector, Query> _selectors = [];
    private readonly HolderIndex<Entry> _itemsByLabel = new();
    private readonly HolderIndex<Parent> _parentsByLabel = new();
    private readonly Dictionary<(string Name, string Value), HashSet<Query>> _selectorsByValue = [];
    private readonly Dictionary<string, HashSet<Query>> _selectorsByName = new(StringComparer.Ordinal);
    private readonly HashSet<Query> _unfiled = [];

    public IEnumerable<TItem> ItemsMatching(TSelector selector) =>
        _selectors.TryGetValue(selector, out Query? query) ? query.Matches.Select(m => m.Key) : [];

    public IEnumerable<TSelector> SelectorsMatching(TItem item) =>
        _items.TryGetValue(item, out Entry? entry) ? entry.Matches.Select(m => m.Key) : [];

    public int MatchCount(TSelector selector) => _selectors.TryGetValue(selector, out Query? query) ? query.Matches.Count : 0;

    public bool HasMatch(TSelector selector) => _selectors.TryGetValue(selector, out Query? query) && query.Matches.Count > 0;

    public void SetItem(TItem key, IReadOnlyDictionary<string, string> labels, IReadOnlyList<string> parents)
    {
        ref Entry? entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_items, key, out _);
        entry ??= new Entry(key);
        if (!SameLabels(entry.Own, labels))
        {
            _itemsByLabel.Remove(entry, entry.Own);
            entry.Own = labels;
            _itemsByLabel.Add(entry, labels);
        }

        Parent[] old = entry.Parents;
        entry.Parents = new Parent[parents.Count];
        for (int i = 0; i < parents.Count; i++)
        {
            entry.Parents[i] = ParentNamed(parents[i]);
            entry.Parents[i].Children.Add(entry);
        }

        foreach (Parent parent in old)
        {
            Leave(entry, parent);
        }

        Evaluate(entry);
    }

    public void RemoveItem(TItem key)
    {
        if (!_items.Remove(key, out Entry? entry))
        {
            return;
        }

        foreach (Query query in entry.Matches.ToArray())
        {
            Stop(query, entry);
        }

        _itemsByLabel.Remove(entry, entry.Own);
        Parent[] parents = entry.Parents;
        entry.Parents = [];
        foreach (Parent parent in parents)
        {
            Leave(entry, parent);
        }
    }

    /// <summary>Null labels: the parent does not exist (any more).</summary>
    public void SetParent(string name, IReadOnlyDictionary<string, string>? labels)
    {
        Parent parent = ParentNamed(name);
        IReadOnlyDictionary<string, string> next = labels ?? s_noLabels;
        if (!SameLabels(parent.Labels, next))
        {
            _parentsByLabel.Remove(parent, parent.Labels);
            parent.Labels = next;
            _parentsByLabel.Add(parent, next);
            foreach (Entry child in parent.Children)
            {
                Evaluate(child);
            }
        }

        Forget(parent);
    }

    public void SetSelector(TSelector key, Selector selector)
    {
        if (_selectors.TryGetValue(key, out Query? known))
        {
            if (known.Selector.Equals(selector))
            {
                return;
            }

            Unfile(known);
        }

        Query query = known ?? new Query(key, selector);
        query.Selector = selector;
        _selectors[key] = query;
        File(query);
        foreach (Entry entry in query.Matches.ToArray())
        {
            if (!Matches(query, entry))
            {
                Stop(query, entry);
            }
        }

        foreach (Entry entry in Candidates(selector))
        {
            if (!query.Matches.Contains(entry) && Matches(query, entry))
            {
                Start(query, entry);
            }
        }
    }

    public void RemoveSelector(TSelector key)
    {
        if (!_selectors.Remove(key, out Query? query))
        {
            return;
        }

        Unfile(query);
        foreach (Entry entry in query.Matches.ToArray())
        {
            Stop(query, entry);
        }
    }

    private static bool Matches(Query query, Entry entry) => query.Selector.Matches(new EntryLabels(entry));

    /// <summary>Begins new matches before it ends old ones, so that a member two selectors share never leaves in between.</summary>
    private void Evaluate(Entry entry)
    {
        foreach (Query query in _unfiled)
        {
            StartIfMatching(query, entry);
        }

        EvaluateFiled(entry, entry.Own);
        foreach (Parent parent in entry.Parents)
        {
            EvaluateFiled(entry, parent.Labels);
        }

        List<Query>? gone = null;
        foreach (Query query in entry.Matches)
        {
            if (!Matches(query, entry))
            {
                (gone ??= []).Add(query);
            }
        }

        foreach (Query query in gone ?? [])
        {
            Stop(query, entry);
        }
    }

    private void EvaluateFiled(Entry entry, IReadOnlyDictionary<string, string> labels)
    {
        foreach ((string name, string value) in labels)
        {
            if (_selectorsByValue.TryGetValue((name, value), out HashSet<Query>? byValue))
            {
                foreach (Query query in byValue)
                {
                    StartIfMatching(query, entry);
                }
            }

            if (_selectorsByName.TryGetValue(name, out HashSet<Query>? byName))
            {
                foreach (Query query in byName)
                {
                    StartIfMatching(query, entry);
                }
            }
        }
    }

    private void StartIfMatching(Query query, Entry entry)
    {
        if (!entry.Matches.Contains(query) && Matches(query, entry))
        {
            Start(query, entry);
        }
    }

    private void Start(Query query, Entry entry)
    {
        query.Matches.Add(entry);
        entry.Matches.Add(query);
        listener.OnMatchStarted(query.Key, entry.Key);
    }

    private void Stop(Query query, Entry entry)
    {
        query.Matches.Remove(entry);
        entry.Matches.Remove(query);
        listener.OnMatchStopped(query.Key, entry.Key);
    }

    /// <summary>May yield an item more than once, and items that do not match; never misses one that does.</summary>
    private IEnumerable<Entry> Candidates(Selector selector)
    {
        string? bestName = null;
        LabelRestriction? best = null;
        int fewest = int.MaxValue;
        foreach ((string name, LabelRestriction restriction) in selector.Restrictions)
        {
            if (restriction.IsUnsatisfiable)
            {
                return [];
            }

            if (!restriction.MustBePresent)
            {
                continue;
            }

            int holders = _itemsByLabel.Count(name, restriction.Values) + _parentsByLabel.Holders(name, restriction.Values).Sum(p => p.Children.Count);
            if (holders < fewest)
            {
                (bestName, best, fewest) = (name, restriction, holders);
            }
        }

        return best is null
            ? _items.Values
            : _itemsByLabel.Holders(bestName!, best.Values).Concat(_parentsByLabel.Holders(bestName!, best.Values).SelectMany(p => p.Children));
    }

    /// <summary>Under every value of the demanded label with the fewest values, else under a demanded name, else nowhere: then every item is a candidate.</summary>
    private void File(Query query)
    {
        string? bestName = null;
        IReadOnlyList<string>? values = null;
        foreach ((string name, LabelRestriction restriction) in query.Selector.Restrictions)
        {
            if (restriction.IsUnsatisfiable)
            {
                query.Filing = Filing.Nothing;
                return;
            }

            if (restriction.MustBePresent && IsNarrower(name, restriction, bestName, values))
            {
                (bestName, values) = (name, restriction.Values);
            }
        }

        (query.FiledName, query.FiledValues) = (bestName, values);
        query.Filing = bestName is null ? Filing.Everything : values is null ? Filing.Name : Filing.Values;
        switch (query.Filing)
        {
            case Filing.Values:
                foreach (string value in values!)
                {
                    Slot(_selectorsByValue, (bestName!, value)).Add(query);
                }

                break;
            case Filing.Name:
                Slot(_selectorsByName, bestName!).Add(query);
                break;
            default:
                _unfiled.Add(query);
                break;
        }
    }

    private static bool IsNarrower(string name, LabelRestriction restriction, string? bestName, IReadOnlyList<string>? bestValues)
    {
        if (bestName is null)
        {
            return true;
        }

        if (restriction.Values is null || bestValues is null)
        {
            return restriction.Values is not null;
        }

        // Nearly every selector demands a namespace; any other label tells more.
        bool isNamespace = name.EndsWith("/namespace", StringComparison.Ordinal);
        bool bestIsNamespace = bestName.EndsWith("/namespace", StringComparison.Ordinal);
        return isNamespace != bestIsNamespace ? bestIsNamespace : restriction.Values.Count < bestValues.Count;
    }

    private void Unfile(Query query)
    {
        switch (query.Filing)
        {
            case Filing.Values:
                foreach (string value in query.FiledValues!)
                {
                    Drop(_selectorsByValue, (query.FiledName!, value), query);
                }

                break;
            case Filing.Name:
                Drop(_selectorsByName, query.FiledName!, query);
                break;
            case Filing.Everything:
                _unfiled.Remove(query);
                break;
        }

        query.Filing = Filing.Nothing;
    }

    private static HashSet<Query> Slot<TKey>(Dictionary<TKey, HashSet<Query>> slots, TKey key)
        where TKey : notnull
    {
        ref HashSet<Query>? slot = ref CollectionsMarshal.GetValueRefOrAddDefault(slots, key, out _);
        return slot ??= [];
    }

    private static void Drop<TKey>(Dictionary<TKey, HashSet<Query>> slots, TKey key, Query query)
        where TKey : notnull
    {
        if (slots.TryGetValue(key, out HashSet<Query>? slot) && slot.Remove(query) && slot.Count == 0)
        {
            slots.Remove(key);
        }
    }

    private Parent ParentNamed(string name)
    {
        ref Parent? parent = ref CollectionsMarshal.GetValueRefOrAddDefault(_parents, name, out _);
        return parent ??= new Parent(name, s_noLabels);
    }

    private void Leave(Entry entry, Parent parent)
    {
        if (!entry.Parents.Contains(parent))
        {
            parent.Children.Remove(entry);
            Forget(parent);
        }
    }

    private void Forget(Parent parent)
    {
        if (parent.Children.Count == 0 && parent.Labels.Count == 0)
        {
            _parents.Remove(parent.Name);
        }
    }

    private static bool SameLabels(IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b)
    {
        if (ReferenceEquals(a, b))
        {
            return true;
        }

        if (a.Count != b.Count)
        {
            return false;
        }

        foreach ((string name, string value) in a)
        {
            if (!b.TryGetValue(name, out string? other) || other != value)
            {
                return false;
            }
        }

        return true;
    }

    private enum Filing : byte
    {
        /// <summary>No item can match.</summary>
        Nothing,
        Values,
        Name,
        Everything,
    }

    private sealed class Entry(TItem key)
    {
        public TItem Key => key;

        public IReadOnlyDictionary<string, string> Own { get; set; } = s_noLabels;

        public Parent[] Parents { get; set; } = [];

        public HashSet<Query> Matches { get; } = [];
    }

    private sealed class Parent(string name, IReadOnlyDictionary<string, string> labels)
    {
        public string Name => name;

        public IReadOnlyDictionary<string, string> Labels { get; set; } = labels;

        public HashSet<Entry> Children { get; } = [];
    }

    private sealed class Query(TSelector key, Selector selector)
    {
        public TSelector Key => key;

        public Selector Selector { get; set; } = selector;

        public HashSet<Entry> Matches { get; } = [];

        public Filing Filing { get; set; }

        public string? FiledName { get; set; }

        public IReadOnlyList<string>? FiledValues { get; set; }
    }

    private readonly struct EntryLabels(Entry entry) : ILabels
    {
        public bool TryGet(string name, [NotNullWhen(true)] out string? value)
        {
            if (entry.Own.TryGetValue(name, out value))
            {
                return true;
            }

            foreach (Parent parent in entry.Parents)
            {
                if (parent.Labels.TryGetValue(name, out value))
                {
                    return true;
                }
            }

            return false;
        }
    }
}
