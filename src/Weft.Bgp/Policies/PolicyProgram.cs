using System.Buffers.Binary;
using System.Text;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Policies;

/// <summary>
/// A <see cref="RoutePolicy"/> ready to run: rules as ranges of one flat array of tests, tests that point into tables (prefix sets, automata), edits as ranges of
/// another. One pass, no allocation. Deciding and editing are apart, because a table is decided route by route and edited once per set of attributes:
/// <code>
///   Evaluate: rule 0 [test test] rule 1 [test] ...  -> accepted?, MatchedRules        Apply: MatchedRules x block -> block
/// </code>
/// A rule sees what the rules before it changed. Only where one asks for what an earlier one may have changed are edits made during the decision, in the scratch of
/// the loop. Owned by one RIB loop.
/// </summary>
internal sealed class PolicyProgram
{
    /// <summary>Octets all edits of a policy together may add to a route.</summary>
    public const int MaximumGrowth = 128 * 1024;

    private readonly Rule[] _rules;
    private readonly Test[] _tests;
    private readonly RouteEdit[] _edits;

    /// <summary>The rule of each bit of <see cref="MatchedRules"/>.</summary>
    private readonly int[] _passing;
    private readonly PolicyTables _tables;
    private readonly PolicyContext _context;
    private readonly bool _acceptsByDefault;

    private PolicyProgram(RoutePolicy policy, in PolicyContext context)
    {
        Source = policy;
        var compiler = new PolicyCompiler(policy);
        (_rules, _tests, _edits, _passing, _tables) = (compiler.Rules, compiler.Tests, compiler.Edits, compiler.Passing, compiler.Tables);
        _context = context;
        _acceptsByDefault = policy.Default == PolicyVerdict.Accept;
        ReadsRpki = _tests.Any(static t => t.Kind == TestKind.Rpki);
        ReadsInterface = _tests.Any(static t => t.Kind == TestKind.Interface);
    }

    public RoutePolicy Source { get; }

    /// <summary>Another table of authorizations may change the outcome.</summary>
    public bool ReadsRpki { get; }

    /// <summary>Another way to a next hop may change the outcome.</summary>
    public bool ReadsInterface { get; }

    /// <summary>Null: everything is accepted unchanged.</summary>
    public static PolicyProgram? Compile(RoutePolicy? policy, in PolicyContext context = default) =>
        policy is null || (policy.Default == PolicyVerdict.Accept && policy.Rules.All(static r => r.Edits.IsEmpty && r.Verdict != PolicyVerdict.Reject))
            ? null
            : new PolicyProgram(policy, in context);

    /// <summary>Why a policy cannot be compiled; null when it can.</summary>
    public static string? Check(RoutePolicy policy)
    {
        int passing = policy.Rules.Count(static r => r.Verdict == PolicyVerdict.Continue && !r.Edits.IsEmpty);
        long growth = policy.Rules.Sum(static r => r.Edits.Sum(static e => (long)AttributeRewriter.Growth(in e)));
        return passing > MatchedRules.Maximum ? $"{passing} rules change a route and continue; at most {MatchedRules.Maximum} may"
            : growth > MaximumGrowth && LongestWay(policy) > MaximumGrowth ? $"its changes together could add more than {MaximumGrowth} octets to a route"
            : null;
    }

    /// <summary>Octets added to a route that every continuing rule fits and that the rule with the most edits accepts.</summary>
    private static long LongestWay(RoutePolicy policy)
    {
        long Growth(PolicyRule rule) => rule.Edits.Sum(static e => (long)AttributeRewriter.Growth(in e));
        return policy.Rules.Where(static r => r.Verdict == PolicyVerdict.Continue).Sum(Growth)
            + policy.Rules.Where(static r => r.Verdict == PolicyVerdict.Accept).Select(Growth).DefaultIfEmpty().Max();
    }

