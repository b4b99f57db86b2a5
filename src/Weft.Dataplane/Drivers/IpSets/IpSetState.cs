using Weft.Linux.Netfilter;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.IpSets;

/// <summary>
/// One desired set and how the kernel's differs from it. Exactly the members that differ are listed, so a write is as large as the change.
/// Owned by one <see cref="IpSetFamily"/>.
/// </summary>
internal sealed class IpSetState(string name, IpSetMetadata metadata)
{
    private readonly HashSet<IpSetMember> _desired = [];
    private readonly HashSet<IpSetMember> _toAdd = [];
    private readonly HashSet<IpSetMember> _toDelete = [];
    private int _defaults;

    public string Name => name;

    public IpSetMetadata Metadata { get; set; } = metadata;

    /// <summary>What the kernel needs before members can be written.</summary>
    public IpSetShape Shape { get; set; } = IpSetShape.Missing;

    public bool IsDirty => Shape != IpSetShape.Right || _toAdd.Count > 0 || _toDelete.Count > 0;

    public IReadOnlyCollection<IpSetMember> ToAdd => _toAdd;

    public IReadOnlyCollection<IpSetMember> ToDelete => _toDelete;

    /// <summary>Every member the kernel's set must have.</summary>
    public IReadOnlyCollection<IpSetMember> KernelMembers
    {
        get
        {
            List<IpSetMember> members = [.. _desired.Where(static m => !m.Prefix.IsDefault)];
            members.AddRange(Halves().Where(half => IsWanted(half) && !_desired.Contains(half)));
            return members;
        }
    }

    public void Add(IpSetMember member)
    {
        if (!member.Prefix.IsDefault)
        {
            bool was = IsWanted(member);
            _desired.Add(member);
            Note(member, was);
            return;
        }

        ChangeDefault(member, static (desired, m) => desired.Add(m));
    }

    public void Remove(IpSetMember member)
    {
        if (!member.Prefix.IsDefault)
        {
            bool was = IsWanted(member);
            _desired.Remove(member);
            Note(member, was);
            return;
        }

        ChangeDefault(member, static (desired, m) => desired.Remove(m));
    }

    /// <summary>Makes the desired members these and no others.</summary>
    public void ReplaceAll(IEnumerable<IpSetMember> members)
    {
        HashSet<IpSetMember> wanted = [.. members];
        foreach (IpSetMember member in _desired.Where(m => !wanted.Contains(m)).ToArray())
        {
            Remove(member);
        }

        foreach (IpSetMember member in wanted)
        {
            Add(member);
        }
    }

    /// <summary>How many members the kernel would have to hold; /0 is kept as two halves.</summary>
    public int MemberCount => _desired.Count + _defaults;

    /// <summary>More members than the kernel would take: not written at all, what is there stays.</summary>
    public bool IsTooLarge => MemberCount > Metadata.MaxElements || RefusedByKernel;

    /// <summary>The kernel said that it is full; until the members change again.</summary>
    public bool RefusedByKernel { get; set; }

    // The kernel divides its limit among the parts of its table and refuses a member when one part is full; an eighth more is more than chance makes them differ.
    private uint KernelMaximum => (uint)Metadata.MaxElements + (uint)Metadata.MaxElements / 8 + 1024;

    /// <summary>What the kernel's set is told to be.</summary>
    public IpSetHeader Header(string name, IpFamily family, int hashSize) =>
        new(name, TypeName(Metadata.Type), family, KernelMaximum, (uint)hashSize);

    /// <summary>The kernel has a set of the name: does it have the right form? If so its members are read next.</summary>
    public void CompareForm(IpSetHeader actual, IpFamily family)
    {
        bool sameType = actual.TypeName == TypeName(Metadata.Type) && actual.Family == family;
        Shape = !sameType ? IpSetShape.WrongType : actual.MaxElements == KernelMaximum ? IpSetShape.Right : IpSetShape.Wrong;
    }

    /// <summary>The members were read: what differs is now known exactly.</summary>
    public void CompareMembers(List<IpSetEntry> actual)
    {
        _toAdd.Clear();
        _toDelete.Clear();
        HashSet<IpSetMember> present = new(actual.Count);
        foreach (IpSetEntry entry in actual)
        {
            IpSetMember member = new(entry.Prefix, entry.Protocol, entry.Port);
            present.Add(member);
            if (!IsWanted(member))
            {
                _toDelete.Add(member);
            }
        }

        foreach (IpSetMember member in KernelMembers)
        {
            if (!present.Contains(member))
            {
                _toAdd.Add(member);
            }
        }
    }

    public void MarkWritten()
    {
        Shape = IpSetShape.Right;
        _toAdd.Clear();
        _toDelete.Clear();
    }

    private static string TypeName(IpSetType type) => type switch { IpSetType.Ip => IpSetTypes.Ip, IpSetType.Net => IpSetTypes.Net, _ => IpSetTypes.IpPort };

    private void Note(IpSetMember member, bool was)
    {
        bool now = IsWanted(member);
        if (was == now)
        {
            return;
        }

        if (now ? !_toDelete.Remove(member) : !_toAdd.Remove(member))
        {
            (now ? _toAdd : _toDelete).Add(member);
        }
    }

    // hash:net has no /0: it is kept as its two halves, which may also be members in their own right.
    private void ChangeDefault(IpSetMember member, Func<HashSet<IpSetMember>, IpSetMember, bool> change)
    {
        IpSetMember[] halves = HalvesOf(member.Prefix);
        bool[] was = [IsWanted(halves[0]), IsWanted(halves[1])];
        if (change(_desired, member))
        {
            _defaults = _desired.Contains(member) ? 1 : 0;
        }

        Note(halves[0], was[0]);
        Note(halves[1], was[1]);
    }

    private bool IsWanted(IpSetMember member) =>
        _desired.Contains(member)
        || (member.Prefix.Length == 1 && member.Protocol == 0 && _desired.Contains(new IpSetMember(new IpPrefix(member.Prefix.Address, 0))));

    private IEnumerable<IpSetMember> Halves() => _desired.Where(static m => m.Prefix.IsDefault).SelectMany(static m => HalvesOf(m.Prefix));

    private static IpSetMember[] HalvesOf(IpPrefix all) =>
        [new(new IpPrefix(all.Address, 1)), new(new IpPrefix(all.Address.Add(UInt128.One << (all.Address.BitLength - 1)), 1))];
}

/// <summary>How the kernel's set stands to the metadata.</summary>
internal enum IpSetShape
{
    Right,

    Missing,

    /// <summary>Other parameters: written anew beside it, then swapped.</summary>
    Wrong,

    /// <summary>Another type: the kernel does not swap these; it is destroyed first, which works only while no rule uses it.</summary>
    WrongType,
}
