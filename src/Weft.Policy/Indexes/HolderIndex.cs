using System.Runtime.InteropServices;

namespace Weft.Policy.Indexes;

/// <summary>Who has a label, by name and by value.</summary>
internal sealed class HolderIndex<THolder>
    where THolder : class
{
    private readonly Dictionary<string, Dictionary<string, HashSet<THolder>>> _names = new(StringComparer.Ordinal);

    public void Add(THolder holder, IReadOnlyDictionary<string, string> labels)
    {
        foreach ((string name, string value) in labels)
        {
            ref Dictionary<string, HashSet<THolder>>? values = ref CollectionsMarshal.GetValueRefOrAddDefault(_names, name, out _);
            values ??= new(StringComparer.Ordinal);
            ref HashSet<THolder>? holders = ref CollectionsMarshal.GetValueRefOrAddDefault(values, value, out _);
            (holders ??= []).Add(holder);
        }
    }

    public void Remove(THolder holder, IReadOnlyDictionary<string, string> labels)
    {
        foreach ((string name, string value) in labels)
        {
            if (_names.TryGetValue(name, out Dictionary<string, HashSet<THolder>>? values) && values.TryGetValue(value, out HashSet<THolder>? holders)
                && holders.Remove(holder) && holders.Count == 0 && values.Remove(value) && values.Count == 0)
            {
                _names.Remove(name);
            }
        }
    }

    /// <param name="name">The label.</param>
    /// <param name="values">Null for any value.</param>
    public IEnumerable<THolder> Holders(string name, IReadOnlyList<string>? values)
    {
        if (!_names.TryGetValue(name, out Dictionary<string, HashSet<THolder>>? known))
        {
            return [];
        }

        return values is null
            ? known.Values.SelectMany(holders => holders)
            : values.SelectMany(value => known.TryGetValue(value, out HashSet<THolder>? holders) ? holders : Enumerable.Empty<THolder>());
    }

    /// <summary>How many <see cref="Holders"/> yields.</summary>
    public int Count(string name, IReadOnlyList<string>? values)
    {
        if (!_names.TryGetValue(name, out Dictionary<string, HashSet<THolder>>? known))
        {
            return 0;
        }

        int count = 0;
        if (values is null)
        {
            foreach (HashSet<THolder> holders in known.Values)
            {
                count += holders.Count;
            }

            return count;
        }

        foreach (string value in values)
        {
            count += known.TryGetValue(value, out HashSet<THolder>? holders) ? holders.Count : 0;
        }

        return count;
    }
}
