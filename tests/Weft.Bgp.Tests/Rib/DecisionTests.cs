using System.Collections.Immutable;
using Weft.Bgp.Rib;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Rib;

/// <summary>RFC 4271 9.1.2 and RFC 4456 9, step by step and as a property.</summary>
public sealed class DecisionTests
{
    private const string Prefix = "192.0.2.0/24";

    private static Dictionary<string, RouteSnapshot> Decide(RibHarness rib)
    {
        rib.Settle();
        uint cursor = 0;
        ImmutableArray<RouteSnapshot> routes = rib.Rib.Query(new RouteQuery(), PeerId.None, PeerId.None, ref cursor);
        Assert.Equal(1, routes.Count(static r => r.IsBest));
        return routes.ToDictionary(static r => r.PeerName ?? "local");
    }

    private static RibHarness Two(uint asA = 65010, uint asB = 65020, INextHopResolver? resolver = null)
    {
        var rib = new RibHarness(resolver: resolver);
        rib.Up("a", "10.0.0.10", asA);
        rib.Up("b", "10.0.0.20", asB);
        return rib;
    }

    [Fact]
    public void HigherLocalPreference_Wins()
    {
        RibHarness rib = Two(65001, 65001);
        rib.Announce("a", Prefix, "1 2 3", localPreference: 200);
        rib.Announce("b", Prefix, "1", localPreference: 100);

        Dictionary<string, RouteSnapshot> routes = Decide(rib);

        Assert.True(routes["a"].IsBest);
        Assert.Equal(PathStanding.LocalPreference, routes["b"].Standing);
    }

    [Fact]
    public void OwnRoute_BeatsALearntOne()
    {
        RibHarness rib = Two();
        rib.Announce("a", Prefix, "65010");
        rib.Rib.Originate(IpPrefix.Parse(Prefix), Weft.Bgp.Wire.CanonicalBuilder.Build(RouteAttributes.Default));

        Dictionary<string, RouteSnapshot> routes = Decide(rib);

        Assert.Equal(PathStanding.LocalOrigin, routes["a"].Standing);
    }

    [Fact]
    public void ShorterPath_Wins_ThenLowerOrigin()
    {
        RibHarness rib = Two();
        rib.Announce("a", Prefix, "65010 1");
        rib.Announce("b", Prefix, "65020", origin: 2);
        Assert.Equal(PathStanding.AsPathLength, Decide(rib)["a"].Standing);

        rib.Announce("a", Prefix, "65010", origin: 1);
        Assert.Equal(PathStanding.Origin, Decide(rib)["b"].Standing);
    }

    [Fact]
    public void Med_IsComparedWithinANeighbourAsOnly()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.30", 65010);
        rib.Up("b", "10.0.0.20", 65010);
        rib.Up("c", "10.0.0.10", 65020);
        rib.Announce("a", Prefix, "65010", med: 10);
        rib.Announce("b", Prefix, "65010", med: 20);
        rib.Announce("c", Prefix, "65020", med: 99);

        Dictionary<string, RouteSnapshot> routes = Decide(rib);

