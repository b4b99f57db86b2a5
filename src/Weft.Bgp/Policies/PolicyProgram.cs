using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Policies;

/// <summary>What a policy sees of a route beside its attribute block.</summary>
internal readonly ref struct PolicyRoute
{
    public required IpPrefix Prefix { get; init; }

    public required bool IsLocal { get; init; }

    /// <summary>The session it crosses is internal.</summary>
    public required bool PeerIsInternal { get; init; }

    public required uint LocalPreference { get; init; }

    /// <summary>Canonical.</summary>
    public required ReadOnlySpan<byte> Attributes { get; init; }
}

/// <summary>The rules whose edits a route collected, in order. Equal lists on equal attributes give equal results.</summary>
internal struct MatchedRules
{
    /// <summary>More rules with edits than this on one route's way: the further ones are not applied. A policy with so many is refused by <see cref="PolicyProgram"/>.</summary>
    public const int Maximum = 16;

    private Indexes _indexes;

    public int Count { get; private set; }

    public void Add(int rule) => _indexes[Count++] = (ushort)rule;

    public readonly int this[int i] => _indexes[i];

    public readonly bool SameAs(in MatchedRules other)
    {
        if (Count != other.Count)
        {
            return false;
        }

        for (int i = 0; i < Count; i++)
        {
            if (_indexes[i] != other._indexes[i])
            {
                return false;
            }
        }

        return true;
    }

    [InlineArray(Maximum)]
    private struct Indexes
    {
        private ushort _first;
    }
}

/// <summary>
/// A <see cref="RoutePolicy"/> ready to run: one pass over a flat array, no allocation. Conditions look at the attributes as they were before the first edit.
/// Runs on the RIB's loop.
/// </summary>
internal sealed class PolicyProgram
{
    private readonly PolicyRule[] _rules;
    private readonly RouteEdit[][] _edits;
    private readonly PolicyVerdict _default;

    public PolicyProgram(RoutePolicy policy)
    {
        Source = policy;
        _rules = [.. policy.Rules];
        _edits = [.. policy.Rules.Select(static r => r.Edits.ToArray())];
        _default = policy.Default;
        int passing = policy.Rules.Count(static r => r.Verdict == PolicyVerdict.Continue && !r.Edits.IsEmpty);
        if (passing >= MatchedRules.Maximum)
        {
            throw new ArgumentException($"a policy may have at most {MatchedRules.Maximum - 1} rules that edit and continue, not {passing}", nameof(policy));
        }
    }

    public RoutePolicy Source { get; }

    public static PolicyProgram? Compile(RoutePolicy? policy) => policy is null ? null : new PolicyProgram(policy);

    /// <summary>True when the route is accepted.</summary>
    public bool Evaluate(in PolicyRoute route, out MatchedRules matched)
    {
        matched = default;
        for (int i = 0; i < _rules.Length; i++)
        {
            PolicyRule rule = _rules[i];
            if (!Matches(rule, in route))
            {
                continue;
            }

            if (_edits[i].Length != 0 && rule.Verdict != PolicyVerdict.Reject)
            {
                matched.Add(i);
            }

            if (rule.Verdict != PolicyVerdict.Continue)
            {
                return rule.Verdict == PolicyVerdict.Accept;
            }
        }

        return _default == PolicyVerdict.Accept;
    }

    /// <summary>Applies the edits. The result stands in <paramref name="first"/> or <paramref name="second"/>, or is the block itself when there are none.</summary>
    public ReadOnlySpan<byte> Apply(in MatchedRules matched, ReadOnlySpan<byte> block, Span<byte> first, Span<byte> second)
    {
        for (int i = 0; i < matched.Count; i++)
        {
            foreach (ref readonly RouteEdit edit in _edits[matched[i]].AsSpan())
            {
                if (block.Length + AttributeRewriter.Growth > first.Length)
                {
                    return block;
                }

                int length = AttributeRewriter.Apply(in edit, block, first);
                block = first[..length];
                Span<byte> swap = first;
                first = second;
                second = swap;
            }
        }

        return block;
    }

    /// <summary>True when an edit of this kind is among the matched.</summary>
    public bool Edits(in MatchedRules matched, RouteEditKind kind)
    {
        for (int i = 0; i < matched.Count; i++)
        {
            foreach (ref readonly RouteEdit edit in _edits[matched[i]].AsSpan())
            {
                if (edit.Kind == kind)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static bool Matches(PolicyRule rule, in PolicyRoute route)
    {
        bool source = rule.Source switch
        {
            RouteSourceMatch.Peer => !route.IsLocal,
            RouteSourceMatch.Local => route.IsLocal,
            _ => true,
        };
        bool peer = rule.PeerType switch
        {
            PeerTypeMatch.External => !route.PeerIsInternal,
            PeerTypeMatch.Internal => route.PeerIsInternal,
            _ => true,
        };
        return source
            && peer
            && (rule.LocalPreference is not uint preference || preference == route.LocalPreference)
            && MatchesPrefix(rule.Prefixes, route.Prefix)
            && (rule.Community is not uint community
                || AttributeRewriter.Contains(CanonicalAttributes.Find(route.Attributes, AttributeType.Communities), community))
            && (rule.LargeCommunity is not LargeCommunity large
                || AttributeRewriter.Contains(CanonicalAttributes.Find(route.Attributes, AttributeType.LargeCommunities), large))
            && (rule.AsPathPrefix.IsEmpty
                || AsPath.StartsWith(CanonicalAttributes.Find(route.Attributes, AttributeType.AsPath), rule.AsPathPrefix.AsSpan()));
    }

    private static bool MatchesPrefix(ImmutableArray<PrefixMatch> prefixes, in IpPrefix prefix)
    {
        if (prefixes.IsEmpty)
        {
            return true;
        }

        foreach (ref readonly PrefixMatch match in prefixes.AsSpan())
        {
            if (match.Matches(in prefix))
            {
                return true;
            }
        }

        return false;
    }
}
