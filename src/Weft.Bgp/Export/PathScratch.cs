using Weft.Bgp.Policies;
using Weft.Bgp.Rib;

namespace Weft.Bgp.Export;

/// <summary>A path that may be told, and what export policy said of it.</summary>
internal struct PathCandidate
{
    public PrefixId Prefix;
    public PathId Path;
    public AttributeId Attributes;
    public PeerId Source;
    public MatchedRules Matched;
}

/// <summary>A told path to be taken back.</summary>
internal readonly record struct PathWithdrawal(PrefixId Prefix, PathId Path, Audience Audience)
{
    /// <summary>Equal for equal audiences.</summary>
    public uint Order => (uint)Audience.Source << 16 | (uint)Audience.Only;
}

/// <summary>Working memory of the flush of groups that send several paths; grows to what one window needs and stays so. One per RIB loop.</summary>
internal sealed class PathScratch
{
    private PathCandidate[] _announcements = new PathCandidate[16];
    private PathWithdrawal[] _withdrawals = new PathWithdrawal[16];
    private ulong[] _keys = [];
    private int[] _order = [];
    private PathId[] _ranked = [];

    public int Count { get; private set; }

    public int WithdrawCount { get; private set; }

    /// <summary>Prefixes of the window.</summary>
    public List<PrefixId> Prefixes { get; } = [];

    public void Clear()
    {
        (Count, WithdrawCount) = (0, 0);
        Prefixes.Clear();
    }

    /// <summary>The announcement at this place of the order.</summary>
    public ref PathCandidate this[int at] => ref _announcements[_order[at]];

    /// <summary>Room for one more announcement at the end, taken by <see cref="Keep"/>.</summary>
    public ref PathCandidate Next()
    {
        if (Count == _announcements.Length)
        {
            Array.Resize(ref _announcements, 2 * Count);
        }

        return ref _announcements[Count];
    }

    public void Keep() => Count++;

    /// <summary>Announcements in the order they were added, from one place on.</summary>
    public Span<PathCandidate> From(int start) => _announcements.AsSpan(start, Count - start);

    /// <summary>Forgets those at the end.</summary>
    public void Truncate(int count) => Count = count;

    /// <summary>Room to rank paths.</summary>
    public Span<PathId> Ranking(int count)
    {
        if (_ranked.Length < count)
        {
            _ranked = new PathId[Math.Max(16, 2 * count)];
        }

        return _ranked.AsSpan(0, count);
    }

    public void AddWithdraw(in PathWithdrawal withdrawal)
    {
        if (WithdrawCount == _withdrawals.Length)
        {
            Array.Resize(ref _withdrawals, 2 * WithdrawCount);
        }

        _withdrawals[WithdrawCount++] = withdrawal;
    }

    /// <summary>By audience.</summary>
    public ReadOnlySpan<PathWithdrawal> SortedWithdrawals()
    {
        Span<PathWithdrawal> all = _withdrawals.AsSpan(0, WithdrawCount);
        all.Sort(static (a, b) => a.Order.CompareTo(b.Order));
        return all;
    }

    public void ForgetWithdrawals() => WithdrawCount = 0;

    /// <summary>Equal attributes, source and policy outcome next to each other.</summary>
    public void SortAnnouncements()
    {
        if (_keys.Length < Count)
        {
            (_keys, _order) = (new ulong[2 * Count], new int[2 * Count]);
        }

        for (int i = 0; i < Count; i++)
        {
            ref PathCandidate candidate = ref _announcements[i];
            _keys[i] = (ulong)candidate.Attributes << 32 | (ulong)candidate.Source << 16 | (ushort)candidate.Matched.Fold();
            _order[i] = i;
        }

        _keys.AsSpan(0, Count).Sort(_order.AsSpan(0, Count));
    }

    public bool SameRun(int a, int b) => _keys[a] == _keys[b] && this[a].Matched.SameAs(in this[b].Matched);
}
