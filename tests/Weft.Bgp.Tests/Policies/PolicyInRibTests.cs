using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Policies;

/// <summary>What the tables make of policies: re-evaluation, weight, explanations, groups.</summary>
public sealed class PolicyInRibTests
{
    private static RoutePolicy Policy(PolicyVerdict otherwise, params PolicyRule[] rules) => new() { Rules = [.. rules], Default = otherwise };

    private static PolicyRule Rule(string name, PolicyVerdict verdict, PolicyCondition? condition = null, params RouteEdit[] edits) =>
        new() { Name = name, Conditions = condition is null ? [] : [condition], Edits = [.. edits], Verdict = verdict };

    private static RoaTable Roas(params (string Prefix, uint Origin)[] roas) =>
        new(roas.Select(r => new RouteOriginAuthorization(IpPrefix.Parse(r.Prefix), IpPrefix.Parse(r.Prefix).Length, r.Origin)));

    private static void Use(RibHarness rib, RoaTable old, RoaTable now)
    {
        rib.Rib.UseRoas(now, RoaTable.Difference(old, now));
        rib.Settle();
    }

    [Fact]
    public void RequiredPolicyThatIsMissing_AcceptsAndSendsNothing_ToExternalPeersOnly()
    {
        var rib = new RibHarness();
        rib.Up("external", "10.0.0.10", 65010, s => s with { RequirePolicy = true });
        rib.Up("internal", "10.0.0.20", 65001, s => s with { RequirePolicy = true });
        rib.Up("written", "10.0.0.30", 65030, s => s with { RequirePolicy = true, Import = RoutePolicy.AcceptAll, Export = RoutePolicy.AcceptAll });
        rib.Announce("external", "10.1.0.0/24", "65010");
        rib.Announce("internal", "10.2.0.0/24");
        rib.Announce("written", "10.3.0.0/24", "65030");
        rib.Settle();

        Assert.Empty(rib["external"].Prefixes);
        Assert.Equal(["10.3.0.0/24"], rib["internal"].Prefixes);
        Assert.Equal(["10.2.0.0/24"], rib["written"].Prefixes);
        Assert.Equal((1, 0), (rib.Rib.Describe(rib["external"].Id)!.Received, rib.Rib.Describe(rib["external"].Id)!.Accepted));
        RouteExplanation refused = Assert.Single(rib.Rib.Explain(IpPrefix.Parse("10.1.0.0/24"), PeerId.None, PeerId.None));
        Assert.Equal(PathStanding.PolicyMissing, refused.Route.Standing);
        Assert.Contains("RFC 8212", refused.Import!.DecidedBy);
        Assert.Contains("RFC 8212", Assert.Single(rib.Rib.Explain(IpPrefix.Parse("10.3.0.0/24"), PeerId.None, rib["external"].Id)).Export!.Policy!.DecidedBy);

        rib.Rib.UpdatePeer(rib["external"].Id, rib["external"].Settings with { RequirePolicy = false });
        rib.Settle();
        Assert.Equal(["10.2.0.0/24", "10.3.0.0/24"], rib["external"].Prefixes);
        Assert.Equal(1, rib.Rib.Describe(rib["external"].Id)!.Accepted);
    }

