using Weft.Dataplane.Drivers.IpSets;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// The desired sets of one family. The kernel's sets belong to tables, so a table holds its own copy of the sets that its rules name, and only of those.
/// Owned by one <see cref="NfTablesRules"/>.
/// </summary>
internal sealed class NfSetFamily(IpFamily family) : IIpSetFamily
{
    private readonly Dictionary<string, NfSetState> _sets = new(StringComparer.Ordinal); // by name in the kernel
    private readonly HashSet<string> _dirty = new(StringComparer.Ordinal);

    public IpFamily Family => family;

    /// <summary>Sets that were defined, removed or changed since the last write.</summary>
    public IReadOnlyCollection<string> Dirty => _dirty;

    /// <summary>A set has members of another kind than before: what the kernel holds of it must be looked at.</summary>
    public bool TypeChanged { get; private set; }

    /// <summary>None, ever: these sets grow with their members.</summary>
    public IReadOnlyDictionary<string, int> TooLarge { get; } = new Dictionary<string, int>();

    /// <summary>"cali40s-qMt7iLlGDhvLnCjM0l9nzxb...": Calico's name, with what nft takes for syntax replaced.</summary>
    public string NameOf(string id) => $"cali{(family == IpFamily.IPv6 ? '6' : '4')}0{id.Replace(':', '-')}";

    public void AddOrReplace(IpSetMetadata metadata, IEnumerable<IpSetMember> members)
    {
        string name = NameOf(metadata.Id);
        if (!_sets.TryGetValue(name, out NfSetState? set) || set.Metadata.Type != metadata.Type)
        {
            TypeChanged |= set is not null;
            set = new NfSetState(name, family, metadata);
            _sets[name] = set;
        }

        set.IsRemoved = false;
        set.ReplaceAll(members.Where(m => m.Family == family));
        _dirty.Add(name);
    }

    public void AddMembers(string id, IEnumerable<IpSetMember> members)
    {
        NfSetState set = FindDefined(id);
        foreach (IpSetMember member in members)
        {
            if (member.Family == family)
            {
                set.Add(member);
            }
        }

        _dirty.Add(set.Name);
    }

    public void RemoveMembers(string id, IEnumerable<IpSetMember> members)
    {
        NfSetState set = FindDefined(id);
        foreach (IpSetMember member in members)
        {
            if (member.Family == family)
            {
                set.Remove(member);
            }
        }

        _dirty.Add(set.Name);
    }

    /// <summary>See <see cref="TooLarge"/>.</summary>
    public void Resize(string id, int maxElements)
    {
    }

    public void Remove(string id)
    {
        string name = NameOf(id);
        if (_sets.TryGetValue(name, out NfSetState? set))
        {
            // A rule that still names it must find it empty, not as it was.
            set.ReplaceAll([]);
            set.IsRemoved = true;
            _dirty.Add(name);
        }
    }

    /// <summary>A set that a rule names and nobody defined is empty: it matches nothing.</summary>
    public NfSetState Find(string name) =>
        _sets.TryGetValue(name, out NfSetState? set) ? set : new NfSetState(name, family, new IpSetMetadata(name, name.StartsWith(NameOf("n:"), StringComparison.Ordinal) ? IpSetType.IpPort : IpSetType.Net));

    /// <summary>Everything wanted has been written, or what the kernel lacks is known by each table.</summary>
    public void MarkWritten(bool all)
    {
        foreach (string name in all ? [.. _sets.Keys] : _dirty.ToArray())
        {
            if (_sets.TryGetValue(name, out NfSetState? set))
            {
                set.MarkWritten();
                if (set.IsRemoved)
                {
                    _sets.Remove(name);
                }
            }
        }

        _dirty.Clear();
        TypeChanged = false;
    }

    private NfSetState FindDefined(string id) =>
        _sets.TryGetValue(NameOf(id), out NfSetState? set) && !set.IsRemoved ? set : throw new InvalidOperationException($"set {id} is not defined: its members cannot change");
}
