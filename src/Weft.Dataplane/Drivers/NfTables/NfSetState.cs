using Weft.Dataplane.Drivers.IpSets;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// One desired set. A set of prefixes is several hash sets in the kernel, one for each length of prefix that has members: the kernel's interval sets are
/// rebuilt whole at every change, which takes milliseconds at 100 000 members where a hash set takes microseconds.
/// <code>
///   cali40s-x       single addresses, always there        rule:  saddr @cali40s-x           -> action
///   cali40s-x/24    the first 24 bits of the members              saddr AND /24 @cali40s-x/24 -> action
/// </code>
/// </summary>
internal sealed class NfSetState
{
    private readonly IpFamily _family;
    private readonly Dictionary<int, HashSet<IpSetMember>> _members = []; // by length of prefix
    private readonly HashSet<IpSetMember> _toAdd = [];
    private readonly HashSet<IpSetMember> _toDelete = [];
    private int[] _lengths = [];
    private int[]? _writtenLengths;

    /// <param name="name">In the kernel.</param>
    /// <param name="family">Of its members.</param>
    /// <param name="metadata">What its members are.</param>
    public NfSetState(string name, IpFamily family, IpSetMetadata metadata)
    {
        (Name, _family, Metadata) = (name, family, metadata);
        _members[FullLength] = [];
    }

    public string Name { get; }

    public IpSetMetadata Metadata { get; }

    /// <summary>Nobody wants it any more; it is empty, and forgotten with the next write.</summary>
    public bool IsRemoved { get; set; }

    /// <summary>Lengths of prefix that have members, the full length first and always.</summary>
    public IReadOnlyList<int> Lengths => _lengths.Length > 0 ? _lengths : [FullLength];

    /// <summary>Rules that name the set must be written anew.</summary>
    public bool ShapeChanged => _writtenLengths is null || !Lengths.SequenceEqual(_writtenLengths);

    /// <summary>Members that differ from what was written last.</summary>
    public bool IsDirty => ShapeChanged || _toAdd.Count > 0 || _toDelete.Count > 0;

    public IReadOnlyCollection<IpSetMember> ToAdd => _toAdd;

    public IReadOnlyCollection<IpSetMember> ToDelete => _toDelete;

    public int KeyLength => NfSetKeys.Length(_family, Metadata.Type);

    private int FullLength => _family == IpFamily.IPv4 ? 32 : 128;

    public IReadOnlyCollection<IpSetMember> Members(int length) => _members.TryGetValue(length, out HashSet<IpSetMember>? members) ? members : [];

    /// <summary>The name of the part that holds prefixes of a length.</summary>
    public string PartName(int length) => length == FullLength ? Name : $"{Name}/{length}";

    public void Add(IpSetMember member)
    {
        if (!_members.TryGetValue(member.Prefix.Length, out HashSet<IpSetMember>? members))
        {
            _members[member.Prefix.Length] = members = [];
        }

        if (members.Add(member))
        {
            if (!_toDelete.Remove(member))
            {
                _toAdd.Add(member);
            }

            LengthsChangedIf(members.Count == 1);
        }
    }

    public void Remove(IpSetMember member)
    {
        if (_members.TryGetValue(member.Prefix.Length, out HashSet<IpSetMember>? members) && members.Remove(member))
        {
            if (!_toAdd.Remove(member))
            {
                _toDelete.Add(member);
            }

            LengthsChangedIf(members.Count == 0);
        }
    }

    /// <summary>Makes the members these and no others.</summary>
    public void ReplaceAll(IEnumerable<IpSetMember> members)
    {
        HashSet<IpSetMember> wanted = [.. members];
        foreach (IpSetMember member in _members.Values.SelectMany(static m => m).Where(m => !wanted.Contains(m)).ToArray())
        {
            Remove(member);
        }

        foreach (IpSetMember member in wanted)
        {
            Add(member);
        }
    }

    /// <summary>The kernel holds what is wanted, or what it lacks is known otherwise.</summary>
    public void MarkWritten()
    {
        _toAdd.Clear();
        _toDelete.Clear();
        _writtenLengths = [.. Lengths];
    }

    private void LengthsChangedIf(bool changed)
    {
        if (changed)
        {
            _lengths = [FullLength, .. _members.Where(m => m.Key != FullLength && m.Value.Count > 0).Select(static m => m.Key).OrderDescending()];
        }
    }
}
