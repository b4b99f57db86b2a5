using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Rib;

/// <summary>State in, state out: whatever the order, the splitting and the repetition of what peers say, tables end the same.</summary>
public sealed class RibStateTests
{
    /// <summary>One thing a peer says. Path null: a withdrawal.</summary>
    private readonly record struct Said(int Peer, int Prefix, int? Path);

    private static readonly Gen<Said> GenSaid = Gen.Select(Gen.Int[0, 3], Gen.Int[0, 11], Gen.Int[-1, 4], static (peer, prefix, path) => new Said(peer, prefix, path < 0 ? null : path));

    [Fact]
    public void AnyHistory_EndsInTheStateOfItsLastWords()
    {
        Gen.Select(GenSaid.Array[1, 60], Gen.Int).Sample((history, seed) =>
        {
            string expected = Expected(history);
            var random = new Random(seed);

            // Squashed: only the last word on each (peer, prefix), in shuffled order. Duplicated: everything twice. Split: settle at random points.
            Said[] squashed = [.. history.GroupBy(static s => (s.Peer, s.Prefix)).Select(static g => g.Last())];
            random.Shuffle(squashed);
            Said[] reversed = [.. squashed.Reverse()];
            Said[] duplicated = [.. history.SelectMany(static s => new[] { s, s })];
            Assert.Equal(expected, Run(history, settle: _ => false));
            Assert.Equal(expected, Run(history, settle: _ => true));
            Assert.Equal(expected, Run(history, settle: _ => random.Next(4) == 0));
            Assert.Equal(expected, Run(squashed, settle: _ => false));
            Assert.Equal(expected, Run(reversed, settle: _ => random.Next(3) == 0));
            Assert.Equal(expected, Run(duplicated, settle: _ => random.Next(5) == 0));
        }, iter: 150);
    }

    [Fact]
    public void SessionsThatComeAndGo_LeaveNothingBehind_AndTablesAgree()
    {
        Gen.Select(GenSaid.Array[1, 40], Gen.Int).Sample((history, seed) =>
        {
            var random = new Random(seed);
            RibHarness rib = Build();
            var words = new Dictionary<(int Peer, int Prefix), int>();
            foreach (Said said in history)
            {
                Say(rib, said);
                words.Remove((said.Peer, said.Prefix));
                if (said.Path is int path)
                {
                    words[(said.Peer, said.Prefix)] = path;
                }

                if (random.Next(8) == 0)
                {
                    int peer = random.Next(4);
                    rib.Down($"p{peer}");
                    rib.Up($"p{peer}", $"10.0.0.{10 + peer}", (uint)(65010 + peer));
                    foreach ((int Peer, int Prefix) key in words.Keys.Where(k => k.Peer == peer).ToArray())
                    {
                        words.Remove(key);
                    }
                }

                if (random.Next(3) == 0)
                {
                    rib.Settle();
                }
            }

            rib.Settle();
            Assert.Equal(Expected([.. words.Select(static w => new Said(w.Key.Peer, w.Key.Prefix, w.Value))]), Describe(rib));

            for (int peer = 0; peer < 4; peer++)
            {
                rib.Down($"p{peer}");
            }

            rib.Settle();
            Assert.Equal((0, 0, 0, 0), (rib.Rib.Tables.Paths.Count, rib.Rib.Tables.Prefixes.Count, rib.Rib.Tables.Attributes.Count, rib.Rib.Export.Groups.Count));
            Assert.Empty(rib.Forwarding.Routes);
        }, iter: 150);
    }

    private static RibHarness Build()
    {
        var rib = new RibHarness();
        for (int peer = 0; peer < 4; peer++)
        {
            rib.Up($"p{peer}", $"10.0.0.{10 + peer}", (uint)(65010 + peer));
        }

        return rib;
    }

    private static void Say(RibHarness rib, Said said)
    {
        if (said.Path is int path)
        {
            string ases = string.Join(' ', new[] { 65010 + said.Peer }.Concat(Enumerable.Repeat(100, path)));
            rib.Announce($"p{said.Peer}", $"10.1.{said.Prefix}.0/24", ases, med: (uint)path);
        }
        else
        {
            rib.Withdraw($"p{said.Peer}", $"10.1.{said.Prefix}.0/24");
        }
    }

    private static string Run(Said[] history, Func<Said, bool> settle)
    {
        RibHarness rib = Build();
        foreach (Said said in history)
        {
            Say(rib, said);
            if (settle(said))
            {
                rib.Settle();
            }
        }

        rib.Settle();
        return Describe(rib);
    }

    private static string Describe(RibHarness rib)
    {
        var lines = new List<string>();
        lines.AddRange(rib.Forwarding.Routes.OrderBy(static r => r.Key).Select(static r => $"fib {r.Key} {r.Value}"));
        for (int peer = 0; peer < 4; peer++)
        {
            TestPeer seen = rib[$"p{peer}"];
            lines.AddRange(seen.Prefixes.Select(p => $"p{peer} {p} {seen.Path(p)}"));
        }

        return string.Join('\n', lines);
    }