    /// <summary>True when the route is accepted.</summary>
    public bool Evaluate(in PolicyRoute route, out MatchedRules matched)
    {
        matched = default;
        var view = new View(route.Attributes, route.Scratch);
        for (int i = 0; i < _rules.Length; i++)
        {
            ref readonly Rule rule = ref _rules[i];
            if ((rule.Reads & view.Pending) != 0)
            {
                Materialize(in matched, ref view);
            }

            if (FirstUnmet(in rule, in route, view.Block) >= 0)
            {
                continue;
            }

            if (rule.Verdict != PolicyVerdict.Continue)
            {
                if (rule.Verdict == PolicyVerdict.Accept && rule.EditEnd != rule.EditStart)
                {
                    matched.Decide(i);
                }

                return rule.Verdict == PolicyVerdict.Accept;
            }

            if (rule.EditEnd != rule.EditStart)
            {
                matched.Pass(rule.Bit);
                view.Pending |= rule.Writes;
            }
        }

        return _acceptsByDefault;
    }

    /// <summary>
    /// Applies the edits. The result stands in <paramref name="first"/> or <paramref name="second"/> (of <see cref="PolicyScratch.Bytes"/> each), or is the block itself
    /// when there are none.
    /// </summary>
    public ReadOnlySpan<byte> Apply(scoped in MatchedRules matched, ReadOnlySpan<byte> block, Span<byte> first, Span<byte> second)
    {
        for (int bit = matched.NextPassed(0); bit >= 0; bit = matched.NextPassed(bit + 1))
        {
            block = Edit(_passing[bit], block, ref first, ref second);
        }

        return matched.Deciding >= 0 ? Edit(matched.Deciding, block, ref first, ref second) : block;
    }

    /// <summary>True when an edit of this kind is among the matched.</summary>
    public bool Edits(in MatchedRules matched, RouteAspects aspect)
    {
        RouteAspects written = matched.Deciding >= 0 ? _rules[matched.Deciding].Writes : 0;
        for (int bit = matched.NextPassed(0); bit >= 0; bit = matched.NextPassed(bit + 1))
        {
            written |= _rules[_passing[bit]].Writes;
        }

        return (written & aspect) != 0;
    }

    /// <summary>
    /// The same decision with a record of every rule looked at. Allocates: for operators only. Rules behind the one that decided are not listed.
    /// </summary>
    public PolicyTrace Trace(in PolicyRoute route, string? none = null)
    {
        var steps = System.Collections.Immutable.ImmutableArray.CreateBuilder<PolicyStep>();
        byte[] first = new byte[PolicyScratch.Bytes];
        byte[] second = new byte[PolicyScratch.Bytes];
        Span<byte> a = first;
        Span<byte> b = second;
        ReadOnlySpan<byte> block = route.Attributes;
        for (int i = 0; i < _rules.Length; i++)
        {
            ref readonly Rule rule = ref _rules[i];
            PolicyRule source = Source.Rules[i];
            int unmet = FirstUnmet(in rule, in route, block);
            if (unmet >= 0)
            {
                steps.Add(new PolicyStep { Rule = source.Name, Matched = false, Unmet = PolicyCompiler.TextOf(source, _tests[unmet].Condition) });
                continue;
            }

            List<string> changes = [];
            for (int e = rule.EditStart; e < rule.EditEnd && rule.Verdict != PolicyVerdict.Reject; e++)
            {
                int length = AttributeRewriter.Apply(in _edits[e], in _context, block, a);
                changes.Add(a[..length].SequenceEqual(block) ? $"{_edits[e]} (no change)" : _edits[e].ToString());
                block = a[..length];
                Span<byte> swap = a;
                a = b;
                b = swap;
            }

            steps.Add(new PolicyStep { Rule = source.Name, Matched = true, Changes = [.. changes], Verdict = rule.Verdict });
            if (rule.Verdict != PolicyVerdict.Continue)
            {
                return new PolicyTrace(steps.ToImmutable(), rule.Verdict == PolicyVerdict.Accept, source.Name);
            }
        }

        return new PolicyTrace(steps.ToImmutable(), _acceptsByDefault, none);
    }

