using System.Text;
using Weft.Primitives.Net;

namespace Weft.Bgp.Policies;

/// <summary>Parts of a route that edits write and tests read.</summary>
[Flags]
internal enum RouteAspects : ushort
{
    None = 0,
    LocalPreference = 1,
    Med = 2,
    Origin = 4,
    Weight = 8,
    NextHop = 16,
    Communities = 32,
    LargeCommunities = 64,
    ExtendedCommunities = 128,
    AsPath = 256,
}

/// <summary>What a test looks at; ordered by cost, and run in this order within a rule.</summary>
internal enum TestKind : byte
{
    Family,
    PeerType,
    Source,
    Prefix,
    Peer,
    Origin,
    LocalPreference,
    Med,
    Weight,
    NextHop,
    FirstAs,
    Community,
    PathLength,
    OriginAs,
    AnyAs,
    AsPath,
    Interface,
    Rpki,
}

/// <summary>One test. 12 octets.</summary>
/// <param name="Operand">A value, or where in the table of the kind.</param>
/// <param name="Count">Ranges from there, for numbers.</param>
/// <param name="Condition">Which condition of the rule it comes from; -1: its prefixes.</param>
internal readonly record struct Test(TestKind Kind, bool Negated, short Condition, int Operand, int Count = 0);

/// <summary>One rule as ranges of the flat arrays.</summary>
/// <param name="Bit">Number among the rules that edit and continue.</param>
internal readonly record struct Rule(int TestStart, int TestEnd, int EditStart, int EditEnd, int Bit, RouteAspects Reads, RouteAspects Writes, PolicyVerdict Verdict);

/// <summary>What tests point into.</summary>
internal sealed class PolicyTables
{
    public required PrefixSet[] Prefixes { get; init; }

    public required NumberRange[] Ranges { get; init; }

    public required AsPathAutomaton[] Automata { get; init; }

    public required CommunityPattern[][] Communities { get; init; }

    public required PeerSet[] Peers { get; init; }

    /// <summary>Patterns of link names in ASCII.</summary>
    public required byte[][][] Links { get; init; }

    internal sealed record PeerSet(string[] Names, PrefixSet Addresses);
}

/// <summary>Lays a policy out flat. Lives as long as the compilation.</summary>
internal sealed class PolicyCompiler
{
    private readonly List<Test> _tests = [];
    private readonly List<RouteEdit> _edits = [];
    private readonly List<int> _passing = [];
    private readonly List<PrefixSet> _prefixes = [];
    private readonly List<NumberRange> _ranges = [];
    private readonly List<AsPathAutomaton> _automata = [];
    private readonly List<CommunityPattern[]> _communities = [];
    private readonly List<PolicyTables.PeerSet> _peers = [];
    private readonly List<byte[][]> _links = [];

    public PolicyCompiler(RoutePolicy policy)
    {
        if (PolicyProgram.Check(policy) is { } problem)
        {
            throw new ArgumentException(problem, nameof(policy));
        }

        Rules = [.. policy.Rules.Select((rule, index) => Add(rule, index))];
        (Tests, Edits, Passing) = ([.. _tests], [.. _edits], [.. _passing]);
        Tables = new PolicyTables
        {
            Prefixes = [.. _prefixes], Ranges = [.. _ranges], Automata = [.. _automata], Communities = [.. _communities], Peers = [.. _peers], Links = [.. _links],
        };
    }

    public Rule[] Rules { get; }

    public Test[] Tests { get; }

    public RouteEdit[] Edits { get; }

    public int[] Passing { get; }

    public PolicyTables Tables { get; }

    /// <summary>The words of a test's condition.</summary>
    public static string TextOf(PolicyRule rule, short condition) =>
        (condition < 0 ? new PolicyCondition.Prefix(rule.Prefixes) : rule.Conditions[condition]).ToString();

    private Rule Add(PolicyRule rule, int index)
    {
        int testStart = _tests.Count;
        int editStart = _edits.Count;
        if (!rule.Prefixes.IsEmpty)
        {
            Add(new Test(TestKind.Prefix, Negated: false, Condition: -1, Put(_prefixes, new PrefixSet(rule.Prefixes))));
        }

        for (int i = 0; i < rule.Conditions.Length; i++)
        {
            Add(Compile(rule.Conditions[i]) with { Negated = rule.Conditions[i].Negated, Condition = (short)i });
        }

        _tests.Sort(testStart, _tests.Count - testStart, Comparer<Test>.Create(static (a, b) => a.Kind.CompareTo(b.Kind)));
        RouteAspects reads = RouteAspects.None;
        for (int i = testStart; i < _tests.Count; i++)
        {
            reads |= Reads(_tests[i]);
        }

        RouteAspects writes = RouteAspects.None;
        foreach (RouteEdit edit in rule.Verdict == PolicyVerdict.Reject ? [] : rule.Edits)
        {
            _edits.Add(edit);
            writes |= Writes(in edit);
        }

        int bit = rule.Verdict == PolicyVerdict.Continue && _edits.Count > editStart ? Put(_passing, index) : -1;
        return new Rule(testStart, _tests.Count, editStart, _edits.Count, bit, reads, writes, rule.Verdict);
    }