    /// <summary>The naive twin: shortest path wins, then the lower router id; everybody but the source hears of it.</summary>
    private static string Expected(Said[] history)
    {
        var last = history.GroupBy(static s => (s.Peer, s.Prefix)).Select(static g => g.Last()).Where(static s => s.Path is not null).ToArray();
        Said[] best = [.. last.GroupBy(static s => s.Prefix).Select(static g => g.OrderBy(static s => s.Path).ThenBy(static s => s.Peer).First())];
        var lines = new List<string>();
        lines.AddRange(best.OrderBy(static s => s.Prefix).Select(static s => $"fib 10.1.{s.Prefix}.0/24 10.0.0.{10 + s.Peer}"));
        for (int peer = 0; peer < 4; peer++)
        {
            int hearer = peer;
            lines.AddRange(best.Where(s => s.Peer != hearer).OrderBy(static s => s.Prefix)
                .Select(s => $"p{hearer} 10.1.{s.Prefix}.0/24 65001 {string.Join(' ', new[] { 65010 + s.Peer }.Concat(Enumerable.Repeat(100, s.Path!.Value)))}"));
        }

        return string.Join('\n', lines);
    }

    [Fact]
    public void RouteAnnouncedAgainUnchanged_IsNotReported_NorSent()
    {
        RibHarness rib = Build();
        rib.Announce("p0", "10.1.0.0/24", "65010");
        rib.Settle();
        (int changes, int messages) = (rib.Forwarding.Changes, rib["p1"].Messages);

        rib.Announce("p0", "10.1.0.0/24", "65010");
        rib.Settle();

        Assert.Equal((changes, messages), (rib.Forwarding.Changes, rib["p1"].Messages));
    }

    [Fact]
    public void NewAttributesWithTheSameNextHop_AreSent_ButNotReportedToForwarding()
    {
        RibHarness rib = Build();
        rib.Announce("p0", "10.1.0.0/24", "65010");
        rib.Settle();
        int changes = rib.Forwarding.Changes;

        rib.Announce("p0", "10.1.0.0/24", "65010 7");
        rib.Settle();

        Assert.Equal(changes, rib.Forwarding.Changes);
        Assert.Equal("65001 65010 7", rib["p1"].Path("10.1.0.0/24"));
    }

    [Fact]
    public void Multipath_GathersEqualPaths_AndFollowsThem()
    {
        var rib = new RibHarness(maximumPaths: 4);
        for (int i = 0; i < 3; i++)
        {
            rib.Up($"p{i}", $"10.0.0.{10 + i}", (uint)(65010 + i));
            rib.Announce($"p{i}", "0.0.0.0/0", $"{65010 + i}{(i == 2 ? " 7" : "")}");
        }

        rib.Settle();
        Assert.Equal("10.0.0.10,10.0.0.11", rib.Forwarding.Routes[IpPrefix.Parse("0.0.0.0/0")]);

        rib.Withdraw("p0", "0.0.0.0/0");
        rib.Settle();
        Assert.Equal("10.0.0.11", rib.Forwarding.Routes[IpPrefix.Parse("0.0.0.0/0")]);
    }

    [Fact]
    public void ImportPolicy_EditsAndRejects_AndANewOneRunsOnWhatWasReceived()
    {
        var policy = new RoutePolicy
        {
            Rules =
            [
                new PolicyRule { Prefixes = [PrefixMatch.Inside(IpPrefix.Parse("10.1.0.0/16"))], Edits = [RouteEdit.SetLocalPreference(300), RouteEdit.AddCommunity(5)], Verdict = PolicyVerdict.Accept },
            ],
            Default = PolicyVerdict.Reject,
        };
        var rib = new RibHarness();
        TestPeer peer = rib.Up("a", "10.0.0.10", 65010, s => s with { Import = policy });
        rib.Up("b", "10.0.0.20", 65001);
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Announce("a", "10.2.0.0/24", "65010");
        rib.Settle();
        Assert.Equal(["10.1.0.0/24"], rib["b"].Prefixes);
        Assert.Equal([0, 0, 1, 44], rib["b"].Attribute("10.1.0.0/24", AttributeType.LocalPreference));
        Assert.Equal([0, 0, 0, 5], rib["b"].Attribute("10.1.0.0/24", AttributeType.Communities));

        rib.Rib.UpdatePeer(peer.Id, peer.Settings with { Import = RoutePolicy.AcceptAll });
        rib.Settle();
        Assert.Equal(["10.1.0.0/24", "10.2.0.0/24"], rib["b"].Prefixes);
        Assert.Equal([0, 0, 0, 100], rib["b"].Attribute("10.1.0.0/24", AttributeType.LocalPreference));
    }

    [Fact]
    public void GracefulRestart_KeepsRoutes_SweepsWhatDoesNotComeBack()
    {
        static Weft.Bgp.Session.NegotiatedSession Restarting(Weft.Bgp.Session.NegotiatedSession s) =>
            s with { RestartFamilies = AddressFamilies.Both, ForwardingKept = AddressFamilies.Both, PeerRestartTime = TimeSpan.FromSeconds(60) };
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010, session: Restarting);
        rib.Up("b", "10.0.0.20", 65020);
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Announce("a", "10.2.0.0/24", "65010");
        rib.Settle();

        rib.Down("a", keep: true);
        rib.Settle();
        Assert.Equal(2, rib.Forwarding.Routes.Count);
        Assert.Equal(2, rib["b"].Seen.Count);
        rib.Up("a", "10.0.0.10", 65010, session: Restarting);
        rib.Announce("a", "10.1.0.0/24", "65010");
        rib.Receive("a", Messages.Update([], [], []));
        rib.Settle();

        Assert.Equal(["10.1.0.0/24"], rib["b"].Prefixes);
        Assert.Equal(["10.1.0.0/24"], rib.Forwarding.Routes.Keys.Select(static p => p.ToString()));
    }
}