    [Fact]
    public void NewAuthorizations_AreFollowedOnImportAndOnExport_WithoutThePeers()
    {
        RoutePolicy noInvalid = Policy(PolicyVerdict.Accept, Rule("no invalid", PolicyVerdict.Reject, new PolicyCondition.Rpki(RpkiState.Invalid)));
        var rib = new RibHarness();
        rib.Up("in", "10.0.0.10", 65010, s => s with { Import = noInvalid });
        rib.Up("free", "10.0.0.11", 65011);
        TestPeer filtered = rib.Up("out", "10.0.0.20", 65020, s => s with { Export = noInvalid });
        TestPeer all = rib.Up("all", "10.0.0.30", 65030);
        rib.Announce("in", "10.1.0.0/16", "65010 7");
        rib.Announce("free", "10.2.0.0/16", "65011 7");
        rib.Settle();
        RoaTable wrong = Roas(("10.1.0.0/16", 8), ("10.2.0.0/16", 8), ("10.9.0.0/16", 1));

        Use(rib, RoaTable.Empty, wrong);
        Assert.Equal((string[])["10.2.0.0/16"], all.Prefixes);
        Assert.Empty(filtered.Prefixes);

        Use(rib, wrong, Roas(("10.1.0.0/16", 7), ("10.2.0.0/16", 7)));
        Assert.Equal((string[])["10.1.0.0/16", "10.2.0.0/16"], all.Prefixes);
        Assert.Equal((string[])["10.1.0.0/16", "10.2.0.0/16"], filtered.Prefixes);
        Assert.Equal((1, 1), (rib.Rib.Describe(rib["in"].Id)!.Received, rib.Rib.Describe(rib["in"].Id)!.Accepted));
    }

    [Fact]
    public void Weight_WinsBeforeLocalPreference_AndIsNeverSent()
    {
        var rib = new RibHarness();
        rib.Up("heavy", "10.0.0.10", 65010, s => s with { Import = Policy(PolicyVerdict.Reject, Rule("w", PolicyVerdict.Accept, null, RouteEdit.SetWeight(5))) });
        rib.Up("preferred", "10.0.0.11", 65011, s => s with { Import = Policy(PolicyVerdict.Reject, Rule("p", PolicyVerdict.Accept, null, RouteEdit.SetLocalPreference(900))) });
        TestPeer other = rib.Up("other", "10.0.0.20", 65020);
        rib.Announce("preferred", "10.1.0.0/16", "65011");
        rib.Settle();
        rib.Announce("heavy", "10.1.0.0/16", "65010 1 2 3");
        rib.Settle();

        Assert.Equal("65001 65010 1 2 3", other.Path("10.1.0.0/16"));
        Assert.True(PrivateAttribute.Find(other.Seen[IpPrefix.Parse("10.1.0.0/16")]).IsEmpty);
        RouteExplanation[] explained = [.. rib.Rib.Explain(IpPrefix.Parse("10.1.0.0/16"), PeerId.None, PeerId.None)];
        Assert.Equal((5u, PathStanding.Best), (explained[0].Route.Weight, explained[0].Route.Standing));
        Assert.Equal(PathStanding.Weight, explained[1].Route.Standing);
    }

