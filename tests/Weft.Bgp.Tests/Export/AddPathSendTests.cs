using CsCheck;
using Weft.Bgp.Export;
using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Export;

/// <summary>RFC 7911, sending: which paths a peer is told, and that they keep their identifiers.</summary>
public sealed class AddPathSendTests
{
    private const string Prefix = "10.1.0.0/24";

    private static NegotiatedSession Sends(NegotiatedSession s) => s with { AddPathSend = AddressFamilies.Both };

    private static NegotiatedSession Both(NegotiatedSession s) => s with { AddPathSend = AddressFamilies.Both, AddPathReceive = AddressFamilies.Both };

    private static RibHarness Build(int limit = 0, Func<PeerSettings, PeerSettings>? with = null)
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        rib.Up("b", "10.0.0.20", 65020);
        rib.Up("c", "10.0.0.30", 65030);
        rib.Up("r", "10.0.0.99", 65099, s => (with?.Invoke(s) ?? s) with { AddPathLimit = limit }, Sends);
        return rib;
    }

    [Fact]
    public void EveryPathIsTold_AndWithdrawnByItsId()
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010 7");
        rib.Announce("b", Prefix, "65020 7 8");
        rib.Settle();

        Assert.Equal(["65001 65010 7", "65001 65020 7 8"], rib["r"].Paths(Prefix));

        uint kept = rib["r"].SeenPaths.Single(p => AsPath.ToText(CanonicalAttributes.Find(p.Value, AttributeType.AsPath)).Contains("65020")).Key.Id;
        rib.Withdraw("a", Prefix);
        rib.Announce("b", Prefix, "65020 9");
        rib.Settle();

        Assert.Equal(["65001 65020 9"], rib["r"].Paths(Prefix));
        Assert.Equal(kept, rib["r"].SeenPaths.Keys.Single().Id);
        Assert.NotEqual(0u, kept);
        Assert.Empty(rib["r"].WithdrawnUnknown);

        rib.Withdraw("b", Prefix);
        rib.Settle();

        Assert.Empty(rib["r"].SeenPaths);
        Assert.Equal((0, 0, 0), (rib.Rib.Tables.Paths.Count, rib.Rib.Tables.Prefixes.Count, rib.Rib.Tables.Attributes.Count));
    }

    /// <summary>RFC 4271 5.1.3, where a reflector keeps the next hop.</summary>
    [Fact]
    public void PathByWayOfTheReceiver_IsNotToldToIt_AndTakenBackWhenItWas()
    {
        var rib = new RibHarness();
        rib.Up("one", "10.0.0.10", 65001, static s => s with { RouteReflectorClient = true }, Sends);
        rib.Up("two", "10.0.0.20", 65001, static s => s with { RouteReflectorClient = true }, Sends);
        rib.Up("three", "10.0.0.30", 65001, static s => s with { RouteReflectorClient = true }, Sends);
        rib.Announce("one", Prefix, "7", nextHop: "10.0.0.77");
        rib.Settle();
        Assert.Equal((1, 1), (rib["two"].SeenPaths.Count, rib["three"].SeenPaths.Count));

        rib.Announce("one", Prefix, "7", nextHop: "10.0.0.20");
        rib.Settle();

        Assert.Equal((0, 1), (rib["two"].SeenPaths.Count, rib["three"].SeenPaths.Count));

        rib.Announce("one", Prefix, "7 8", nextHop: "10.0.0.77");
        rib.Settle();

        Assert.Equal(["7 8"], rib["two"].Paths(Prefix));
        Assert.Empty(rib["two"].WithdrawnUnknown);
    }

    [Fact]
    public void AChangeOfAnotherPath_SaysNothingOfTheRest()
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010 7");
        rib.Announce("b", Prefix, "65020 7 8");
        rib.Settle();
        int before = rib["r"].Messages;
        rib.Announce("c", Prefix, "65030 7 8 9");
        rib.Settle();

        Assert.Equal(1, rib["r"].Messages - before);
        Assert.Equal(3, rib["r"].SeenPaths.Count);
    }

    [Fact]
    public void Limit_KeepsTheBest_AndAPathThatFallsBeyondItIsWithdrawn()
    {
        RibHarness rib = Build(limit: 2);
        rib.Announce("a", Prefix, "65010 7 7 7");
        rib.Announce("b", Prefix, "65020 7 7");
        rib.Settle();

        Assert.Equal(["65001 65010 7 7 7", "65001 65020 7 7"], rib["r"].Paths(Prefix));

        rib.Announce("c", Prefix, "65030 7");
        rib.Settle();

        Assert.Equal(["65001 65020 7 7", "65001 65030 7"], rib["r"].Paths(Prefix));

        rib.Down("c");
        rib.Settle();

        Assert.Equal(["65001 65010 7 7 7", "65001 65020 7 7"], rib["r"].Paths(Prefix));
        Assert.Empty(rib["r"].WithdrawnUnknown);
    }

    [Fact]
    public void NewLimitAndNewPolicy_TakeEffectWithoutANewSession()
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010 7 7 7");
        rib.Announce("b", Prefix, "65020 7 7");
        rib.Settle();
        PeerSettings settings = rib["r"].Settings with { AddPathLimit = 1 };
        rib.Rib.UpdatePeer(rib["r"].Id, settings);
        rib.Settle();

        Assert.Equal(["65001 65020 7 7"], rib["r"].Paths(Prefix));

        rib.Rib.UpdatePeer(rib["r"].Id, settings with { AddPathLimit = 0, Export = RoutePolicy.RejectAll });
        rib.Settle();

        Assert.Empty(rib["r"].SeenPaths);
        Assert.Empty(rib["r"].WithdrawnUnknown);
    }

    [Fact]
    public void SourceHearsTheOthersPaths_NeverItsOwn()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010, session: Both);
        rib.Up("b", "10.0.0.20", 65020, session: Both);
        rib.Announce("a", Prefix, "65010 7", pathId: 1);
        rib.Announce("a", Prefix, "65010 8", pathId: 2);
        rib.Announce("b", Prefix, "65020 7", pathId: 1);
        rib.Settle();

        Assert.Equal(["65001 65020 7"], rib["a"].Paths(Prefix));
        Assert.Equal(["65001 65010 7", "65001 65010 8"], rib["b"].Paths(Prefix));

        // The row of a path that goes may be given to a path of the peer that was told of the old one.
        rib.Withdraw("a", Prefix, pathId: 1);
        rib.Announce("b", Prefix, "65020 8", pathId: 2);
        rib.Settle();

        Assert.Equal(["65001 65020 7", "65001 65020 8"], rib["a"].Paths(Prefix));
        Assert.Equal(["65001 65010 8"], rib["b"].Paths(Prefix));
    }

    [Fact]
    public void Reflector_TellsEveryPath_WithOriginatorAndCluster()
    {
        var rib = new RibHarness();
        foreach (int i in new[] { 1, 2, 3 })
        {
            rib.Up($"c{i}", $"10.0.0.{i}0", 65001, s => s with { RouteReflectorClient = true }, Both);
        }

        rib.Announce("c1", Prefix, "7", pathId: 1, localPreference: 100);
        rib.Announce("c2", Prefix, "8 8", pathId: 1, localPreference: 200);
        rib.Settle();

        Assert.Equal(["7", "8 8"], rib["c3"].Paths(Prefix));
        Assert.Equal(["8 8"], rib["c1"].Paths(Prefix));
        Assert.Equal(["7"], rib["c2"].Paths(Prefix));
        Assert.All(rib["c3"].SeenPaths.Values, static b => Assert.Equal([10, 0, 0, 1], CanonicalAttributes.Find(b, AttributeType.ClusterList).ToArray()));
    }

    [Fact]
    public void WhatPolicyAndTheProtocolForbid_IsNotTold_AndFreesAPlace()
    {
        RibHarness rib = Build(limit: 1);
        rib.Announce("a", Prefix, "65010 7", extra: [0xC0, 8, 4, 0xFF, 0xFF, 0xFF, 0x02]);
        rib.Announce("b", Prefix, "65020 7 8");
        rib.Settle();

        Assert.Equal(["65001 65020 7 8"], rib["r"].Paths(Prefix));
    }

    [Fact]
    public void Refresh_TellsEverythingAgain_UnderTheSameIds()
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010 7");
        rib.Announce("b", Prefix, "65020 7 8");
        rib.Settle();
        (IpPrefix, uint)[] before = [.. rib["r"].SeenPaths.Keys.Order()];
        rib["r"].SeenPaths.Clear();
        rib.Rib.RefreshPeer(rib["r"].Id);
        rib.Settle();

        Assert.Equal(before, rib["r"].SeenPaths.Keys.Order());
    }

    [Fact]
    public void LateJoiner_HearsTheSameIds_AndTheGroupsBecomeOne()
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010 7");
        rib.Announce("b", Prefix, "65020 7 8");
        rib.Settle();
        rib.Up("late", "10.0.0.98", 65098, session: Sends);
        rib.Settle();

        Assert.Equal(rib["r"].SeenPaths.Keys.Order(), rib["late"].SeenPaths.Keys.Order());
        Assert.Equal(1, rib["late"].EndOfRibs);
        Assert.Equal(2, rib.Rib.Export.Groups.Count);
        Assert.Equal(2, rib.Rib.Describe(rib["late"].Id)!.Advertised);
    }

    [Fact]
    public void SlowMember_EndsWithTheSameTable()
    {
        RibHarness rib = Build();
        rib.Up("slow", "10.0.0.97", 65097, session: Sends).Slow = true;
        for (int round = 0; round < 6; round++)
        {
            for (int i = 0; i < 40; i++)
            {
                rib.Announce("a", $"10.{i}.0.0/16", $"65010 {round + 1}");
                rib.Announce("b", $"10.{i}.0.0/16", $"65020 {round + 1} 8");
            }

            rib.Settle();
            rib.Time.Advance(TimeSpan.FromSeconds(2));
            rib.Settle();
        }

        rib.Withdraw("a", "10.3.0.0/16");
        rib.Settle();
        for (int i = 0; i < 10; i++)
        {
            rib["slow"].ReturnCredits();
            rib.Settle();
        }

        Assert.Equal(79, rib["r"].SeenPaths.Count);
        Assert.Equal(Table(rib["r"]), Table(rib["slow"]));
    }

    private static string Table(TestPeer peer) => string.Join('\n', peer.SeenPaths.OrderBy(static p => p.Key).Select(static p => $"{p.Key} {Convert.ToHexString(p.Value)}"));

    /// <summary>One thing a peer says. Length negative: a withdrawal.</summary>
    private readonly record struct Said(int Peer, int Prefix, uint Id, int Length);

    private static readonly Gen<Said> GenSaid = Gen.Select(Gen.Int[0, 2], Gen.Int[0, 3], Gen.UInt[1, 3], Gen.Int[-2, 3], static (peer, prefix, id, length) => new Said(peer, prefix, id, length));

    /// <summary>The model: a set of (peer, prefix, id), and the plain order of length, peer, id.</summary>
    [Fact]
    public void AnyHistory_EndsWithWhatANaiveModelTells()
    {
        Gen.Select(GenSaid.Array[1, 60], Gen.Int).Sample((history, seed) =>
        {
            var random = new Random(seed);
            var rib = new RibHarness();
            for (int peer = 0; peer < 3; peer++)
            {
                Bring(rib, peer);
            }

            rib.Up("all", "10.0.0.98", 65098, session: Sends);
            rib.Up("two", "10.0.0.99", 65099, s => s with { AddPathLimit = 2 }, Sends);
            var words = new Dictionary<(int Peer, int Prefix, uint Id), int>();
            foreach (Said said in history)
            {
                // Peer 2 has no ADD-PATH: one path per prefix.
                uint id = said.Peer == 2 ? 0 : said.Id;
                if (said.Length < 0)
                {
                    rib.Withdraw($"p{said.Peer}", $"10.1.{said.Prefix}.0/24", said.Peer == 2 ? null : id);
                    words.Remove((said.Peer, said.Prefix, id));
                }
                else
                {
                    rib.Announce($"p{said.Peer}", $"10.1.{said.Prefix}.0/24", Words(said.Peer, id, said.Length), pathId: said.Peer == 2 ? null : id);
                    words[(said.Peer, said.Prefix, id)] = said.Length;
                }

                if (random.Next(12) == 0)
                {
                    int peer = random.Next(3);
                    rib.Down($"p{peer}");
                    Bring(rib, peer);
                    foreach ((int, int, uint) key in words.Keys.Where(k => k.Peer == peer).ToArray())
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
            for (int prefix = 0; prefix < 4; prefix++)
            {
                string text = $"10.1.{prefix}.0/24";
                var paths = words.Where(w => w.Key.Prefix == prefix).OrderBy(static w => (w.Value, w.Key.Peer, w.Key.Id)).Select(static w => (w.Key.Peer, Path: $"65001 {Words(w.Key.Peer, w.Key.Id, w.Value)}")).ToArray();
                Assert.Equal(paths.Select(static p => p.Path).Order(StringComparer.Ordinal), rib["all"].Paths(text));
                Assert.Equal(paths.Take(2).Select(static p => p.Path).Order(StringComparer.Ordinal), rib["two"].Paths(text));
                Assert.Equal(paths.Where(static p => p.Peer != 0).Select(static p => p.Path).Order(StringComparer.Ordinal), rib["p0"].Paths(text));
                Assert.Equal(paths.Length != 0 && paths[0].Peer != 2 ? [paths[0].Path] : [], rib["p2"].Seen.ContainsKey(IpPrefix.Parse(text)) ? [rib["p2"].Path(text)] : Array.Empty<string>());
            }

            for (int peer = 0; peer < 3; peer++)
            {
                rib.Down($"p{peer}");
            }

            rib.Settle();
            Assert.Equal((0, 0, 0), (rib.Rib.Tables.Paths.Count, rib.Rib.Tables.Prefixes.Count, rib.Rib.Tables.Attributes.Count));
            Assert.Empty(rib["all"].SeenPaths);
        }, iter: 200);
    }

    private static string Words(int peer, uint id, int length) => $"{65010 + peer} {string.Concat(Enumerable.Repeat("100 ", length))}{1000 + id}";

    private static void Bring(RibHarness rib, int peer) => rib.Up($"p{peer}", $"10.0.0.{10 + peer}", (uint)(65010 + peer), session: peer == 2 ? null : Both);
}
