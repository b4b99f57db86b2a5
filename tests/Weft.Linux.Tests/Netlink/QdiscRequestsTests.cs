using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Linux.Tests.Netlink;

public class QdiscRequestsTests
{
    [Theory]
    [InlineData(125_000UL, "rate 1Mbit")]
    [InlineData(12_500_000_000UL, "rate 100Gbit")]
    public void TokenBucket_IsReadBack_AndTcAgrees(ulong bytesPerSecond, string words)
    {
        using TestNamespace space = new();
        int index = space.AddVeth("a");

        space.Socket.Qdiscs.ReplaceRoot(index, new TokenBucket(bytesPerSecond, 64_000, 128_000)).ThrowIfFailed("add tbf");

        List<QdiscInfo> found = [];
        space.Socket.Qdiscs.List(found, index).ThrowIfFailed("list");
        QdiscInfo root = Assert.Single(found, q => q.IsRoot);
        Assert.Equal(("tbf", bytesPerSecond), (root.Kind, root.BytesPerSecond));
        string tc = new ProcessRunner(space.Space).Run(new ProcessRequest("tc", ["qdisc", "show", "dev", "a"])).OutputText;
        Assert.Contains(words, tc);
        Assert.Contains("burst 6", tc);
    }

    [Fact]
    public void PeakRate_NeedsItsOwnBucket()
    {
        using TestNamespace space = new();
        int index = space.AddVeth("a");

        space.Socket.Qdiscs.ReplaceRoot(index, new TokenBucket(125_000, 64_000, 128_000, 250_000, 1_600)).ThrowIfFailed("add tbf");

        string tc = new ProcessRunner(space.Space).Run(new ProcessRequest("tc", ["qdisc", "show", "dev", "a"])).OutputText;
        Assert.Contains("peakrate 2Mbit", tc);
    }

    [Fact]
    public void RedirectArrivals_HandsEveryPacketOn()
    {
        using TestNamespace host = new();
        using TestNamespace pod = new();
        host.Socket.Links.CreateVeth(new VethEnd("h"), new VethEnd("p") { Namespace = pod.Space }).ThrowIfFailed("create veth");
        LinkInfo near = host.Socket.Links.Find("h")!;
        host.Socket.Links.CreateIfb("ifb-h", 1500).ThrowIfFailed("create ifb");
        host.Socket.Links.SetUp(near.Index, "weft: a pod").ThrowIfFailed("up");
        pod.Socket.Links.SetUp(near.ParentIndex).ThrowIfFailed("up");
        pod.Socket.Addresses.Add(near.ParentIndex, InterfaceAddress.Parse("192.0.2.2/24"), AddressOptions.NoDuplicateDetection).ThrowIfFailed("address");
        host.Socket.Addresses.Add(near.Index, InterfaceAddress.Parse("192.0.2.1/24"), AddressOptions.NoDuplicateDetection).ThrowIfFailed("address");

        host.Socket.Qdiscs.RedirectArrivals(near.Index, host.Socket.Links.Find("ifb-h")!.Index).ThrowIfFailed("redirect");

        ProcessResult ping = new ProcessRunner(pod.Space).Run(new ProcessRequest("ping", ["-c", "1", "-W", "2", "192.0.2.1"]));
        Assert.True(ping.IsSuccess, ping.OutputText);
        string passed = new ProcessRunner(host.Space).Run(new ProcessRequest("ip", ["-s", "link", "show", "ifb-h"])).OutputText;
        Assert.DoesNotContain("TX:  bytes packets errors dropped carrier collsns           \n             0", passed);
        Assert.Equal("weft: a pod", host.Socket.Links.Find("h")!.Alias);
    }
}
