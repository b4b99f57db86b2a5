using System.Collections.Immutable;
using CsCheck;
using Weft.Bgp.Policies;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Policies;

public sealed class PolicyProgramTests
{
    private static readonly PolicyContext s_context = new(NaiveRoute.LocalAs, IpAddress.Parse("10.0.0.7"));

    private static readonly RoaTable s_roas = new(
    [
        new RouteOriginAuthorization(IpPrefix.Parse("10.0.0.0/8"), 16, 1), new RouteOriginAuthorization(IpPrefix.Parse("10.1.0.0/16"), 24, 2),
        new RouteOriginAuthorization(IpPrefix.Parse("10.1.0.0/16"), 16, 3), new RouteOriginAuthorization(IpPrefix.Parse("fd00::/8"), 48, 1),
    ]);

    private static CommunityPattern Pattern(string text)
    {
        Assert.True(CommunityPattern.TryParse(text, out CommunityPattern pattern), text);
        return pattern;
    }

    private static bool Run(RoutePolicy policy, NaiveRoute route, out byte[] result)
    {
        var scratch = new PolicyScratch();
        byte[] block = route.Block();
        result = block;
        if (PolicyProgram.Compile(policy, s_context) is not PolicyProgram program)
        {
            return true;
        }

        PolicyRoute view = route.View(scratch, block, s_roas);
        bool accepted = program.Evaluate(in view, out MatchedRules matched);
        result = program.Apply(in matched, block, scratch.First, scratch.Second).ToArray();
        PolicyTrace trace = program.Trace(in view);
        Assert.Equal(accepted, trace.Accepted);
        return accepted;
    }

    private static readonly Gen<IpPrefix> s_prefix = Gen.OneOf(
        Gen.Select(Gen.UInt[0, 3], Gen.UInt[0, 3], Gen.Int[6, 26]).Select((a, b, length) => new IpPrefix(IpAddress.FromIPv4(10u << 24 | a << 16 | b << 14), length)),
        Gen.Select(Gen.UInt[0, 3], Gen.Int[6, 64]).Select((a, length) => new IpPrefix(IpAddress.FromIPv6((UInt128)0xfd00 << 112 | (UInt128)a << 100), length)));

    private static readonly Gen<PrefixMatch> s_match = Gen.Select(s_prefix, Gen.Int[0, 6], Gen.Int[0, 20], Gen.Int[0, 5]).Select((p, low, more, negated) =>
        new PrefixMatch(p, p.Length + Math.Min(low, p.Address.BitLength - p.Length), Math.Min(p.Length + low + more, p.Address.BitLength), negated == 0));

    private static readonly Gen<uint> s_as = Gen.UInt[1, 4];

    private static readonly Gen<string> s_exact = Gen.OneOf(
        Gen.Select(Gen.UInt[1, 2], Gen.UInt[1, 3]).Select((a, b) => $"{a}:{b}"), Gen.Select(Gen.UInt[1, 2], Gen.UInt[1, 2], Gen.UInt[1, 2]).Select((a, b, c) => $"{a}:{b}:{c}"),
        Gen.Select(Gen.UInt[1, 2], Gen.UInt[1, 3]).Select((a, b) => $"rt:{a}:{b}"), Gen.UInt[1, 2].Select(a => $"soo:10.0.0.{a}:1"));

    private static readonly Gen<string> s_pattern = Gen.OneOf(
        s_exact, Gen.Const("1:*"), Gen.Const("*:2"), Gen.Const("1:2-3"), Gen.Const("*"), Gen.Const("1:*:2"), Gen.Const("*:*:*"), Gen.Const("rt:1:*"), Gen.Const("ext:*"), Gen.Const("ext:0x01*"));

    private static readonly Gen<PolicyCondition> s_condition = Gen.Select(
        Gen.OneOf<PolicyCondition>(
            s_match.Array[1, 5].Select(m => (PolicyCondition)new PolicyCondition.Prefix([.. m])),
            s_pattern.Array[1, 3].Select(p => (PolicyCondition)new PolicyCondition.Community([.. p.Select(Pattern)])),
            Gen.Select(Gen.Int[0, 6], Gen.UInt[0, 6], Gen.UInt[0, 100]).Select((n, low, more) => (PolicyCondition)new PolicyCondition.Number((RouteNumber)n, [new NumberRange(low, low + more)])),
            s_prefix.Select(p => (PolicyCondition)new PolicyCondition.NextHop([p])),
            Gen.Const((PolicyCondition)new PolicyCondition.Peer(["a"], [IpPrefix.Parse("10.0.0.2/32")])),
            Gen.OneOf(Gen.Const(RouteSources.Bgp), Gen.Const(RouteSources.Local), Gen.Const(RouteSources.Internal)).Select(s => (PolicyCondition)new PolicyCondition.Source(s)),
            Gen.Bool.Select(b => (PolicyCondition)new PolicyCondition.PeerType(b ? PeerTypeMatch.Internal : PeerTypeMatch.External)),
            Gen.Bool.Select(b => (PolicyCondition)new PolicyCondition.Family(b ? IpFamily.IPv4 : IpFamily.IPv6)),
            Gen.Int[0, 2].Select(o => (PolicyCondition)new PolicyCondition.Origin((RouteOrigin)o)),
            Gen.Int[0, 2].Select(s => (PolicyCondition)new PolicyCondition.Rpki((RpkiState)s)),
            Gen.OneOf(Gen.Const("^1 .*"), Gen.Const("2$"), Gen.Const("^$"), Gen.Const("65000")).Select(p => (PolicyCondition)new PolicyCondition.AsPath(AsPathPattern.Parse(p)))),
        Gen.Int[0, 3]).Select((c, negated) => c with { Negated = negated == 0 });

