using System.Runtime.CompilerServices;
using Weft.Primitives.Net;

namespace Weft.Bgp.Policies;

/// <summary>Who we and the neighbour are, for edits that depend on it. A program is compiled for one of these.</summary>
/// <param name="LocalAs">Our AS towards the neighbour.</param>
/// <param name="PeerAddress">Import: the neighbour's address.</param>
/// <param name="IsMember">Our AS is that of a member of a confederation, which stands in AS_CONFED_SEQUENCE (RFC 5065).</param>
internal readonly record struct PolicyContext(uint LocalAs, IpAddress PeerAddress, bool IsMember = false);

/// <summary>What a policy sees of a route beside its attribute block.</summary>
internal readonly ref struct PolicyRoute
{
    public required IpPrefix Prefix { get; init; }

    /// <summary>Exactly one flag.</summary>
    public required RouteSources Source { get; init; }

    /// <summary>The session it crosses is internal.</summary>
    public required bool PeerIsInternal { get; init; }

    /// <summary>With the speaker's default where the route has none.</summary>
    public required uint LocalPreference { get; init; }

    /// <summary>Canonical.</summary>
    public required ReadOnlySpan<byte> Attributes { get; init; }

    /// <summary>Our AS, in which a route with an empty path originates.</summary>
    public uint LocalAs { get; init; }

    /// <summary>The neighbour it was learnt from; null: our own.</summary>
    public string? PeerName { get; init; }

    public IpAddress PeerAddress { get; init; }

    /// <summary>Link of the next hop, where known.</summary>
    public string? Interface { get; init; }

    /// <summary>Null: no authorizations are known.</summary>
    public RoaTable? Roas { get; init; }

    /// <summary>Needed when a rule asks for what an earlier rule may have changed.</summary>
    public PolicyScratch? Scratch { get; init; }
}

/// <summary>Two buffers that edits write to in turn. One per RIB loop; made when the first policy needs it.</summary>
internal sealed class PolicyScratch
{
    /// <summary>The largest block a peer can cause, and what a policy may add.</summary>
    public const int Bytes = 68 * 1024 + PolicyProgram.MaximumGrowth;

    private byte[]? _first;
    private byte[]? _second;

    public byte[] First => _first ??= GC.AllocateUninitializedArray<byte>(Bytes);

    public byte[] Second => _second ??= GC.AllocateUninitializedArray<byte>(Bytes);
}

/// <summary>
/// The rules whose edits a route collected: one bit per rule that edits and continues, and the rule that decided. Rules run in one order, so the set says it all.
/// Equal sets on equal attributes give equal results.
/// </summary>
internal struct MatchedRules
{
    /// <summary>Rules with edits that continue, per policy.</summary>
    public const int Maximum = 512;

    private Words _passed;
    private int _deciding;

    public int Count { get; private set; }

    /// <summary>The deciding rule, when it edits; -1: none.</summary>
    public readonly int Deciding => _deciding - 1;

    public void Pass(int bit)
    {
        _passed[bit >> 6] |= 1UL << (bit & 63);
        Count++;
    }

    public void Decide(int rule)
    {
        _deciding = rule + 1;
        Count++;
    }

    /// <summary>Empty again; the bits stay behind, and nobody looks at them.</summary>
    public void Forget() => (Count, _deciding) = (0, 0);

    public readonly bool SameAs(in MatchedRules other) =>
        Count == other.Count && (Count == 0 || (_deciding == other._deciding && ((ReadOnlySpan<ulong>)_passed).SequenceEqual(other._passed)));

    /// <summary>Equal sets have equal numbers; different ones nearly always differ.</summary>
    public readonly int Fold()
    {
        if (Count == 0)
        {
            return 0;
        }

        ulong folded = (ulong)_deciding;
        foreach (ulong word in _passed)
        {
            folded = (folded ^ word) * 0x9E3779B97F4A7C15;
        }

        return (int)(folded >> 48);
    }

    /// <summary>The next bit at or after <paramref name="from"/>; -1: none.</summary>
    public readonly int NextPassed(int from)
    {
        if (Count == 0)
        {
            return -1;
        }

        for (int word = from >> 6; word < Words.Length; word++, from = word << 6)
        {
            ulong rest = _passed[word] >> (from & 63);
            if (rest != 0)
            {
                return from + System.Numerics.BitOperations.TrailingZeroCount(rest);
            }
        }

        return -1;
    }

    [InlineArray(Length)]
    private struct Words
    {
        public const int Length = Maximum / 64;

        private ulong _first;
    }
}
