using System.Buffers.Binary;
using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Tests.Support;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Rib;

public sealed class MultipathSharesTests
{
    private const string Prefix = "10.1.0.0/24";

    [Theory]
    [InlineData("1 1", "1,1")]
    [InlineData("10 20", "1,2")]
    [InlineData("10 25", "2,5")]
    [InlineData("10 25 40", "2,5,8")]
    [InlineData("100 1", "100,1")]
    [InlineData("1000 1", "256,1")]
    [InlineData("1.25e9 1.25e9 5e9", "1,1,4")]
    [InlineData("97 100", "248,256")]
    public void Weights_AreTheSmallestNumbersOfTheRatio_ThatTheKernelHolds(string shares, string expected)
    {
        float[] all = [.. shares.Split(' ').Select(s => float.Parse(s, System.Globalization.CultureInfo.InvariantCulture))];
        var hops = new RouteNextHop[all.Length];

        MultipathShares.Weigh(all, hops);

        Assert.Equal(expected, string.Join(',', hops.Select(h => h.Weight)));
    }

    [Theory]
    [InlineData("4004fde949742400", 1e6f)]
    [InlineData("0004fde949742400", 1e6f)]
    [InlineData("0002fde9000000014004fde949742400", 1e6f)]
    [InlineData("8004fde949742400", 0f)]
    [InlineData("4004fde97fc00000", 0f)]
    [InlineData("4004fde97f800000", 0f)]
    [InlineData("4004fde9c9742400", 0f)]
    [InlineData("4004fde900000000", 0f)]
    [InlineData("4004fde9", 0f)]
    public void LinkBandwidth_IsReadWhereItMakesSense(string communities, float expected)
    {
        float actual = MultipathShares.Value(MultipathShares.BandwidthOf(Convert.FromHexString(communities)));

        Assert.InRange(actual, expected * 0.99f, expected);
    }

    [Theory]
    [InlineData("bandwidth:65001:10G", 0x4004fde94e9502f9)]
    [InlineData("bandwidth:65001:2.5M", 0x4004fde948989680)]
    [InlineData("bandwidth:65001:800", 0x4004fde942c80000)]
    [InlineData("ext:0x4004fde97fc00000", 0x4004fde97fc00000)]
    public void LinkBandwidth_IsWrittenAsARate_AndReadBack(string text, ulong community)
    {
        Assert.True(CommunityPattern.TryParse(text, out CommunityPattern pattern));

        Assert.Equal((community, text), (pattern.Extended, CommunityPattern.ExtendedText(community)));
    }

    [Fact]
    public void LinkBandwidthOfEveryPath_WeighsNextHops_AndOneWithoutItMakesThemEqual()
    {
        RibHarness rib = Build();
        rib.Announce("a", Prefix, "65010", extra: Bandwidth(1e9f));
        rib.Announce("b", Prefix, "65011", extra: Bandwidth(4e9f));
        rib.Settle();
        Assert.Equal("10.0.0.10,10.0.0.11*4", Forwarded(rib));

        rib.Announce("b", Prefix, "65011", extra: Bandwidth(2e9f));
        rib.Settle();
        Assert.Equal("10.0.0.10,10.0.0.11*2", Forwarded(rib));

        rib.Announce("a", Prefix, "65010");
        rib.Settle();
        Assert.Equal("10.0.0.10,10.0.0.11", Forwarded(rib));
    }

    [Fact]
    public void WeightOfANeighbour_CountsBeforeWhatPathsSay_AndMayChangeUnderThem()
    {
        RibHarness rib = Build(3);
        rib.Announce("a", Prefix, "65010", extra: Bandwidth(9e9f));
        rib.Announce("b", Prefix, "65011", extra: Bandwidth(1e9f));
        rib.Settle();
        Assert.Equal("10.0.0.10*3,10.0.0.11", Forwarded(rib));

        rib.Rib.UpdatePeer(rib["a"].Id, rib["a"].Settings with { MultipathWeight = 5 });
        rib.Settle();
        Assert.Equal("10.0.0.10*5,10.0.0.11", Forwarded(rib));

        rib.Rib.UpdatePeer(rib["a"].Id, rib["a"].Settings with { MultipathWeight = 0 });
        rib.Settle();
        Assert.Equal("10.0.0.10*9,10.0.0.11", Forwarded(rib));
    }

    private static RibHarness Build(int weight = 0)
    {
        var rib = new RibHarness(maximumPaths: 4);
        rib.Up("a", "10.0.0.10", 65010, s => s with { MultipathWeight = weight });
        rib.Up("b", "10.0.0.11", 65011);
        return rib;
    }

    private static string Forwarded(RibHarness rib) => rib.Forwarding.Routes[IpPrefix.Parse(Prefix)];

    private static byte[] Bandwidth(float value)
    {
        byte[] attribute = [0xC0, 16, 8, 0x40, 4, 0xFD, 0xE9, 0, 0, 0, 0];
        BinaryPrimitives.WriteSingleBigEndian(attribute.AsSpan(7), value);
        return attribute;
    }
}
