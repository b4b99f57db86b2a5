using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ctl.Tests;

public sealed class IpamCommandTests : IDisposable
{
    private readonly MemoryDatastore _store = new();
    private readonly TempFolder _folder = new();
    private readonly Cli _cli;

    public IpamCommandTests()
    {
        _cli = new Cli(_store);
        _store.Put(new ResourceKey(ResourceKind.IPPool, "pool-a"), new IPPool { Metadata = { Name = "pool-a" }, Spec = { Cidr = "10.0.1.0/24", NatOutgoing = true } });
        _store.Put(new ResourceKey(ResourceKind.Node, "n1"), new Node { Metadata = { Name = "n1" } });
        Cluster(ready: false);
    }

    [Fact] // Vector 43
    public async Task Show_CountsAddresses()
    {
        Block("10.0.1.64/26", "n1", 5);
        _store.Put(new ResourceKey(ResourceKind.IPPool, "v6"), new IPPool { Metadata = { Name = "v6" }, Spec = { Cidr = "fd00::/48" } });
        _store.Put(new ResourceKey(ResourceKind.IPReservation, "r"), new IPReservation { Metadata = { Name = "r" }, Spec = { ReservedCIDRs = ["10.0.1.124/30"] } });

        CliResult result = await _cli.RunAsync("ipam show --show-blocks");

        Assert.Equal(
            """
            GROUPING        CIDR           IPS TOTAL    IPS IN USE   IPS RESERVED   IPS FREE
            IP Pool         10.0.1.0/24    256          5 (2%)       4 (2%)         247 (96%)
            Block host:n1   10.0.1.64/26   64           5 (8%)       4 (6%)         55 (86%)
            IP Pool         fd00::/48      1.2089e+24   0 (0%)       0 (0%)         1.2089e+24 (100%)

            """,
            result.Out);
    }

    [Fact]
    public async Task ShowIp_TellsTheHolder()
    {
        Block("10.0.1.64/26", "n1", 1, ("pod", "web"), ("namespace", "shop"));

        CliResult held = await _cli.RunAsync("ipam show --ip=10.0.1.64");
        CliResult free = await _cli.RunAsync("ipam show --ip=10.0.1.65");
        CliResult wrong = await _cli.RunAsync("ipam show --ip=10.0.1");
        JsonNode json = JsonNode.Parse((await _cli.RunAsync("ipam show --ip=10.0.1.64 -o json")).Out)!;

        Assert.StartsWith("IP 10.0.1.64 is in use\n", held.Out, StringComparison.Ordinal);
        Assert.EndsWith("Handle ID: net.c0\nAttributes:\n  namespace: shop\n  pod: web\n", held.Out, StringComparison.Ordinal);
        Assert.StartsWith("10.0.1.65 is not assigned\n", free.Out, StringComparison.Ordinal);
        Assert.Equal(ExitStatus.Ok, free.Status);
        Assert.Equal(ExitStatus.Failed, wrong.Status);
        Assert.Contains("invalid IP address specified: 10.0.1", wrong.Error, StringComparison.Ordinal);
        Assert.Equal(("net.c0", "web"), ((string?)json["handle"], (string?)json["attributes"]!["pod"]));
    }

    [Fact]
    public async Task ShowBorrowedAndConfiguration()
    {
        Block("10.0.1.64/26", "n1", 1, ("pod", "web"), ("namespace", "shop"), ("node", "n2"));

        CliResult borrowed = await _cli.RunAsync("ipam show --show-borrowed");
        CliResult configuration = await _cli.RunAsync("ipam show --show-configuration");

        Assert.Matches(@"10\.0\.1\.64\s+n2\s+10\.0\.1\.64/26\s+n1\s+pod\s+shop/web", borrowed.Out);
        Assert.Matches(@"StrictAffinity\s+false", configuration.Out);
        Assert.Matches(@"AutoAllocateBlocks\s+true", configuration.Out);
    }