    [Fact]
    public void Explanation_NamesTheRuleThatRefused_AndWhyAPeerIsNotTold()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010, s => s with { Import = Policy(PolicyVerdict.Reject, Rule("only 9", PolicyVerdict.Accept, new PolicyCondition.Number(RouteNumber.AnyAs, [NumberRange.Of(9)]))) });
        rib.Up("b", "10.0.0.11", 65011);
        rib.Up("out", "10.0.0.20", 65020, s => s with { Export = Policy(PolicyVerdict.Accept, Rule("not to him", PolicyVerdict.Reject, new PolicyCondition.Peer(["b"], []))) });
        rib.Announce("a", "10.1.0.0/16", "65010");
        rib.Announce("b", "10.1.0.0/16", "65011", extra: [0xC0, 8, 4, 0xFF, 0xFF, 0xFF, 1]);
        rib.Settle();

        RouteExplanation[] to = [.. rib.Rib.Explain(IpPrefix.Parse("10.1.0.0/16"), PeerId.None, rib["out"].Id)];

        Assert.Equal("b", to[0].Route.PeerName);
        Assert.Null(to[0].Import);
        Assert.Equal("the route carries no-export and the neighbour is external", to[0].Export!.Barred);
        Assert.Equal("a", to[1].Route.PeerName);
        Assert.False(to[1].Import!.Accepted);
        Assert.Null(to[1].Import!.DecidedBy);
        Assert.Equal("has-as 9", Assert.Single(to[1].Import!.Steps).Unmet);
        rib.Announce("b", "10.1.0.0/16", "65011");
        rib.Settle();
        RouteExplanation told = rib.Rib.Explain(IpPrefix.Parse("10.1.0.0/16"), rib["b"].Id, rib["out"].Id)[0];
        Assert.Equal(("not to him", false), (told.Export!.Policy!.DecidedBy, told.Export.Announced));
    }

    [Fact]
    public void PoliciesThatSayTheSame_ShareAGroup_AndAreNotRunAgain()
    {
        static RoutePolicy Same() => Policy(PolicyVerdict.Accept, Rule("x", PolicyVerdict.Reject, new PolicyCondition.AsPath(AsPathPattern.Parse("9"))));
        var rib = new RibHarness();
        TestPeer a = rib.Up("a", "10.0.0.10", 65010, s => s with { Export = Same(), Import = Same() });
        TestPeer b = rib.Up("b", "10.0.0.11", 65010, s => s with { Export = Same() });
        rib.Up("c", "10.0.0.12", 65012);
        rib.Announce("c", "10.1.0.0/16", "65012");
        rib.Settle();
        int messages = a.Messages + b.Messages;

        rib.Rib.UpdatePeer(a.Id, a.Settings with { Export = Same(), Import = Same() });
        rib.Settle();

        Assert.Equal(2, rib.Rib.Export.Groups.Count);
        Assert.Equal(messages, a.Messages + b.Messages);
    }

    [Fact]
    public void LinkOfTheNextHop_IsSeen_AndFollowedWhenItChanges()
    {
        var links = new Links { Link = "eth0" };
        var rib = new RibHarness(resolver: links);
        rib.Up("a", "10.0.0.10", 65010, s => s with { Import = Policy(PolicyVerdict.Reject, Rule("eth", PolicyVerdict.Accept, new PolicyCondition.Interface(["eth*"]))) });
        TestPeer other = rib.Up("b", "10.0.0.11", 65011);
        rib.Announce("a", "10.1.0.0/16", "65010");
        rib.Settle();
        Assert.Equal((string[])["10.1.0.0/16"], other.Prefixes);

        links.Link = "wlan0";
        rib.Rib.ResolveNextHops();
        rib.Settle();

        Assert.Empty(other.Prefixes);
    }

    [Fact]
    public void RoutesOfOurOwn_AreKnownByWhereTheyCameFrom()
    {
        RoutePolicy policy = Policy(
            PolicyVerdict.Reject, Rule("pods", PolicyVerdict.Accept, new PolicyCondition.Interface(["cali*"])), Rule("static", PolicyVerdict.Accept, new PolicyCondition.Source(RouteSources.Static)));
        var rib = new RibHarness();
        TestPeer peer = rib.Up("a", "10.0.0.10", 65010, s => s with { Export = policy });
        rib.Rib.Originate(IpPrefix.Parse("10.1.0.0/16"), CanonicalBuilder.Build(RouteAttributes.Default));
        rib.Rib.Originate(IpPrefix.Parse("10.1.0.1/32"), CanonicalBuilder.Build(RouteAttributes.Default with { FromKernel = true, Interface = "cali123" }));
        rib.Rib.Originate(IpPrefix.Parse("10.1.0.2/32"), CanonicalBuilder.Build(RouteAttributes.Default with { FromKernel = true, Interface = "tunl0" }));
        rib.Settle();

        Assert.Equal((string[])["10.1.0.0/16", "10.1.0.1/32"], peer.Prefixes);
    }

    private sealed class Links : INextHopResolver
    {
        public string? Link { get; set; }

        public NextHopState Resolve(IpAddress nextHop) => NextHopState.Connected;

        public string? LinkTo(IpAddress nextHop) => Link;
    }
}
