using System.Runtime.InteropServices;
using Weft.Model.Keys;
using Weft.Model.Selectors;
using Weft.Policy.Conversion;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Indexes;

/// <summary>What a set holds: networks of what the selector matches, or their ports of one name.</summary>
/// <param name="Id">Derived from the rest.</param>
/// <param name="Selector">Null for the set of a service.</param>
/// <param name="PortName">Null for a set of networks.</param>
/// <param name="PortProtocol">0 for any protocol that carries ports.</param>
internal sealed record SetDefinition(string Id, IpSetType Type, Selector? Selector, string? PortName = null, byte PortProtocol = 0)
{
    /// <summary>"namespace/name" for the set of a service's addresses, or of its addresses and ports.</summary>
    public string? Service { get; init; }
}

/// <summary>Told of members that enter or leave a set for good: duplicates are already counted away.</summary>
internal interface ISetListener
{
    void OnMemberAdded(string setId, in IpSetMember member);

    void OnMemberRemoved(string setId, in IpSetMember member);
}

/// <summary>
/// The members of the sets that active rules use. Several endpoints may bring the same member (a shared address), so members are counted, and a change
/// adds what is new before it removes what is old.
/// </summary>
internal sealed class SelectorIndex : IMatchListener<string, ResourceKey>
{
    private readonly ISetListener _listener;
    private readonly LabelIndex<string, ResourceKey> _labels;
    private readonly Dictionary<ResourceKey, SetSource> _sources = [];
    private readonly Dictionary<string, SetState> _sets = new(StringComparer.Ordinal);
    private readonly Dictionary<ResourceKey, ServiceSlice> _slices = [];
    private readonly Dictionary<string, HashSet<ResourceKey>> _slicesOf = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<SetState>> _setsOf = new(StringComparer.Ordinal);

    public SelectorIndex(ISetListener listener)
    {
        _listener = listener;
        _labels = new LabelIndex<string, ResourceKey>(this);
    }

    /// <summary>Everything that may be in sets.</summary>
    public IEnumerable<KeyValuePair<ResourceKey, SetSource>> Sources => _sources;

    /// <summary>All members of an active set, both families.</summary>
    public HashSet<IpSetMember> Members(string setId) => [.. _sets[setId].Counts.Keys];

    public void SetSource(ResourceKey key, SetSource source)
    {
        SetSource? old = _sources.GetValueOrDefault(key);
        _sources[key] = source;
        if (old is not null)
        {
            foreach (string setId in _labels.SelectorsMatching(key))
            {
                SetState set = _sets[setId];
                Add(set, Contribution(set.Definition, source));
                Remove(set, Contribution(set.Definition, old));
            }
        }

        _labels.SetItem(key, source.Labels, source.Parents);
    }

    public void RemoveSource(ResourceKey key)
    {
        // The source stays known until its matches have been stopped: that is what removes its members.
        _labels.RemoveItem(key);
        _sources.Remove(key);
    }

    public void SetProfileLabels(string profile, IReadOnlyDictionary<string, string>? labels) => _labels.SetParent(profile, labels);

    public void Activate(SetDefinition definition)
    {
        SetState set = new(definition);
        _sets.Add(definition.Id, set);
        if (definition.Service is { } service)
        {
            Slot(_setsOf, service).Add(set);
            foreach (ResourceKey slice in _slicesOf.GetValueOrDefault(service) ?? [])
            {
                Add(set, Contribution(definition, _slices[slice]));
            }
        }

        if (definition.Selector is not null)
        {
            _labels.SetSelector(definition.Id, definition.Selector);
        }
    }

    public void Deactivate(string setId)
    {
        // Removed first: nobody wants to hear of the members of a set that is going away.
        if (_sets.Remove(setId, out SetState? set) && set.Definition.Service is { } service && _setsOf[service].Remove(set) && _setsOf[service].Count == 0)
        {
            _setsOf.Remove(service);
        }

        _labels.RemoveSelector(setId);
    }

    /// <summary>Null when the slice is gone.</summary>
    public void SetSlice(ResourceKey key, ServiceSlice? slice)
    {
        _slices.Remove(key, out ServiceSlice? old);
        if (slice is not null)
        {
            _slices[key] = slice;
            Slot(_slicesOf, slice.Service).Add(key);
            foreach (SetState set in _setsOf.GetValueOrDefault(slice.Service) ?? [])
            {
                Add(set, Contribution(set.Definition, slice));
            }
        }

        if (old is null)
        {
            return;
        }

        if (old.Service != slice?.Service && _slicesOf[old.Service].Remove(key) && _slicesOf[old.Service].Count == 0)
        {
            _slicesOf.Remove(old.Service);
        }

        foreach (SetState set in _setsOf.GetValueOrDefault(old.Service) ?? [])
        {
            Remove(set, Contribution(set.Definition, old));
        }
    }

    private static HashSet<T> Slot<T>(Dictionary<string, HashSet<T>> slots, string name)
    {
        ref HashSet<T>? slot = ref CollectionsMarshal.GetValueRefOrAddDefault(slots, name, out _);
        return slot ??= [];
    }

    private static IReadOnlyList<IpSetMember> Contribution(SetDefinition set, ServiceSlice slice) => set.Type == IpSetType.IpAndPort ? slice.Ports : slice.Addresses;

    void IMatchListener<string, ResourceKey>.OnMatchStarted(string setId, ResourceKey item) =>
        Add(_sets[setId], Contribution(_sets[setId].Definition, _sources[item]));

    void IMatchListener<string, ResourceKey>.OnMatchStopped(string setId, ResourceKey item)
    {
        if (_sets.TryGetValue(setId, out SetState? set))
        {
            Remove(set, Contribution(set.Definition, _sources[item]));
        }
    }

    private void Add(SetState set, IEnumerable<IpSetMember> members)
    {
        foreach (IpSetMember member in members)
        {
            ref int count = ref CollectionsMarshal.GetValueRefOrAddDefault(set.Counts, member, out _);
            if (++count == 1)
            {
                _listener.OnMemberAdded(set.Definition.Id, member);
            }
        }
    }

    private void Remove(SetState set, IEnumerable<IpSetMember> members)
    {
        foreach (IpSetMember member in members)
        {
            ref int count = ref CollectionsMarshal.GetValueRefOrAddDefault(set.Counts, member, out _);
            if (--count == 0)
            {
                set.Counts.Remove(member);
                _listener.OnMemberRemoved(set.Definition.Id, member);
            }
        }
    }

    private static IEnumerable<IpSetMember> Contribution(SetDefinition set, SetSource source)
    {
        if (set.PortName is null)
        {
            foreach (IpPrefix net in source.Nets)
            {
                yield return new IpSetMember(net);
            }

            yield break;
        }

        foreach (NamedPort port in source.Ports)
        {
            if (port.Name != set.PortName || (set.PortProtocol != 0 && port.Protocol != set.PortProtocol))
            {
                continue;
            }

            foreach (IpPrefix net in source.Nets)
            {
                yield return new IpSetMember(net, port.Protocol, port.Number);
            }
        }
    }

    private sealed class SetState(SetDefinition definition)
    {
        public SetDefinition Definition => definition;

        public Dictionary<IpSetMember, int> Counts { get; } = [];
    }
}