    private static readonly Gen<RouteEdit> s_edit = Gen.OneOf(
        Gen.UInt[0, 200].Select(RouteEdit.SetLocalPreference), Gen.UInt[0, 9].Select(RouteEdit.SetMed), Gen.OneOf(Gen.UInt[0, 9], Gen.Const(uint.MaxValue)).Select(RouteEdit.AddMed),
        Gen.UInt[0, 9].Select(RouteEdit.SubtractMed), Gen.Const(RouteEdit.ClearMed()), Gen.Int[0, 2].Select(o => RouteEdit.SetOrigin((RouteOrigin)o)), Gen.UInt[0, 3].Select(RouteEdit.SetWeight),
        Gen.Const(RouteEdit.SetNextHop(IpAddress.Parse("10.0.0.9"))), Gen.Const(RouteEdit.NextHopSelf()), Gen.Const(RouteEdit.NextHopPeer()),
        s_exact.Select(c => RouteEdit.Add(Pattern(c))), s_pattern.Select(c => RouteEdit.Remove(Pattern(c))), s_as.Select(RouteEdit.PrependAs), Gen.Int[1, 3].Select(RouteEdit.PrependOwnAs));

    private static readonly Gen<PolicyRule> s_rule = Gen.Select(s_match.Array[0, 3], s_condition.Array[0, 3], s_edit.Array[0, 4], Gen.Int[0, 4]).Select((prefixes, conditions, edits, verdict) => new PolicyRule
    {
        Name = "r", Prefixes = [.. prefixes], Conditions = [.. conditions], Edits = [.. edits],
        Verdict = verdict switch { 0 => PolicyVerdict.Accept, 1 => PolicyVerdict.Reject, _ => PolicyVerdict.Continue },
    });

    private static readonly Gen<RoutePolicy> s_policy = Gen.Select(s_rule.Array[0, 8], Gen.Bool).Select((rules, accept) =>
        new RoutePolicy { Rules = [.. rules], Default = accept ? PolicyVerdict.Accept : PolicyVerdict.Reject });

    private static Func<NaiveRoute> Route(IpPrefix prefix, uint[] path, uint[] numbers, string[] communities)
    {
        // A new one each time: the naive evaluator changes it.
        return () =>
        {
            bool local = numbers[0] == 0;
            var route = new NaiveRoute
            {
                Prefix = prefix, Path = [.. path], Source = local ? RouteSources.Static : numbers[0] == 1 ? RouteSources.Internal : RouteSources.External, PeerIsInternal = numbers[1] % 2 == 0,
                PeerName = local ? null : numbers[1] < 2 ? "a" : "b", PeerAddress = local ? default : IpAddress.Parse($"10.0.0.{numbers[2]}"), Origin = (RouteOrigin)(numbers[1] % 3),
                Med = numbers[2] == 0 ? null : numbers[2], LocalPreference = numbers[3] == 0 ? null : 98 + numbers[3], Weight = numbers[0] == 3 ? 2u : 0,
                NextHop = local ? default : IpAddress.Parse("10.1.2.3"),
            };
            foreach (CommunityPattern community in communities.Distinct().Select(Pattern))
            {
                switch (community.Kind)
                {
                    case CommunityKind.Standard:
                        route.Communities.Add(community.Standard);
                        break;
                    case CommunityKind.Large:
                        route.Large.Add(community.Large);
                        break;
                    default:
                        route.Extended.Add(community.Extended);
                        break;
                }
            }

            return route;
        };
    }

    private static readonly Gen<Func<NaiveRoute>> s_route =
        Gen.Select(s_prefix, s_as.Array[0, 4], Gen.UInt[0, 3].Array[4], s_exact.Array[0, 4]).Select(Route);