    private void Add(Test test) => _tests.Add(test);

    private Test Compile(PolicyCondition condition) => condition switch
    {
        PolicyCondition.Prefix c => New(TestKind.Prefix, Put(_prefixes, new PrefixSet(c.Matches))),
        PolicyCondition.Community c => New(TestKind.Community, Put(_communities, [.. c.Patterns])),
        PolicyCondition.AsPath c => New(TestKind.AsPath, Put(_automata, c.Pattern.Automaton)),
        PolicyCondition.Number c => Number(c),
        PolicyCondition.NextHop c => New(TestKind.NextHop, Put(_prefixes, Inside(c.Prefixes))),
        PolicyCondition.Peer c => New(TestKind.Peer, Put(_peers, new PolicyTables.PeerSet([.. c.Names], Inside(c.Addresses)))),
        PolicyCondition.Source c => New(TestKind.Source, (int)c.Sources),
        PolicyCondition.PeerType c => New(TestKind.PeerType, (int)c.Type),
        PolicyCondition.Interface c => New(TestKind.Interface, Put(_links, [.. c.Patterns.Select(Encoding.ASCII.GetBytes)])),
        PolicyCondition.Family c => New(TestKind.Family, (int)c.Of),
        PolicyCondition.Rpki c => New(TestKind.Rpki, (int)c.State),
        PolicyCondition.Origin c => New(TestKind.Origin, (int)c.Is),
        _ => throw new InvalidOperationException($"no test for {condition}"),
    };

    private static Test New(TestKind kind, int operand) => new(kind, Negated: false, Condition: 0, operand);

    private static PrefixSet Inside(IEnumerable<IpPrefix> prefixes) => new(prefixes.Select(PrefixMatch.Inside));

    private Test Number(PolicyCondition.Number condition)
    {
        int start = _ranges.Count;
        _ranges.AddRange(condition.Ranges);
        TestKind kind = condition.Of switch
        {
            RouteNumber.LocalPreference => TestKind.LocalPreference,
            RouteNumber.Med => TestKind.Med,
            RouteNumber.PathLength => TestKind.PathLength,
            RouteNumber.OriginAs => TestKind.OriginAs,
            RouteNumber.FirstAs => TestKind.FirstAs,
            RouteNumber.AnyAs => TestKind.AnyAs,
            _ => TestKind.Weight,
        };
        return New(kind, start) with { Count = condition.Ranges.Length };
    }

    private RouteAspects Reads(in Test test) => test.Kind switch
    {
        TestKind.LocalPreference => RouteAspects.LocalPreference,
        TestKind.Med => RouteAspects.Med,
        TestKind.Weight => RouteAspects.Weight,
        TestKind.Origin => RouteAspects.Origin,
        TestKind.NextHop => RouteAspects.NextHop,
        TestKind.PathLength or TestKind.OriginAs or TestKind.FirstAs or TestKind.AnyAs or TestKind.AsPath or TestKind.Rpki => RouteAspects.AsPath,
        TestKind.Community => _communities[test.Operand].Aggregate(RouteAspects.None, static (all, p) => all | AspectOf(p.Kind)),
        _ => RouteAspects.None,
    };

    private static RouteAspects Writes(in RouteEdit edit) => edit.Kind switch
    {
        RouteEditKind.SetLocalPreference => RouteAspects.LocalPreference,
        RouteEditKind.SetMed or RouteEditKind.AddMed or RouteEditKind.SubtractMed or RouteEditKind.ClearMed => RouteAspects.Med,
        RouteEditKind.SetOrigin => RouteAspects.Origin,
        RouteEditKind.SetWeight => RouteAspects.Weight,
        RouteEditKind.SetNextHop or RouteEditKind.NextHopSelf or RouteEditKind.NextHopPeer => RouteAspects.NextHop,
        RouteEditKind.PrependAs or RouteEditKind.PrependOwnAs => RouteAspects.AsPath,
        _ => AspectOf(edit.Community.Kind),
    };

    private static RouteAspects AspectOf(CommunityKind kind) => kind switch
    {
        CommunityKind.Standard => RouteAspects.Communities,
        CommunityKind.Large => RouteAspects.LargeCommunities,
        _ => RouteAspects.ExtendedCommunities,
    };

    private static int Put<T>(List<T> table, T item)
    {
        table.Add(item);
        return table.Count - 1;
    }
}