    /// <summary>Makes the edits of the rules passed so far visible to the next test.</summary>
    private void Materialize(in MatchedRules matched, scoped ref View view)
    {
        PolicyScratch scratch = view.Scratch ?? throw new InvalidOperationException("a policy that looks at its own changes needs a scratch");
        if (view.Next == 0)
        {
            view.First = scratch.First;
            view.Second = scratch.Second;
        }

        for (int bit = matched.NextPassed(view.Next); bit >= 0; bit = matched.NextPassed(bit + 1))
        {
            view.Block = Edit(_passing[bit], view.Block, ref view.First, ref view.Second);
            view.Next = bit + 1;
        }

        view.Pending = 0;
    }

    private ReadOnlySpan<byte> Edit(int rule, ReadOnlySpan<byte> block, scoped ref Span<byte> first, scoped ref Span<byte> second)
    {
        ref readonly Rule edited = ref _rules[rule];
        for (int i = edited.EditStart; i < edited.EditEnd; i++)
        {
            int length = AttributeRewriter.Apply(in _edits[i], in _context, block, first);
            block = first[..length];
            Span<byte> swap = first;
            first = second;
            second = swap;
        }

        return block;
    }

    /// <summary>The first test of the rule that fails; -1: the rule matches.</summary>
    private int FirstUnmet(in Rule rule, in PolicyRoute route, ReadOnlySpan<byte> block)
    {
        for (int i = rule.TestStart; i < rule.TestEnd; i++)
        {
            ref readonly Test test = ref _tests[i];
            if (Holds(in test, in route, block) == test.Negated)
            {
                return i;
            }
        }

        return -1;
    }

    private bool Holds(in Test test, in PolicyRoute route, ReadOnlySpan<byte> block) => test.Kind switch
    {
        TestKind.Family => (int)route.Prefix.Family == test.Operand,
        TestKind.Source => ((int)route.Source & test.Operand) != 0,
        TestKind.PeerType => route.PeerIsInternal == (test.Operand == (int)PeerTypeMatch.Internal),
        TestKind.Prefix => _tables.Prefixes[test.Operand].Matches(route.Prefix),
        TestKind.LocalPreference => InRange(in test, NumberOr(block, AttributeType.LocalPreference, route.LocalPreference)),
        TestKind.Med => InRange(in test, NumberOr(block, AttributeType.Med, 0)),
        TestKind.Weight => InRange(in test, PrivateAttribute.Weight(PrivateAttribute.Find(block))),
        TestKind.PathLength => InRange(in test, (uint)AsPath.Length(CanonicalAttributes.Find(block, AttributeType.AsPath))),
        TestKind.OriginAs => AsPathSegments.TryOrigin(CanonicalAttributes.Find(block, AttributeType.AsPath), route.LocalAs, out uint origin) && InRange(in test, origin),
        TestKind.FirstAs => InRange(in test, AsPath.First(CanonicalAttributes.Find(block, AttributeType.AsPath))),
        TestKind.AnyAs => AsPathSegments.HasAny(CanonicalAttributes.Find(block, AttributeType.AsPath), Ranges(in test)),
        TestKind.AsPath => _tables.Automata[test.Operand].Matches(CanonicalAttributes.Find(block, AttributeType.AsPath)),
        TestKind.Community => HasCommunity(_tables.Communities[test.Operand], block),
        TestKind.NextHop => HasNextHop(_tables.Prefixes[test.Operand], block),
        TestKind.Origin => CanonicalAttributes.Find(block, AttributeType.Origin) is { Length: 1 } value && value[0] == test.Operand,
        TestKind.Peer => IsPeer(_tables.Peers[test.Operand], in route),
        TestKind.Interface => HasInterface(_tables.Links[test.Operand], in route),
        _ => (int)StateOf(in route, block) == test.Operand,
    };

