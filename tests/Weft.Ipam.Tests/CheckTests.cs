using Weft.Ipam.Checks;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam.Tests;

public sealed class CheckTests
{
    private readonly Cluster _cluster = new();

    public CheckTests() => _cluster.AddPool("p", "10.0.0.0/24", 28);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task HealthyCluster_HasNoFindings()
    {
        await PodAsync("one");
        await PodAsync("two", "host-b");
        _cluster.AddPool("tunnels", "fd00::/64", change: s => s.VxlanMode = "Always");
        await TunnelsAsync();

        Assert.Empty((await CheckAsync()).Findings);
    }

    [Fact]
    public async Task AddressWithoutUser_IsALeak_ExplainedByItsPodAndNode()
    {
        IpAddress leaked = await PodAsync("gone", endpoint: false);

        IpamFinding finding = Assert.Single((await CheckAsync()).Findings);

        Assert.Equal((FindingKind.Leaked, leaked.ToString()), (finding.Kind, finding.Subject));
        Assert.Contains("no WorkloadEndpoint of ns/gone or of anybody has it (node host-a exists)", finding.Explanation, StringComparison.Ordinal);
        Assert.Contains($"--ip={leaked}", finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AddressesOfServicesAndInCooldown_AreNotJudged()
    {
        _cluster.Configure(c => c.IpCooldownSeconds = 60);
        _cluster.AddPool("lb", "10.8.0.0/24", change: s => s.AllowedUses = ["LoadBalancer"]);
        await _cluster.Allocator().AllocateAsync(new AllocationRequest { HandleId = "lb-x", Node = "host-a", Use = AddressUse.LoadBalancer, Attributes = new Dictionary<string, string> { ["service"] = "s" } }, Stop);
        await PodAsync("short", endpoint: false);
        await _cluster.Allocator().ReleaseByHandleAsync("net.short", Stop);

        Assert.Empty((await CheckAsync()).Findings);
    }

    [Fact]
    public async Task TunnelAddressesOfBothFamilies_AreInUse_AndLeakedWhenTheNodeNamesAnother()
    {
        _cluster.AddPool("v6", "fd00::/64", change: s => s.VxlanMode = "Always");
        await TunnelsAsync();
        Node node = _cluster.Get<Node>(new ResourceKey(ResourceKind.Node, "host-a"));
        node.Spec.Ipv6VXLANTunnelAddr = null;
        await _cluster.Store.ApplyAsync(new ResourceKey(ResourceKind.Node, "host-a"), node, null, Stop);

        IpamFinding finding = Assert.Single((await CheckAsync()).Findings);

        Assert.Equal(FindingKind.Leaked, finding.Kind);
        Assert.Contains("Node host-a names another VXLAN IPv6 address or none", finding.Explanation, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OneAddressOfTwoPods_IsADuplicate()
    {
        IpAddress address = await PodAsync("one");
        Endpoint("two", "host-b", address);

        IReadOnlyList<IpamFinding> findings = (await CheckAsync()).Findings;

        Assert.Contains(findings, f => f is { Kind: FindingKind.Duplicate, IsProblem: true } && f.Explanation == "used by pod ns/one on host-a and pod ns/two on host-b at the same time");
        Assert.Contains(findings, f => f.Kind == FindingKind.ForeignHolder && f.Explanation.StartsWith("used by pod ns/two on host-b, but allocated to handle net.one", StringComparison.Ordinal));
    }

    [Fact]
    public async Task UsedAddresses_NotAllocatedOrInNoPool_AreFound()
    {
        Endpoint("one", "host-a", IpAddress.Parse("10.0.0.9"));
        Endpoint("two", "host-a", IpAddress.Parse("172.16.0.9"));

        IReadOnlyList<IpamFinding> findings = (await CheckAsync()).Findings;

        Assert.Equal([(FindingKind.NotAllocated, "10.0.0.9"), (FindingKind.OutsidePools, "172.16.0.9")], findings.Select(f => (f.Kind, f.Subject)));
    }

    [Fact]
    public async Task Handles_ThatHoldNothing_AreProblems_ThoseThatCountTooMuch_AreNotes()
    {
        await PodAsync("one");
        await _cluster.Store.ApplyAsync(new HandleKey("net.one"), new IpamHandle { Block = { [_cluster.Blocks()[0].Cidr] = 5 } }, null, Stop);
        await _cluster.Store.ApplyAsync(new HandleKey("lost"), new IpamHandle { Block = { [_cluster.Blocks()[0].Cidr] = 1 } }, null, Stop);

        IpamCheck check = await CheckAsync();

        Assert.Equal([("lost", true), ("net.one", false)], check.Findings.Select(f => (f.Subject, f.IsProblem)));
        Assert.Equal("lost", Assert.Single(check.EmptyHandles).HandleId);
    }

    [Fact]
    public async Task AddressWhoseHandleIsGone_IsFound()
    {
        IpAddress address = await PodAsync("one");
        await _cluster.Store.DeleteAsync(new HandleKey("net.one"), null, Stop);

        IpamFinding finding = Assert.Single((await CheckAsync()).Findings);

        Assert.Equal((FindingKind.MissingHandle, address.ToString()), (finding.Kind, finding.Subject));
    }

    [Theory]
    [InlineData("attribute", "refers to an attribute that is not there")]
    [InlineData("unused", "nothing refers to attribute")]
    [InlineData("twice", "names ordinals twice")]
    [InlineData("both", "both allocated and in the free list")]
    [InlineData("neither", "neither allocated nor in the free list")]
    [InlineData("outside", "outside the block")]
    [InlineData("size", "allocations for 16 addresses")]
    [InlineData("future", "in the future")]
    [InlineData("cidr", "its value \"10.9.9.0/28\"")]
    public async Task BlockThatContradictsItself_IsFound(string how, string expected)
    {
        await PodAsync("one");
        AllocationBlock block = _cluster.Blocks().Single();
        BlockKey key = new(IpPrefix.Parse(block.Cidr));
        switch (how)
        {
            case "attribute": block.Allocations[15] = 9; block.Unallocated.Remove(15); break;
            case "unused": block.Attributes.Add(new AllocationAttribute { HandleId = "x" }); break;
            case "twice": block.Unallocated.Add(15); break;
            case "both": block.Unallocated.Add(0); break;
            case "neither": block.Unallocated.Remove(15); break;
            case "outside": block.Unallocated.Add(16); break;
            case "size": block.Allocations.Add(null); break;
            case "future": block.Attributes[0].ReleasedAt = "2030-01-01T00:00:00Z"; break;
            default: block.Cidr = "10.9.9.0/28"; break;
        }

        await _cluster.Store.ApplyAsync(key, block, null, Stop);

        Assert.Contains((await CheckAsync()).Findings, f => f.Kind == FindingKind.InvalidBlock && f.Explanation.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public async Task AffinitiesAndBlocksThatDoNotAgree_AreFound_WithWhatRepairsThem()
    {
        await PodAsync("one");
        string block = _cluster.Blocks().Single().Cidr;
        IpPrefix cidr = IpPrefix.Parse(block);
        IpPrefix none = IpPrefix.Parse("10.0.0.240/28");
        Assert.NotEqual(cidr, none);
        await AffinityAsync("host-a", cidr, "pending");
        await AffinityAsync("host-b", cidr, "confirmed");
        await AffinityAsync("host-b", none, "confirmed");

        IReadOnlyList<IpamFinding> findings = (await CheckAsync()).Findings;

        Assert.All(findings, f => Assert.True(f is { Kind: FindingKind.Affinity, IsProblem: true }));
        Assert.Contains(findings, f => f.Subject == $"{block} of host:host-a" && f.Explanation.Contains("no route is announced", StringComparison.Ordinal));
        Assert.Contains(findings, f => f.Subject == $"{block} of host:host-b" && f.Explanation.Contains("the block belongs to host:host-a", StringComparison.Ordinal));
        Assert.Contains(findings, f => f.Subject == $"{none} of host:host-b" && f.Explanation.Contains("there is no such block", StringComparison.Ordinal));
    }

    [Fact]
    public async Task BlocksOfMissingNodesAndPools_AreFound()
    {
        await PodAsync("one");
        await _cluster.Store.DeleteAsync(new ResourceKey(ResourceKind.Node, "host-a"), null, Stop);
        await _cluster.Store.DeleteAsync(new ResourceKey(ResourceKind.IPPool, "p"), null, Stop);

        IpamFinding[] stray = [.. (await CheckAsync()).Findings.Where(f => f.Kind == FindingKind.StrayBlock)];

        Assert.Contains(stray, f => !f.IsProblem && f.Explanation == "in no IPPool");
        Assert.Contains(stray, f => f.IsProblem && f.Explanation.Contains("node host-a, which does not exist", StringComparison.Ordinal));
    }

    [Fact]
    public async Task FindingThatIsGoneTheSecondTime_WasARequestUnderWay()
    {
        await PodAsync("starting", endpoint: false);
        IpAddress lost = await PodAsync("lost", endpoint: false);
        IpamCheck first = await CheckAsync();
        Endpoint("starting", "host-a", first.Held.Select(h => h.Address).Single(a => a != lost));

        IReadOnlyList<IpamFinding> still = (await CheckAsync()).StillThere(first);

        Assert.Equal(2, first.Findings.Count);
        Assert.Equal(lost.ToString(), Assert.Single(still).Subject);
    }

    /// <summary>At every operation of an allocation the process may end: whatever is left is named, or is not there.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WhatACrashLeaves_IsNamed(bool done)
    {
        for (int at = 1; at <= 20; at++)
        {
            Cluster cluster = new();
            cluster.AddPool("p", "10.0.0.0/24", 28);
            Weft.Testing.Datastore.FaultyDatastore dying = new(cluster.Store);
            dying.CrashAt(at, done);
            try
            {
                await cluster.Allocator(dying).AllocateAsync(new AllocationRequest { HandleId = "h", Node = "host-a" }, Stop);
                break;
            }
            catch (Weft.Testing.Datastore.CrashException)
            {
                IpamCheck check = await IpamCheck.LoadAsync(cluster.Store, cluster.Time, Stop);
                Assert.Equal(cluster.CheckInvariants(exactCounts: false).Count, check.Findings.Count(f => f.Kind == FindingKind.Leaked));
                Assert.Equal(cluster.Handles().Count, check.Findings.Count(f => f.Kind is FindingKind.Leaked or FindingKind.EmptyHandle));
            }
        }
    }

    private async Task<IpamCheck> CheckAsync() => await IpamCheck.LoadAsync(_cluster.Store, _cluster.Time, Stop);

    private async Task TunnelsAsync() => await new Tunnels.TunnelAddresses(
        "host-a", _cluster.Store, _cluster.Allocator(), Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, _cluster.Time).RunOnceAsync(Stop);

    private async Task AffinityAsync(string node, IpPrefix cidr, string state) =>
        await _cluster.Store.ApplyAsync(new BlockAffinityKey(AffinityType.Host, node, cidr), new BlockAffinityValue { State = state }, null, Stop);

    private async Task<IpAddress> PodAsync(string name, string node = "host-a", bool endpoint = true)
    {
        Allocation allocation = await _cluster.Allocator().AllocateAsync(
            new AllocationRequest { HandleId = $"net.{name}", Node = node, Attributes = new Dictionary<string, string> { ["namespace"] = "ns", ["pod"] = name, ["node"] = node } }, Stop);
        if (endpoint)
        {
            Endpoint(name, node, allocation.IPv4!.Address);
        }

        return allocation.IPv4!.Address;
    }

    private void Endpoint(string name, string node, IpAddress address) => _ = _cluster.Store.ApplyAsync(
        new ResourceKey(ResourceKind.WorkloadEndpoint, "ns", name),
        new WorkloadEndpoint { Metadata = { Name = name, Namespace = "ns" }, Spec = { Node = node, Pod = name, ContainerID = name, IpNetworks = [$"{address}/32"] } }, null, Stop).AsTask();
}
