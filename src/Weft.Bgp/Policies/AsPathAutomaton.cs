using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Weft.Bgp.Wire;

namespace Weft.Bgp.Policies;

/// <summary>
/// A pattern over AS numbers as the position automaton of Glushkov, run on bits: one bit per letter of the pattern, set while the path read so far may end there.
/// Two tables drive it: for each letter the letters that may follow, and for each class of AS numbers that the pattern tells apart the letters it fits. Nothing is
/// allocated per path; an AS_SET simply fits what any of its members fits, which a table of single states could not say.
/// </summary>
internal sealed class AsPathAutomaton
{
    /// <summary>Bounds a step's work: eight words.</summary>
    public const int MaximumPositions = 512;

    private readonly int _words;

    /// <summary>Class of AS number n: the last of these that is not above n.</summary>
    private readonly uint[] _classes;
    private readonly ulong[] _fits;
    private readonly ulong[] _follow;
    private readonly ulong[] _first;
    private readonly ulong[] _last;
    private readonly bool _matchesEmpty;

    private AsPathAutomaton(Builder builder, Fragment whole)
    {
        _words = Math.Max(1, (builder.Letters.Count + 63) / 64);
        _matchesEmpty = whole.IsNullable;
        _first = Pack([whole.First]);
        _last = Pack([whole.Last]);
        _follow = Pack(builder.Follow);
        _classes = [.. builder.Letters.SelectMany(static l => l.Ranges)
            .SelectMany(static r => r.High == uint.MaxValue ? (uint[])[r.Low] : [r.Low, r.High + 1]).Append(0u).Distinct().Order()];
        _fits = Pack([.. _classes.Select(n => builder.Letters.Index().Where(l => l.Item.Ranges.Any(r => r.Contains(n))).Select(l => l.Index).ToHashSet())]);
    }

    public static bool TryBuild(AsPathNode root, [NotNullWhen(true)] out AsPathAutomaton? automaton)
    {
        var builder = new Builder();
        Fragment whole = builder.Add(root);
        automaton = builder.IsTooLarge ? null : new AsPathAutomaton(builder, whole);
        return automaton is not null;
    }

    /// <param name="path">AS_PATH in four-octet form, well-formed.</param>
    public bool Matches(ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty)
        {
            return _matchesEmpty;
        }