    private ReadOnlySpan<NumberRange> Ranges(in Test test) => _tables.Ranges.AsSpan(test.Operand, test.Count);

    private bool InRange(in Test test, uint number) => AsPathSegments.Contains(Ranges(in test), number);

    private static uint NumberOr(ReadOnlySpan<byte> block, AttributeType type, uint absent)
    {
        ReadOnlySpan<byte> value = CanonicalAttributes.Find(block, type);
        return value.Length == 4 ? BinaryPrimitives.ReadUInt32BigEndian(value) : absent;
    }

    private static bool HasCommunity(CommunityPattern[] patterns, ReadOnlySpan<byte> block)
    {
        foreach (ref readonly CommunityPattern pattern in patterns.AsSpan())
        {
            if (pattern.FitsAny(CanonicalAttributes.Find(block, AttributeRewriter.AttributeOf(pattern.Kind))))
            {
                return true;
            }
        }

        return false;
    }

    private static bool HasNextHop(PrefixSet prefixes, ReadOnlySpan<byte> block)
    {
        ReadOnlySpan<byte> octets = new CanonicalAttributes(block).NextHop;
        return octets.Length >= 4 && prefixes.Matches(IpAddress.FromBytes(octets[..(octets.Length == 4 ? 4 : 16)]).ToPrefix());
    }

    private static bool IsPeer(PolicyTables.PeerSet peers, in PolicyRoute route)
    {
        if (route.PeerName is null)
        {
            return false;
        }

        foreach (string name in peers.Names)
        {
            if (name == route.PeerName)
            {
                return true;
            }
        }

        return peers.Addresses.Matches(route.PeerAddress.ToPrefix());
    }

    private static bool HasInterface(byte[][] patterns, in PolicyRoute route)
    {
        scoped ReadOnlySpan<byte> name = PrivateAttribute.Link(PrivateAttribute.Find(route.Attributes));
        Span<byte> room = stackalloc byte[64];
        if (name.IsEmpty && route.Interface is { Length: > 0 and <= 64 } link)
        {
            name = room[..Encoding.ASCII.GetBytes(link, room)];
        }

        if (name.IsEmpty)
        {
            return false;
        }

        foreach (byte[] pattern in patterns)
        {
            if (FitsGlob(pattern, name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>* any octets, ? one. Goes back to the last * only, which is enough.</summary>
    internal static bool FitsGlob(ReadOnlySpan<byte> pattern, ReadOnlySpan<byte> name)
    {
        int p = 0;
        int n = 0;
        int star = -1;
        int resume = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == (byte)'*')
            {
                star = p++;
                resume = n;
            }
            else if (p < pattern.Length && (pattern[p] == (byte)'?' || pattern[p] == name[n]))
            {
                p++;
                n++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                n = ++resume;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == (byte)'*')
        {
            p++;
        }

        return p == pattern.Length;
    }

    internal static RpkiState StateOf(in PolicyRoute route, ReadOnlySpan<byte> block)
    {
        if (route.Roas is not RoaTable roas)
        {
            return RpkiState.NotFound;
        }

        bool hasOrigin = AsPathSegments.TryOrigin(CanonicalAttributes.Find(block, AttributeType.AsPath), route.LocalAs, out uint origin);
        return roas.Validate(route.Prefix, hasOrigin, origin);
    }

    /// <summary>The route as the rules so far left it.</summary>
    private ref struct View(ReadOnlySpan<byte> block, PolicyScratch? scratch)
    {
        public ReadOnlySpan<byte> Block = block;
        public Span<byte> First;
        public Span<byte> Second;
        public readonly PolicyScratch? Scratch = scratch;

        /// <summary>The first bit of the matched rules that is not in the block yet.</summary>
        public int Next;

        /// <summary>What rules passed have changed that is not in the block yet.</summary>
        public RouteAspects Pending;
    }
}
