using System.Runtime.InteropServices;
using Weft.Bgp.Policies;
using Weft.Bgp.Rib;

namespace Weft.Bgp.Export;

/// <summary>Working memory of a flush, shared by all groups of one RIB loop: one flush runs at a time.</summary>
internal sealed class GroupScratch
{
    private readonly ulong[] _keys = new ulong[Size];
    private readonly int[] _order = new int[Size];
    private readonly PrefixId[] _prefixes = new PrefixId[Size];
    private readonly MatchedRules[] _matched = new MatchedRules[Size];
    private readonly ulong[] _withdrawals = new ulong[Size];
    private readonly List<PrefixId> _freed = [];

    private const int Size = 1024;

    /// <summary>A prefix to withdraw from all members but the one it came from, as one number that sorts by member, then prefix.</summary>
    internal readonly record struct Withdrawal(ulong Key)
    {
        public PeerId Except => (PeerId)(Key >> 32);

        public PrefixId Prefix => (PrefixId)Key;
    }

    /// <summary>For groups that tell several paths.</summary>
    public PathScratch Paths { get; } = new();

    public int Count { get; private set; }

    public int WithdrawCount { get; private set; }

    /// <summary>The attribute section being repeated. A block and some: a two-octet peer's path is narrowed in place. Few blocks are long: what is never written takes no memory.</summary>
    public byte[] Attributes { get; } = GC.AllocateUninitializedArray<byte>(PolicyScratch.Bytes + 136 * 1024);

    public SessionEdits AfterPolicy { get; } = new();

    public byte[] NextHop { get; } = new byte[32];

    /// <summary>Prefixes a group lost interest in during the flush: perhaps nobody needs their rows any more.</summary>
    public List<PrefixId> FreedPrefixes => _freed;

    public void Clear()
    {
        Count = 0;
        WithdrawCount = 0;
    }

    public void Freed(PrefixId prefix) => _freed.Add(prefix);

    public void Add(PrefixId prefix, AttributeId attributes, PeerId source, in MatchedRules matched)
    {
        int at = Count++;
        _keys[at] = (ulong)attributes << 32 | (ulong)source << 16 | (ushort)matched.Fold();
        _order[at] = at;
        _prefixes[at] = prefix;
        if (matched.Count != 0)
        {
            _matched[at] = matched;
        }
        else
        {
            _matched[at].Forget();
        }
    }

    public void AddWithdraw(PrefixId prefix, PeerId except) => _withdrawals[WithdrawCount++] = (ulong)except << 32 | (uint)prefix;

    public ReadOnlySpan<Withdrawal> SortedWithdrawals()
    {
        Span<ulong> all = _withdrawals.AsSpan(0, WithdrawCount);
        bool sorted = true;
        for (int i = 1; i < all.Length && sorted; i++)
        {
            sorted = all[i - 1] <= all[i];
        }

        if (!sorted)
        {
            all.Sort();
        }

        return MemoryMarshal.Cast<ulong, Withdrawal>(all);
    }

    /// <summary>Equal attributes next to each other. Mostly they already are: prefixes of one UPDATE got neighbouring ids.</summary>
    public void SortAnnouncements()
    {
        Span<ulong> keys = _keys.AsSpan(0, Count);
        bool sorted = true;
        for (int i = 1; i < keys.Length && sorted; i++)
        {
            sorted = keys[i - 1] <= keys[i];
        }

        if (!sorted)
        {
            keys.Sort(_order.AsSpan(0, Count));
        }
    }

    public bool SameRun(int a, int b) => _keys[a] == _keys[b] && _matched[_order[a]].SameAs(in _matched[_order[b]]);

    public PrefixId PrefixOf(int at) => _prefixes[_order[at]];

    public AttributeId AttributesOf(int at) => (AttributeId)(_keys[at] >> 32);

    public PeerId SourceOf(int at) => (PeerId)(ushort)(_keys[at] >> 16);

    public ref readonly MatchedRules MatchedOf(int at) => ref _matched[_order[at]];
}