        return _words == 1 ? MatchesOneWord(path) : MatchesWords(path);
    }

    private bool MatchesOneWord(ReadOnlySpan<byte> path)
    {
        ulong next = _first[0];
        ulong state = 0;
        while (!path.IsEmpty)
        {
            int members = path[1];
            bool set = AsPathSegments.IsSet(path[0]);
            ulong fits = 0;
            for (int i = 0; i < members; i++)
            {
                fits |= _fits[ClassOf(BinaryPrimitives.ReadUInt32BigEndian(path[(2 + 4 * i)..]))];
                if (set && i + 1 < members)
                {
                    continue;
                }

                state = next & fits;
                if (state == 0)
                {
                    return false;
                }

                fits = 0;
                next = 0;
                for (ulong rest = state; rest != 0; rest &= rest - 1)
                {
                    next |= _follow[BitOperations.TrailingZeroCount(rest)];
                }
            }

            path = path[(2 + 4 * members)..];
        }

        return (state & _last[0]) != 0;
    }

    private bool MatchesWords(ReadOnlySpan<byte> path)
    {
        Span<ulong> next = stackalloc ulong[_words];
        Span<ulong> fits = stackalloc ulong[_words];
        Span<ulong> state = stackalloc ulong[_words];
        _first.CopyTo(next);
        state.Clear();
        while (!path.IsEmpty)
        {
            int members = path[1];
            bool set = AsPathSegments.IsSet(path[0]);
            fits.Clear();
            for (int i = 0; i < members; i++)
            {
                Or(fits, _fits, ClassOf(BinaryPrimitives.ReadUInt32BigEndian(path[(2 + 4 * i)..])));
                if (set && i + 1 < members)
                {
                    continue;
                }

                if (!Step(next, fits, state))
                {
                    return false;
                }

                fits.Clear();
            }

            path = path[(2 + 4 * members)..];
        }

        bool matches = false;
        for (int w = 0; w < _words; w++)
        {
            matches |= (state[w] & _last[w]) != 0;
        }

        return matches;
    }

    private bool Step(Span<ulong> next, ReadOnlySpan<ulong> fits, Span<ulong> state)
    {
        ulong any = 0;
        for (int w = 0; w < state.Length; w++)
        {
            state[w] = next[w] & fits[w];
            any |= state[w];
            next[w] = 0;
        }

        for (int w = 0; w < state.Length; w++)
        {
            for (ulong rest = state[w]; rest != 0; rest &= rest - 1)
            {
                Or(next, _follow, w * 64 + BitOperations.TrailingZeroCount(rest));
            }
        }

        return any != 0;
    }

    private void Or(Span<ulong> target, ulong[] table, int row)
    {
        ReadOnlySpan<ulong> source = table.AsSpan(row * _words, _words);
        for (int w = 0; w < source.Length; w++)
        {
            target[w] |= source[w];
        }
    }

    private int ClassOf(uint number)
    {
        int low = 0;
        int high = _classes.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) >> 1;
            if (_classes[middle] <= number)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return low;
    }

    private ulong[] Pack(IReadOnlyList<HashSet<int>> sets)
    {
        ulong[] packed = new ulong[Math.Max(1, sets.Count) * _words];
        for (int i = 0; i < sets.Count; i++)
        {
            foreach (int position in sets[i])
            {
                packed[i * _words + (position >> 6)] |= 1UL << (position & 63);
            }
        }

        return packed;
    }

    /// <summary>A part of the pattern: may it be empty, which letters may begin it, which may end it.</summary>
    private readonly record struct Fragment(bool IsNullable, HashSet<int> First, HashSet<int> Last);

    private sealed class Builder
    {
        public List<AsPathNode.Letter> Letters { get; } = [];

        public List<HashSet<int>> Follow { get; } = [];

        /// <summary>Building stops at the bound, so that nested repetitions cannot fill the memory first.</summary>
        public bool IsTooLarge => Letters.Count > MaximumPositions;

        public Fragment Add(AsPathNode node) => node switch
        {
            AsPathNode.Letter letter => AddLetter(letter),
            AsPathNode.Sequence sequence => sequence.Items.Aggregate(new Fragment(true, [], []), (so, item) => Join(so, Add(item))),
            AsPathNode.Either either => AddEither(either),
            AsPathNode.Repeat repeat => AddRepeat(repeat),
            _ => throw new InvalidOperationException($"a pattern cannot hold {node}"),
        };

        private Fragment AddLetter(AsPathNode.Letter letter)
        {
            if (IsTooLarge)
            {
                return new Fragment(true, [], []);
            }

            int position = Letters.Count;
            Letters.Add(letter);
            Follow.Add([]);
            return new Fragment(false, [position], [position]);
        }

        private Fragment AddEither(AsPathNode.Either either)
        {
            bool nullable = false;
            HashSet<int> first = [];
            HashSet<int> last = [];
            foreach (AsPathNode item in either.Items)
            {
                Fragment part = Add(item);
                nullable |= part.IsNullable;
                first.UnionWith(part.First);
                last.UnionWith(part.Last);
            }

            return new Fragment(nullable, first, last);
        }

        /// <summary>
        /// a{2,4} is a a (a (a)?)?, and a{2,} is a a a*: every copy has letters of its own. What has none, such as a{0}, is the same however often it is repeated; writing
        /// it out would take forever where such repetitions are nested, for no bound counts what is not there.
        /// </summary>
        private Fragment AddRepeat(AsPathNode.Repeat repeat)
        {
            Fragment whole = new(true, [], []);
            int before = Letters.Count;
            for (int i = 0; i < repeat.Minimum && !IsTooLarge; i++)
            {
                whole = Join(whole, Add(repeat.Item));
                if (Letters.Count == before)
                {
                    return whole;
                }
            }

            if (repeat.Maximum < 0)
            {
                Fragment loop = Add(repeat.Item);
                Connect(loop.Last, loop.First);
                return Join(whole, loop with { IsNullable = true });
            }

            Fragment tail = new(true, [], []);
            before = Letters.Count;
            for (int i = repeat.Minimum; i < repeat.Maximum && !IsTooLarge; i++)
            {
                tail = Join(Add(repeat.Item), tail) with { IsNullable = true };
                if (Letters.Count == before)
                {
                    break;
                }
            }

            return Join(whole, tail);
        }

        private Fragment Join(Fragment a, Fragment b)
        {
            Connect(a.Last, b.First);
            return new Fragment(
                a.IsNullable && b.IsNullable,
                a.IsNullable ? [.. a.First, .. b.First] : a.First,
                b.IsNullable ? [.. a.Last, .. b.Last] : b.Last);
        }

        private void Connect(HashSet<int> from, HashSet<int> to)
        {
            foreach (int position in from)
            {
                Follow[position].UnionWith(to);
            }
        }
    }
}

/// <summary>Questions about the segments of a path that only policy asks.</summary>
internal static class AsPathSegments
{
    public static bool IsSet(byte type) => type is AsPath.Set or AsPath.ConfederationSet;

    /// <summary>RFC 6811 2: the AS a route originates in; our own for an empty path and for one that never left the confederation, none (false) for a set.</summary>
    public static bool TryOrigin(ReadOnlySpan<byte> path, uint localAs, out uint origin)
    {
        origin = localAs;
        byte last = AsPath.Sequence;
        while (!path.IsEmpty)
        {
            int members = path[1];
            last = path[0];
            origin = AsPath.IsConfederation(last) ? localAs : BinaryPrimitives.ReadUInt32BigEndian(path[(2 + 4 * (members - 1))..]);
            path = path[(2 + 4 * members)..];
        }

        return last != AsPath.Set;
    }

    public static bool HasAny(ReadOnlySpan<byte> path, ReadOnlySpan<NumberRange> ranges)
    {
        while (!path.IsEmpty)
        {
            int members = path[1];
            for (int i = 0; i < members; i++)
            {
                if (Contains(ranges, BinaryPrimitives.ReadUInt32BigEndian(path[(2 + 4 * i)..])))
                {
                    return true;
                }
            }

            path = path[(2 + 4 * members)..];
        }

        return false;
    }

    public static bool Contains(ReadOnlySpan<NumberRange> ranges, uint number)
    {
        foreach (NumberRange range in ranges)
        {
            if (range.Contains(number))
            {
                return true;
            }
        }

        return false;
    }
}