        Assert.Equal(PathStanding.Med, routes["b"].Standing);
        Assert.True(routes["c"].IsBest);
        Assert.Equal(PathStanding.RouterId, routes["a"].Standing);
    }

    [Fact]
    public void ExternalPath_BeatsInternal()
    {
        RibHarness rib = Two(65010, 65001);
        rib.Announce("a", Prefix, "65010");
        rib.Announce("b", Prefix, "65020");

        Assert.Equal(PathStanding.ExternalOverInternal, Decide(rib)["b"].Standing);
    }

    [Fact]
    public void NearerNextHop_Wins_UnreachableOneIsOut_AndComesBack()
    {
        var resolver = new MapResolver { ["10.0.0.10"] = new(true, 20), ["10.0.0.20"] = new(true, 10) };
        RibHarness rib = Two(resolver: resolver);
        rib.Announce("a", Prefix, "65010");
        rib.Announce("b", Prefix, "65020");
        Assert.Equal(PathStanding.InteriorMetric, Decide(rib)["a"].Standing);

        resolver["10.0.0.20"] = NextHopState.Unreachable;
        rib.Rib.ResolveNextHops();
        Assert.Equal(PathStanding.NextHopUnreachable, Decide(rib)["b"].Standing);
        Assert.Equal("10.0.0.10", rib.Forwarding.Routes[IpPrefix.Parse(Prefix)]);
    }

    [Fact]
    public void OriginatorId_StandsInForTheRouterId_ThenClusterListLength()
    {
        RibHarness rib = Two(65001, 65001);
        byte[] originator = [0x80, 9, 4, 1, 1, 1, 1];
        rib.Announce("a", Prefix, "7", extra: [.. originator, 0x80, 10, 8, 2, 2, 2, 2, 3, 3, 3, 3]);
        rib.Announce("b", Prefix, "7", extra: [.. originator, 0x80, 10, 4, 2, 2, 2, 2]);
        Assert.Equal(PathStanding.ClusterListLength, Decide(rib)["a"].Standing);

        rib.Announce("b", Prefix, "7");
        Assert.Equal(PathStanding.RouterId, Decide(rib)["b"].Standing);
    }

    [Theory]
    [InlineData("65010 65001", new byte[0])]
    [InlineData("65010", new byte[] { 0x80, 9, 4, 10, 0, 0, 1 })]
    [InlineData("65010", new byte[] { 0x80, 10, 4, 10, 0, 0, 1 })]
    public void OwnAs_OwnRouterId_OwnCluster_AreLoops(string path, byte[] extra)
    {
        RibHarness rib = Two(65001, 65001);
        rib.Announce("a", Prefix, path, extra: extra);
        rib.Announce("b", Prefix, "1 2 3 4 5 6");

        Assert.Equal(PathStanding.Loop, Decide(rib)["a"].Standing);
    }

    [Fact]
    public void Winner_DoesNotDependOnTheOrderOfArrival_AndObeysTheSteps()
    {
        Gen<(int Pref, int Length, int Origin, int Med, int As)> path = Gen.Select(Gen.Int[0, 1], Gen.Int[1, 2], Gen.Int[0, 2], Gen.Int[0, 3], Gen.Int[0, 2]);
        Gen.Select(path.Array[2, 7], Gen.Int).Sample((paths, seed) =>
        {
            int[] order = [.. Enumerable.Range(0, paths.Length)];
            string first = Winner(paths, order);
            new Random(seed).Shuffle(order);
            Assert.Equal(first, Winner(paths, order));
            Assert.Equal(NaiveWinner(paths), first);
        }, iter: 400);
    }

    private static string Winner((int Pref, int Length, int Origin, int Med, int As)[] paths, int[] order)
    {
        var rib = new RibHarness();
        for (int i = 0; i < paths.Length; i++)
        {
            rib.Up($"p{i}", $"10.0.0.{10 + i}", 65001);
        }

        foreach (int i in order)
        {
            (int pref, int length, int origin, int med, int neighbor) = paths[i];
            rib.Announce($"p{i}", Prefix, string.Join(' ', Enumerable.Repeat(65100 + neighbor, length)), (byte)origin, (uint)med, (uint)(100 + pref));
        }

        return Decide(rib).Single(static r => r.Value.IsBest).Key;
    }

    /// <summary>The RFC in LINQ.</summary>
    private static string NaiveWinner((int Pref, int Length, int Origin, int Med, int As)[] paths)
    {
        List<int> left = [.. Enumerable.Range(0, paths.Length)];
        left = [.. left.Where(i => paths[i].Pref == left.Max(j => paths[j].Pref))];
        left = [.. left.Where(i => paths[i].Length == left.Min(j => paths[j].Length))];
        left = [.. left.Where(i => paths[i].Origin == left.Min(j => paths[j].Origin))];
        left = [.. left.Where(i => paths[i].Med == left.Where(j => paths[j].As == paths[i].As).Min(j => paths[j].Med))];
        return $"p{left[0]}";
    }

    private sealed class MapResolver : Dictionary<string, NextHopState>, INextHopResolver
    {
        public NextHopState Resolve(IpAddress nextHop) => this[nextHop.ToString()];
    }
}