    [Fact]
    public void Program_DecidesAndEditsAsANaiveReadingDoes() => Gen.Select(s_policy, s_route).Sample(
        (policy, route) =>
        {
            NaiveRoute naive = route();
            bool expected = naive.Run(policy, s_roas);

            bool accepted = Run(policy, route(), out byte[] result);

            Assert.Equal(expected, accepted);
            if (accepted)
            {
                Assert.Equal(Convert.ToHexString(naive.Block()), Convert.ToHexString(result));
            }
        },
        iter: 10_000);

    [Fact]
    public void ManyPrefixes_MatchAsOneByOne() => Gen.Select(s_match.Array[0, 60], s_prefix.Array[20]).Sample(
        (matches, routes) =>
        {
            var set = new PrefixSet(matches);

            Assert.All(routes, r => Assert.Equal(matches.Any(m => m.Matches(in r)), set.Matches(in r)));
        },
        iter: 5_000);

    [Fact]
    public void Authorizations_ValidateAsRfc6811Says()
    {
        Gen<RouteOriginAuthorization> roa = Gen.Select(s_prefix, Gen.Int[0, 8], Gen.UInt[0, 3])
            .Select((p, more, origin) => new RouteOriginAuthorization(p, Math.Min(p.Length + more, p.Address.BitLength), origin));
        Gen.Select(roa.Array[0, 40], s_prefix.Array[20], Gen.UInt[0, 4]).Sample(
            (roas, routes, origin) =>
            {
                var table = new RoaTable(roas);
                foreach (IpPrefix route in routes)
                {
                    RouteOriginAuthorization[] covering = [.. roas.Where(r => r.Prefix.Contains(route))];
                    RpkiState expected = covering.Length == 0 ? RpkiState.NotFound
                        : covering.Any(r => origin != 0 && r.Origin == origin && route.Length <= r.MaximumLength) ? RpkiState.Valid : RpkiState.Invalid;
                    Assert.Equal(expected, table.Validate(in route, origin));
                }
            },
            iter: 5_000);
    }

    [Fact]
    public void SetAtTheEndOfThePath_IsNeverValid()
    {
        var table = new RoaTable([new RouteOriginAuthorization(IpPrefix.Parse("10.0.0.0/8"), 8, 1)]);
        IpPrefix route = IpPrefix.Parse("10.0.0.0/8");

        Assert.False(AsPathSegments.TryOrigin([2, 1, 0, 0, 0, 9, 1, 1, 0, 0, 0, 1], 5, out _));
        Assert.Equal(RpkiState.Invalid, table.Validate(in route, hasOrigin: false, 1));
        Assert.True(AsPathSegments.TryOrigin([3, 1, 0, 0, 0, 1], 5, out uint origin));
        Assert.Equal(5u, origin);
    }

