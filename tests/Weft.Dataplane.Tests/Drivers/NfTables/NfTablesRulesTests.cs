using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Drivers.NfTables;
using Weft.Dataplane.Rules.Model;
using Weft.Linux;
using Weft.Linux.Netfilter;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Drivers.NfTables;

/// <summary>The driver against the real kernel, looked at and damaged with the nft program.</summary>
public sealed class NfTablesRulesTests : IDisposable
{
    private readonly TestKernel _kernel = new();
    private readonly List<ScriptedNetlink> _sockets = [];

    public static TheoryData<IpFamily> Families => [IpFamily.IPv4, IpFamily.IPv6];

    [Theory]
    [MemberData(nameof(Families))]
    public void Probe_FindsEverything_AndLeavesNothing(IpFamily family)
    {
        string? missing = NfProbe.Missing(family, _kernel.Space);

        Assert.Null(missing);
        Assert.Empty(_kernel.Sh("nft list ruleset").Trim());
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Apply_WritesOnce_ThenNothing_AndSoDoesARestart(IpFamily family)
    {
        NfTablesRules rules = Fill(Open(family), family);

        Assert.True(rules.ApplyUpdates().IsDone);
        string written = Listing();
        Assert.True(rules.ApplyUpdates().IsDone);
        NfTablesRules restarted = Fill(Open(family), family);
        Assert.True(restarted.ApplyUpdates().IsDone);

        Assert.Equal((1L, 1L), (rules.Writes, rules.Reads));
        Assert.Equal((0L, 1L), (restarted.Writes, restarted.Reads));
        Assert.Equal(written, Listing());
        Assert.DoesNotContain("cali-unused", written, StringComparison.Ordinal);
        Assert.DoesNotContain("cali40s-unused", written, StringComparison.Ordinal);
        Assert.Contains("cali1 : goto cali-fw-cali1", written.Replace("\"", string.Empty, StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("add rule ip weft-filter cali-FORWARD accept")]
    [InlineData("insert rule ip weft-filter cali-FORWARD accept")]
    [InlineData("flush chain ip weft-filter cali-FORWARD")]
    [InlineData("add chain ip weft-filter foreign")]
    [InlineData("flush table ip weft-filter")]
    [InlineData("delete table ip weft-filter")]
    [InlineData("add table ip weft-filter { flags dormant; }")]
    [InlineData("add element ip weft-filter cali40s-x { 192.0.2.99 }")]
    [InlineData("delete element ip weft-filter cali40s-x { 192.0.2.1 }")]
    [InlineData("flush set ip weft-filter cali40s-x/24")]
    [InlineData("add set ip weft-filter foreign { type ipv4_addr; }")]
    [InlineData("delete element ip weft-filter cali-from-wl { \"cali1\" }")]
    [InlineData("add element ip weft-filter cali-from-wl { \"cali9\" : accept }")]
    [InlineData("add chain ip weft-filter FORWARD { policy drop; }")]
    [InlineData("delete table ip weft-nat")]
    public void Damage_IsHealed_AtTheNextLook(string damage)
    {
        NfTablesRules rules = Fill(Open(IpFamily.IPv4), IpFamily.IPv4);
        rules.ApplyUpdates();
        string whole = Listing();
        _kernel.Run("nft", damage);
        string damaged = Listing();

        _kernel.Time.Advance(TimeSpan.FromMinutes(4));
        Assert.True(rules.ApplyUpdates().IsDone);

        Assert.NotEqual(whole, damaged);
        Assert.Equal(Sorted(whole), Sorted(Listing()));
        Assert.Equal((2L, 2L), (rules.Writes, rules.Reads));
    }

    [Fact]
    public void Look_ReadsOnlyWhenSomebodyElseWrote()
    {
        NfCommits commits = new();
        NfTablesRules four = Fill(Open(IpFamily.IPv4, commits), IpFamily.IPv4), six = Fill(Open(IpFamily.IPv6, commits), IpFamily.IPv6);
        four.ApplyUpdates();
        six.ApplyUpdates();

        _kernel.Time.Advance(TimeSpan.FromMinutes(4));
        four.ApplyUpdates();
        six.ApplyUpdates();
        Assert.Equal((1L, 1L), (four.Reads, six.Reads));
        _kernel.Sh("nft add table ip foreign");
        _kernel.Time.Advance(TimeSpan.FromMinutes(4));
        four.ApplyUpdates();

        Assert.Equal((2L, 1L), (four.Reads, four.Writes));
        Assert.Contains("foreign", _kernel.Sh("nft list tables"), StringComparison.Ordinal);
    }

    [Fact]
    public void Changes_EqualAFreshWrite()
    {
        NfTablesRules rules = Fill(Open(IpFamily.IPv4), IpFamily.IPv4);
        rules.ApplyUpdates();

        Change(rules);
        Assert.True(rules.ApplyUpdates().IsDone);

        string changed = Listing();
        _kernel.Sh("nft flush ruleset");
        NfTablesRules fresh = Fill(Open(IpFamily.IPv4), IpFamily.IPv4);
        Change(fresh);
        fresh.ApplyUpdates();
        Assert.Equal(Sorted(Listing()), Sorted(changed));
        Assert.DoesNotContain("cali40s-x/24", changed, StringComparison.Ordinal);
        Assert.DoesNotContain("cali-fw-cali1", changed, StringComparison.Ordinal);
        return;

        static void Change(NfTablesRules rules)
        {
            rules.Sets.AddMembers("s:x", [Member("203.0.113.0/28"), Member("192.0.2.7/32")]);
            rules.Sets.RemoveMembers("s:x", [Member("198.51.100.0/24"), Member("192.0.2.1/32")]);
            rules.Filter.SetChain(new Chain("cali-fw-cali3", [new Rule(Match.All, RuleAction.Drop)]));
            rules.Filter.SetDispatch(new Dispatch(
                "cali-from-wl", InterfaceWay.In, new Dictionary<string, string> { ["cali2"] = "cali-fw-cali3", ["cali3"] = "cali-fw-cali3" }, [new Rule(Match.All, RuleAction.Drop)]));
        }
    }

    [Fact]
    public void RemovedChainAndSet_ThatAreStillNamed_AreClosed()
    {
        NfTablesRules rules = Fill(Open(IpFamily.IPv4), IpFamily.IPv4);
        rules.ApplyUpdates();

        rules.Filter.RemoveChain("cali-fw-cali1");
        rules.Sets.Remove("s:x");
        Assert.True(rules.ApplyUpdates().IsDone);

        Assert.Matches(@"chain cali-fw-cali1 \{\s+counter drop comment ""cali:.*; Chain is not defined""", Listing());
        Assert.Matches(@"set cali40s-x \{\s+type ipv4_addr\s+\}", Listing());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Refusal_IsRetried_AndNothingIsLost(bool afterWork)
    {
        NfTablesRules rules = Fill(Open(IpFamily.IPv4), IpFamily.IPv4);
        ScriptedNetlink socket = _sockets[^1];
        (socket.FailAfterWork, socket.Errno) = (afterWork, Errno.ENOBUFS);
        rules.ApplyUpdates();
        string whole = Listing();

        rules.Sets.AddMembers("s:x", [Member("192.0.2.200/32")]);
        socket.FailNext = 1;
        Assert.False(rules.ApplyUpdates().IsDone);
        Assert.True(rules.ApplyUpdates().IsDone);

        Assert.Contains("192.0.2.200", Listing(), StringComparison.Ordinal);
        rules.Sets.RemoveMembers("s:x", [Member("192.0.2.200/32")]);
        rules.ApplyUpdates();
        Assert.Equal(Sorted(whole), Sorted(Listing()));
    }

    [Fact]
    public void RefusedRule_LeavesTheOldRulesWhole_AndSaysWhichItWas_ThenGivesUp()
    {
        NfTablesRules rules = Fill(Open(IpFamily.IPv4), IpFamily.IPv4);
        rules.ApplyUpdates();
        string whole = Listing();

        // A jump in a circle is what the kernel never takes.
        rules.Filter.SetChain(new Chain("cali-fw-cali1", [new Rule(Match.All, RuleAction.Jump("cali-FORWARD"))]));
        Assert.False(rules.ApplyUpdates().IsDone);
        string after = Listing();
        DataplaneException given = Assert.Throws<DataplaneException>(() =>
        {
            for (int i = 0; i < 20; i++)
            {
                rules.ApplyUpdates();
            }
        });

        Assert.Equal(whole, after);
        Assert.Equal(whole, Listing());
        Assert.Contains("gave up after 10 attempts", given.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ManyMembers_FitIntoOneTransaction()
    {
        NfTablesRules rules = Fill(Open(IpFamily.IPv4), IpFamily.IPv4);
        rules.Sets.AddOrReplace(
            new IpSetMetadata("s:x", IpSetType.Net), Enumerable.Range(0, 100_000).Select(i => new IpSetMember(new IpPrefix(IpAddress.FromIPv4(0x0a000000u + (uint)i), 32))));

        Assert.True(rules.ApplyUpdates().IsDone);

        using NfTablesSocket socket = NfTablesSocket.Open(IpFamily.IPv4, _kernel.Space);
        List<(byte[] Key, string? Chain)> elements = [];
        Assert.True(socket.ReadElements("weft-filter", "cali40s-x", elements).IsSuccess);
        Assert.Equal(100_000, elements.Count);
        Assert.Equal(1, rules.Writes);
    }

    public void Dispose()
    {
        foreach (ScriptedNetlink socket in _sockets)
        {
            socket.Dispose();
        }

        _kernel.Dispose();
    }

    private NfTablesRules Open(IpFamily family, NfCommits? commits = null)
    {
        ScriptedNetlink netlink = new(NfTablesSocket.OpenNetlink(_kernel.Space));
        _sockets.Add(netlink);
        return new NfTablesRules(
            new NfTablesSocket(netlink, family), family, commits ?? new NfCommits(), _kernel.Time, NullLogger<NfTablesRules>.Instance, TimeSpan.FromMinutes(3));
    }

    private static NfTablesRules Fill(NfTablesRules rules, IpFamily family)
    {
        bool v4 = family == IpFamily.IPv4;
        rules.Sets.AddOrReplace(
            new IpSetMetadata("s:x", IpSetType.Net), v4 ? [Member("192.0.2.1/32"), Member("198.51.100.0/24")] : [Member("2001:db8::1/128"), Member("2001:db8:1::/48")]);
        rules.Sets.AddOrReplace(new IpSetMetadata("n:web", IpSetType.IpPort), [new IpSetMember(IpPrefix.Parse(v4 ? "192.0.2.1/32" : "2001:db8::1/128"), 6, 80)]);
        rules.Sets.AddOrReplace(new IpSetMetadata("s:unused", IpSetType.Net), []);
        string x = rules.Sets.NameOf("s:x"), web = rules.Sets.NameOf("n:web");
        Rule drop = new(Match.All, RuleAction.Drop, "the end");
        rules.Filter.SetChain(new Chain("cali-fw-cali1",
        [
            new Rule(Match.All.ConntrackState(ConntrackStates.Related | ConntrackStates.Established), RuleAction.Accept),
            new Rule(Match.All.Protocol(6).DestinationPorts([(80, 80), (8000, 8080)]).SourceIpSet(x), RuleAction.SetMark(0x10000)),
            new Rule(Match.All.IpPortSet(PacketEnd.Destination, web).NotSourceIpSet(x), RuleAction.ClearMark(0x10000)),
            new Rule(Match.All.SourceIpSet(x), RuleAction.Log("calico-packet")),
            drop,
        ]));
        rules.Filter.SetChain(new Chain("cali-fw-cali2", [new Rule(Match.All.IcmpType(family, 8), RuleAction.Reject)]));
        rules.Filter.SetChain(new Chain("cali-unused", [new Rule(Match.All.SourceIpSet(rules.Sets.NameOf("s:unused")), RuleAction.Drop)]));
        rules.Filter.SetDispatch(new Dispatch(
            "cali-from-wl", InterfaceWay.In, new Dictionary<string, string> { ["cali1"] = "cali-fw-cali1", ["cali2"] = "cali-fw-cali2" }, [drop]));
        rules.Filter.SetChain(new Chain("cali-FORWARD", [new Rule(Match.All.InInterface("cali+"), RuleAction.Jump("cali-from-wl"))]));
        rules.Filter.SetInserts("FORWARD", [new Rule(Match.All, RuleAction.Jump("cali-FORWARD"))]);
        rules.Filter.SetAppends("FORWARD", [new Rule(Match.All.MarkSet(0x10000), RuleAction.Accept, "Policy explicitly accepted packet.")]);
        rules.Nat.SetChain(new Chain("cali-POSTROUTING", [new Rule(Match.All.SourceIpSet(x).SourceIsNotLocal(limitToOutInterface: true), RuleAction.Masquerade())]));
        rules.Nat.SetAppends("POSTROUTING", [new Rule(Match.All, RuleAction.Jump("cali-POSTROUTING"))]);
        rules.Raw.SetInserts("PREROUTING", [new Rule(Match.All.ReversePathFails(), RuleAction.Drop)]);
        return rules;
    }

    private static IpSetMember Member(string prefix) => new(IpPrefix.Parse(prefix));

    private string Listing() => _kernel.Sh("nft -s list ruleset");

    private static string Sorted(string listing) => string.Join('\n', listing.Split(['\n', ',', '{', '}']).Select(l => l.Trim()).Where(l => l.Length > 0).Order(StringComparer.Ordinal));
}