    [Fact]
    public async Task Check_ExplainsEachProblem_AndFailsWithThem()
    {
        Block("10.0.1.64/26", "n1", 1, ("pod", "web"), ("namespace", "shop"), ("node", "n1"));

        CliResult found = await _cli.RunAsync("ipam check --recheck 0");
        JsonNode json = JsonNode.Parse((await _cli.RunAsync("ipam check --recheck 0 -o json")).Out)!;

        Assert.Equal(ExitStatus.Failed, found.Status);
        Assert.Contains("10.0.1.64: allocated to handle net.c0 (namespace=shop, node=n1, pod=web), but no WorkloadEndpoint of shop/web", found.Out, StringComparison.Ordinal);
        Assert.EndsWith("Check complete; found 1 problems.\n", found.Out, StringComparison.Ordinal);
        Assert.False((bool)json["allocations"]!["10.0.1.64"]![0]!["inUse"]!);
        Assert.Equal("leaked", (string?)json["findings"]![0]!["kind"]);
        Assert.Equal("guid-1", (string?)json["clusterGUID"]);
    }

    [Fact]
    public async Task Check_WithoutProblems_IsOk()
    {
        CliResult result = await _cli.RunAsync("ipam check");

        Assert.Equal((ExitStatus.Ok, string.Empty), (result.Status, result.Error));
        Assert.EndsWith("Check complete; found 0 problems.\n", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReleaseFromReport_FreesWhatIsStillTheSameAllocation()
    {
        Block("10.0.1.64/26", "n1", 2);
        string report = await ReportAsync();
        await _cli.RunAsync("ipam release --ip=10.0.1.65");
        Block("10.0.1.128/26", "n1", 1, handle: "new");

        CliResult result = await _cli.RunAsync($"ipam release --from-report={report}");

        Assert.Equal(ExitStatus.Ok, result.Status);
        Assert.Contains("Released 1 of 2 leaked addresses", result.Out, StringComparison.Ordinal);
        Assert.Equal([63, 64], _store.Paths.Where(p => p.Contains("/assignment/", StringComparison.Ordinal)).Select(p => JsonNode.Parse(_store.Raw(p))!["unallocated"]!.AsArray().Count).Order());
    }

    [Theory]
    [InlineData("unlocked", "the datastore is not locked")]
    [InlineData("other cluster", "is of another cluster")]
    [InlineData("locked since", "no report was made since the datastore was locked")]
    [InlineData("version", "was made by version")]
    [InlineData("garbage", "cannot be read")]
    public async Task ReleaseFromReport_IsRefused(string why, string expected)
    {
        Block("10.0.1.64/26", "n1", 1);
        string report = await ReportAsync();
        switch (why)
        {
            case "unlocked": Cluster(ready: true); break;
            case "other cluster": Cluster(ready: false, guid: "guid-2"); break;
            case "locked since": Cluster(ready: false); break;
            case "version": await File.WriteAllTextAsync(report, (await File.ReadAllTextAsync(report, Stop)).Replace("\"version\": \"", "\"version\": \"9", StringComparison.Ordinal), Stop); break;
            default: await File.WriteAllTextAsync(report, "{}", Stop); break;
        }

        CliResult result = await _cli.RunAsync($"ipam release --from-report={report}");
        CliResult forced = await _cli.RunAsync($"ipam release --force --from-report={report}");

        Assert.Equal(ExitStatus.Failed, result.Status);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.Equal(why is "other cluster" or "garbage" ? ExitStatus.Failed : ExitStatus.Ok, forced.Status);
    }

    [Fact]
    public async Task ReleaseOfAFreeAddress_Fails()
    {
        CliResult result = await _cli.RunAsync("ipam release --ip=10.0.1.1");

        Assert.Equal(ExitStatus.Failed, result.Status);
        Assert.Contains("IP address 10.0.1.1 is not assigned", result.Error, StringComparison.Ordinal);
    }

    [Fact] // Vector 45
    public async Task Split_MakesPoolsOfEqualSize()
    {
        CliResult result = await _cli.RunAsync("ipam split 4 --name=pool-a");

        Assert.Equal(ExitStatus.Ok, result.Status);
        string[] pools = [.. _store.Paths.Where(p => p.Contains("/ippools/", StringComparison.Ordinal))];
        Assert.Equal(["split-pool-a-0", "split-pool-a-1", "split-pool-a-2", "split-pool-a-3"], pools.Select(p => p.Split('/')[^1]));
        Assert.Equal(["10.0.1.0/26", "10.0.1.64/26", "10.0.1.128/26", "10.0.1.192/26"], pools.Select(p => (string?)JsonNode.Parse(_store.Raw(p))!["spec"]!["cidr"]));
        Assert.All(pools, p => Assert.True((bool)JsonNode.Parse(_store.Raw(p))!["spec"]!["natOutgoing"]!));
        Assert.All(pools, p => Assert.Null(JsonNode.Parse(_store.Raw(p))!["spec"]!["disabled"]));
    }

    [Theory] // Vector 45
    [InlineData("3 --name=pool-a", "number to split CIDR into is not a valid power of 2: 3")]
    [InlineData("1 --name=pool-a", "number to split CIDR into is not a valid power of 2: 1")]
    [InlineData("512 --cidr=10.0.1.0/24", "the CIDR 10.0.1.0/24 is not large enough to be split into 512 parts")]
    [InlineData("2 --name=none", "there is no IPPool none")]
    public async Task Split_IsRefused(string arguments, string expected)
    {
        CliResult result = await _cli.RunAsync($"ipam split {arguments}");

        Assert.Equal(ExitStatus.Failed, result.Status);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    [Fact] // Vector 45
    public async Task Split_OfAnUnlockedDatastore_IsRefused()
    {
        Cluster(ready: true);

        CliResult result = await _cli.RunAsync("ipam split 2 --name=pool-a");

        Assert.Equal(ExitStatus.Failed, result.Status);
        Assert.Contains("datastore is not locked", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Configure_WritesTheEnginesConfiguration()
    {
        CliResult result = await _cli.RunAsync("ipam configure --strictaffinity=true --max-blocks-per-host=7 --ip-cooldown-seconds=30 --kubevirt-ip-persistence=Disabled");

        Assert.Equal("Successfully set StrictAffinity to: true\nSuccessfully set MaxBlocksPerHost to: 7\nSuccessfully set KubeVirtVMAddressPersistence to: Disabled\nSuccessfully set IPCooldownSeconds to: 30\n", result.Out);
        Assert.Equal(
            """{"strict_affinity":true,"auto_allocate_blocks":true,"maxBlocksPerHost":7,"kubeVirtVMAddressPersistence":"Disabled","ipCooldownSeconds":30}""",
            _store.Raw("/calico/ipam/v2/config"));
    }

    [Theory]
    [InlineData("", ExitStatus.Usage, "nothing to change")]
    [InlineData("--max-blocks-per-host=7", ExitStatus.Failed, "MaxBlocksPerHost requires StrictAffinity to be enabled")]
    [InlineData("--ip-cooldown-seconds=1201", ExitStatus.Usage, "expected a number from 0 to 1200")]
    [InlineData("--strictaffinity=maybe", ExitStatus.Usage, "expected true or false")]
    public async Task Configure_IsRefused(string arguments, ExitStatus status, string expected)
    {
        CliResult result = await _cli.RunAsync($"ipam configure {arguments}".Trim());

        Assert.Equal(status, result.Status);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private async Task<string> ReportAsync()
    {
        string path = Path.Combine(_folder.Path, "report.json");
        await _cli.RunAsync($"ipam check --recheck 0 -o {path}");
        return path;
    }

    private void Cluster(bool ready, string guid = "guid-1") => _store.Put(
        new ResourceKey(ResourceKind.ClusterInformation, "default"),
        new ClusterInformation { Metadata = { Name = "default" }, Spec = { ClusterGUID = guid, ClusterType = "weft", DatastoreReady = ready } });

    /// <summary>A block of a node whose first addresses are held by containers c0, c1, ...</summary>
    private void Block(string text, string node, int held, params (string Name, string Value)[] attributes) => Block(text, node, held, "net.c", attributes);

    private void Block(string text, string node, int held, string handle, params (string Name, string Value)[] attributes)
    {
        IpPrefix cidr = IpPrefix.Parse(text);
        AllocationBlock block = new()
        {
            Cidr = text, Affinity = $"host:{node}", SequenceNumber = 9, SequenceNumberForAllocation = [],
            Allocations = [.. Enumerable.Range(0, (int)cidr.Size).Select(o => o < held ? (int?)o : null)], Unallocated = [.. Enumerable.Range(held, (int)cidr.Size - held)],
        };
        for (int i = 0; i < held; i++)
        {
            block.Attributes.Add(new AllocationAttribute { HandleId = $"{handle}{i}", Secondary = attributes.ToDictionary(a => a.Name, a => a.Value) });
            block.SequenceNumberForAllocation[$"{i}"] = (ulong)i + 1;
            _store.Put(new HandleKey($"{handle}{i}"), new IpamHandle { Block = { [text] = 1 } });
        }

        _store.Put(new BlockKey(cidr), block);
        _store.Put(new BlockAffinityKey(AffinityType.Host, node, cidr), new BlockAffinityValue { State = "confirmed" });
    }
}