    [Fact]
    public void EvaluateAndApply_AllocateNothing_AlsoWhenRulesSeeEarlierEdits()
    {
        RoutePolicy policy = new()
        {
            Rules =
            [
                new PolicyRule { Edits = [RouteEdit.AddCommunity(7), RouteEdit.SetMed(5)], Verdict = PolicyVerdict.Continue },
                new PolicyRule
                {
                    Prefixes = [.. Enumerable.Range(0, 1000).Select(i => PrefixMatch.Inside(new IpPrefix(IpAddress.FromIPv4(10u << 24 | (uint)i << 14), 18)))],
                    Conditions =
                    [
                        new PolicyCondition.Community([CommunityPattern.Of(7)]), new PolicyCondition.AsPath(AsPathPattern.Parse("^1 .* 3$")), new PolicyCondition.Rpki(RpkiState.Invalid),
                        new PolicyCondition.Peer(["b", "a"], []), new PolicyCondition.Interface(["eth*"]),
                    ],
                    Edits = [RouteEdit.PrependOwnAs(2), RouteEdit.Add(Pattern("rt:1:1"))],
                    Verdict = PolicyVerdict.Accept,
                },
            ],
            Default = PolicyVerdict.Reject,
        };
        PolicyProgram program = PolicyProgram.Compile(policy, s_context)!;
        NaiveRoute route = Route(IpPrefix.Parse("10.1.0.0/24"), [1, 2, 3], [2, 1, 1, 1], ["1:1"])();
        byte[] block = route.Block();
        var scratch = new PolicyScratch();
        int changed = 0;
        long allocated = 0;
        for (int round = 0; round < 2; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                PolicyRoute view = new()
                {
                    Prefix = route.Prefix, Source = route.Source, PeerIsInternal = false, LocalPreference = 100, Attributes = block, LocalAs = 5, PeerName = "a", Interface = "eth0",
                    Roas = s_roas, Scratch = scratch,
                };
                changed += program.Evaluate(in view, out MatchedRules matched) ? program.Apply(in matched, block, scratch.First, scratch.Second).Length : 0;
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.True(changed > 2000 * block.Length);
        Assert.Equal(0, allocated);
    }

    [Fact]
    public void MoreThan512EditingRules_AreRefusedWithTheNumber()
    {
        PolicyRule edit = new() { Edits = [RouteEdit.ClearMed()], Verdict = PolicyVerdict.Continue };
        RoutePolicy policy = new() { Rules = [.. Enumerable.Repeat(edit, 513)], Default = PolicyVerdict.Accept };

        Assert.Equal("513 rules change a route and continue; at most 512 may", policy.Problem());
        Assert.Null((policy with { Rules = [.. policy.Rules.Take(512)] }).Problem());
    }

    [Fact]
    public void PolicyThatAcceptsAllUnchanged_CostsNothing()
    {
        Assert.Null(PolicyProgram.Compile(RoutePolicy.AcceptAll));
        Assert.Null(PolicyProgram.Compile(new RoutePolicy { Rules = [new PolicyRule { Verdict = PolicyVerdict.Accept }], Default = PolicyVerdict.Accept }));
        Assert.NotNull(PolicyProgram.Compile(new RoutePolicy { Rules = [new PolicyRule { Verdict = PolicyVerdict.Accept }], Default = PolicyVerdict.Reject }));
    }

    [Theory]
    [InlineData("eth*", "eth0", true)]
    [InlineData("eth*", "et", false)]
    [InlineData("*.cali", "vxlan.cali", true)]
    [InlineData("*.cali", "vxlan.calico", false)]
    [InlineData("c*l?*0", "cali7890", true)]
    [InlineData("*", "x", true)]
    [InlineData("eth0", "eth01", false)]
    public void LinkNames_FitByStars(string pattern, string name, bool fits) =>
        Assert.Equal(fits, PolicyProgram.FitsGlob(System.Text.Encoding.ASCII.GetBytes(pattern), System.Text.Encoding.ASCII.GetBytes(name)));

    [Theory]
    [InlineData("65000:100")]
    [InlineData("no-export")]
    [InlineData("65000:*")]
    [InlineData("65000:1-9")]
    [InlineData("*")]
    [InlineData("1:2:3")]
    [InlineData("1:*:3")]
    [InlineData("rt:65000:4294967295")]
    [InlineData("rt:70000:65535")]
    [InlineData("rt:0.7:5")]
    [InlineData("soo:10.0.0.1:5")]
    [InlineData("rt:1:*")]
    [InlineData("ext:*")]
    [InlineData("ext:0x03*")]
    [InlineData("ext:0x430c000000000000")]
    public void Communities_AreWrittenAsTheyAreRead(string text) => Assert.Equal(text, Pattern(text).ToString());

    [Theory]
    [InlineData("65536:1")]
    [InlineData("1:2:3:4")]
    [InlineData("rt:70000:65536")]
    [InlineData("5-1:1")]
    [InlineData("ext:0x12")]
    [InlineData("ext:12")]
    [InlineData("no-export-at-all")]
    [InlineData("")]
    public void WhatIsNoCommunity_IsRefused(string text) => Assert.False(CommunityPattern.TryParse(text, out _));

    [Fact]
    public void Trace_NamesEachRule_WhatItChanged_AndWhatDidNotHold()
    {
        RoutePolicy policy = new()
        {
            Rules =
            [
                new PolicyRule { Name = "one", Conditions = [new PolicyCondition.Community([Pattern("9:9")])], Verdict = PolicyVerdict.Reject },
                new PolicyRule { Name = "two", Edits = [RouteEdit.AddCommunity(9 << 16 | 9), RouteEdit.ClearMed()], Verdict = PolicyVerdict.Continue },
                new PolicyRule { Name = "three", Conditions = [new PolicyCondition.Community([Pattern("9:9")])], Edits = [RouteEdit.SetLocalPreference(7)], Verdict = PolicyVerdict.Accept },
                new PolicyRule { Name = "four", Verdict = PolicyVerdict.Reject },
            ],
            Default = PolicyVerdict.Reject,
        };
        NaiveRoute route = Route(IpPrefix.Parse("10.1.0.0/24"), [1], [2, 1, 0, 1], [])();

        PolicyRoute view = route.View(new PolicyScratch(), route.Block(), null);
        PolicyTrace trace = PolicyProgram.Compile(policy, s_context)!.Trace(in view);

        Assert.True(trace.Accepted);
        Assert.Equal("three", trace.DecidedBy);
        Assert.Equal(["one", "two", "three"], trace.Steps.Select(s => s.Rule));
        Assert.Equal("community 9:9", trace.Steps[0].Unmet);
        Assert.Equal(["community add 9:9", "med none (no change)"], trace.Steps[1].Changes);
        Assert.Equal(["local-pref 7"], trace.Steps[2].Changes);
    }
}
