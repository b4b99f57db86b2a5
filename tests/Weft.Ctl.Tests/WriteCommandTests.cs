using Weft.Hosting;
using Weft.Model.Ipam;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ctl.Tests;

public sealed class WriteCommandTests
{
    private const string Pool = "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: pool-a}\nspec: {cidr: 10.1.0.0/16, natOutgoing: true}\n";
    private const string Policy = "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: allow-web, namespace: demo}\nspec: {selector: app == 'web', ingress: [{action: Allow}]}\n";

    private readonly MemoryDatastore _store = new();
    private readonly Cli _cli;

    public WriteCommandTests() => _cli = new Cli(_store);

    [Fact]
    public async Task FirstApply_InitialisesTheCluster_AndCreatesWithDefaults()
    {
        CliResult result = await _cli.RunAsync("apply -f -", Pool + "---\n" + Policy);

        Assert.Equal("IPPool pool-a created\nNetworkPolicy demo/allow-web created\n", result.Out);
        Assert.Equal((ExitStatus.Ok, string.Empty), (result.Status, result.Error));
        Assert.Contains("/calico/resources/v3/projectcalico.org/tiers/default", _store.Paths);
        Assert.Contains("/calico/resources/v3/projectcalico.org/clusterinformations/default", _store.Paths);
        IPPool pool = await StoredAsync<IPPool>(new ResourceKey(ResourceKind.IPPool, "pool-a"));
        Assert.Equal((26, "Never", "all()", "2026-01-02T03:04:05Z"), (pool.Spec.BlockSize, pool.Spec.IpipMode, pool.Spec.NodeSelector, pool.Metadata.CreationTimestamp));
        Assert.True(Guid.TryParse(pool.Metadata.Uid, out _));
        NetworkPolicy policy = await StoredAsync<NetworkPolicy>(new ResourceKey(ResourceKind.NetworkPolicy, "demo", "allow-web"));
        Assert.Equal(["Ingress"], policy.Spec.Types!);
        Assert.Equal("default", policy.Metadata.Labels!["projectcalico.org/tier"]);
    }

    [Fact]
    public async Task SecondApply_OfTheSame_WritesNothing()
    {
        await _cli.RunAsync("apply -f -", Pool);
        int writes = _store.Writes;

        CliResult result = await _cli.RunAsync("apply -f -", Pool);

        Assert.Equal("IPPool pool-a unchanged\n", result.Out);
        Assert.Equal(writes, _store.Writes);
    }

    [Fact]
    public async Task ApplyOfAChange_KeepsIdentity_ReplacesLabels_KeepsStatus()
    {
        IPPool before = new()
        {
            Metadata = { Name = "pool-a", Uid = "u", CreationTimestamp = "t", Labels = new() { ["old"] = "x" }, Finalizers = ["f"] },
            Spec = { Cidr = "10.1.0.0/16" },
            Status = new ConditionsStatus { Conditions = [new StatusCondition { Type = "Allocatable" }] },
        };
        _store.Put(new ResourceKey(ResourceKind.IPPool, "pool-a"), before);

        CliResult result = await _cli.RunAsync("apply -f -", Pool.Replace("name: pool-a", "name: pool-a, labels: {new: y}"));

        Assert.Equal("IPPool pool-a updated\n", result.Out);
        IPPool after = await StoredAsync<IPPool>(new ResourceKey(ResourceKind.IPPool, "pool-a"));
        Assert.Equal(("u", "t"), (after.Metadata.Uid, after.Metadata.CreationTimestamp));
        Assert.Equal(["f"], after.Metadata.Finalizers!);
        Assert.Equal(["new"], after.Metadata.Labels!.Keys);
        Assert.Equal("Allocatable", after.Status!.Conditions![0].Type);
        Assert.True(after.Spec.NatOutgoing);
    }

    [Fact]
    public async Task Create_OfWhatExists_Fails_AndTheOthersAreStillCreated()
    {
        await _cli.RunAsync("create -f -", Pool);

        CliResult result = await _cli.RunAsync("create -f -", Pool + "---\n" + Policy);

        Assert.Equal(ExitStatus.Failed, result.Status);
        Assert.Equal("NetworkPolicy demo/allow-web created\n", result.Out);
        Assert.StartsWith("weft create: IPPool pool-a: already exists", result.Error);
        Assert.EndsWith("weft create: 1 of 2 objects failed\n", result.Error);
    }

    [Fact]
    public async Task Replace_NeedsWhatItReplaces()
    {
        CliResult missing = await _cli.RunAsync("replace -f -", Pool);
        await _cli.RunAsync("create -f -", Pool);
        CliResult replaced = await _cli.RunAsync("replace -f -", Pool.Replace("natOutgoing: true", "natOutgoing: false"));

        Assert.Equal((ExitStatus.Failed, "weft replace: IPPool pool-a: does not exist; \"weft create\" or \"weft apply\" makes it\n"), (missing.Status, missing.Error));
        Assert.Equal("IPPool pool-a replaced\n", replaced.Out);
    }

    [Fact]
    public async Task AnyProblem_StopsEverything_AndAllAreNamedWithFileAndLine()
    {
        using TempFolder folder = new();
        folder.Write("a.yaml", Pool);
        folder.Write("b.yml", Policy.Replace("Allow", "Alow") + "---\nkind: Tier\n");
        folder.Write("ignored.txt", "::: no yaml");

        CliResult result = await _cli.RunAsync($"apply -f {folder.Path}");

        Assert.Equal(ExitStatus.Failed, result.Status);
        Assert.Empty(result.Out);
        Assert.Empty(_store.Paths);
        Assert.Equal(
            $"""
            {folder.Path}/b.yml:4: NetworkPolicy demo/allow-web: spec.ingress[0].action: "Alow": expected one of Allow, Deny, Log, Pass
            {folder.Path}/b.yml:6: document 2: apiVersion: unknown resource type (Tier) and/or version (); expected projectcalico.org/v3
            weft apply: 2 problems; nothing was written

            """,
            result.Error);
    }

    [Fact]
    public async Task SameObjectTwice_IsAProblem()
    {
        CliResult result = await _cli.RunAsync("apply -f -", Pool + "---\n" + Pool);

        Assert.Contains("-:6: IPPool pool-a: stands twice in the input, first at -:1\n", result.Error);
    }

    [Fact]
    public async Task StaleResourceVersion_IsAConflict_NotOverwritten()
    {
        await _cli.RunAsync("create -f -", Pool);
        string old = (await _cli.RunAsync("get ippool pool-a -o yaml")).Out;
        await _cli.RunAsync("apply -f -", Pool.Replace("natOutgoing: true", "natOutgoing: false"));

        CliResult result = await _cli.RunAsync("apply -f -", old);

        Assert.Equal(ExitStatus.Failed, result.Status);
        Assert.Matches("update conflict: resource version '[0-9]+' is out of date \\(latest: [0-9]+\\)", result.Error);
    }

    [Fact]
    public async Task ResourceVersionOfSomethingGone_IsNotCreated()
    {
        CliResult result = await _cli.RunAsync("apply -f -", Pool.Replace("name: pool-a", "name: pool-a, resourceVersion: '7'"));

        Assert.Contains("resource does not exist", result.Error);
    }

    [Fact]
    public async Task RacingWriter_IsReadAgain()
    {
        await _cli.RunAsync("create -f -", Pool);
        ResourceKey key = new(ResourceKind.IPPool, "pool-a");
        int races = 3;
        _store.BeforeWrite = () =>
        {
            if (races-- > 0)
            {
                IPPool other = (IPPool)_store.Find(key)!.Value;
                other.Spec.Disabled = races % 2 == 0;
                _store.Put(key, other);
            }
        };

        CliResult result = await _cli.RunAsync("apply -f -", Pool.Replace("natOutgoing: true", "natOutgoing: false"));

        Assert.Equal("IPPool pool-a updated\n", result.Out);
        Assert.False((await StoredAsync<IPPool>(key)).Spec.NatOutgoing);
    }

    [Fact]
    public async Task RacingWriterWithoutEnd_GivesUp()
    {
        await _cli.RunAsync("create -f -", Pool);
        ResourceKey key = new(ResourceKind.IPPool, "pool-a");
        _store.BeforeWrite = () => _store.Put(key, _store.Find(key)!.Value);

        CliResult result = await _cli.RunAsync("apply -f -", Pool.Replace("natOutgoing: true", "natOutgoing: false"));

        Assert.Contains("was changed by somebody else 5 times", result.Error);
    }

    [Theory]
    [InlineData("10.1.128.0/17", "spec.cidr: \"10.1.128.0/17\": overlaps with 10.1.0.0/16 of IPPool pool-a")]
    [InlineData("10.0.0.0/8", "overlaps with 10.1.0.0/16 of IPPool pool-a")]
    public async Task OverlappingPool_IsRefused(string cidr, string expected)
    {
        await _cli.RunAsync("create -f -", Pool);

        CliResult result = await _cli.RunAsync("create -f -", Pool.Replace("pool-a", "pool-b").Replace("10.1.0.0/16", cidr));

        Assert.Contains(expected, result.Error);
    }

    [Fact]
    public async Task PoolOverBlocksOfAnotherSize_IsRefused()
    {
        IpPrefix block = IpPrefix.Parse("10.1.4.0/28");
        _store.Put(new BlockKey(block), new AllocationBlock { Cidr = block.ToString() });

        CliResult result = await _cli.RunAsync("create -f -", Pool);

        Assert.Contains("the block 10.1.4.0/28 of another size exists", result.Error);
    }

    [Fact]
    public async Task PoolCidr_CannotBeChanged()
    {
        await _cli.RunAsync("create -f -", Pool);

        CliResult result = await _cli.RunAsync("apply -f -", Pool.Replace("10.1.0.0/16", "10.2.0.0/16"));

        Assert.Contains("spec.cidr: \"10.2.0.0/16\": cannot be changed from 10.1.0.0/16", result.Error);
    }

    [Fact]
    public async Task PeerFilters_MustExist()
    {
        const string Peer = "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: tor}, spec: {peerIP: 192.0.2.1, asNumber: 65001, filters: [only-pods]}}";

        CliResult missing = await _cli.RunAsync("apply -f -", Peer);
        CliResult together = await _cli.RunAsync("apply -f -", "{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: only-pods}, spec: {}}\n---\n" + Peer);

        Assert.Contains("spec.filters[0]: \"only-pods\": there is no such BGPFilter", missing.Error);
        Assert.Equal("BGPFilter only-pods created\nBGPPeer tor created\n", together.Out);
    }

    [Fact]
    public async Task PolicyOfAnUnknownTier_IsRefused_AndATierWithPoliciesCannotBeDeleted()
    {
        string policy = Policy.Replace("spec: {", "spec: {tier: sec, ");
        const string Tier = "{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: sec}, spec: {order: 100}}";

        CliResult early = await _cli.RunAsync("apply -f -", policy);
        await _cli.RunAsync("apply -f -", Tier);
        CliResult created = await _cli.RunAsync("apply -f -", policy);
        CliResult kept = await _cli.RunAsync("delete tier sec");
        await _cli.RunAsync("delete networkpolicy allow-web -n demo");
        CliResult deleted = await _cli.RunAsync("delete tier sec");

        Assert.Contains("there is no such tier", early.Error);
        Assert.Equal("NetworkPolicy demo/allow-web created\n", created.Out);
        Assert.Contains("the tier holds 1 policies, delete them first: NetworkPolicy demo/allow-web", kept.Error);
        Assert.Equal("Tier sec deleted\n", deleted.Out);
    }

    [Theory]
    [InlineData("default")]
    [InlineData("kube-admin")]
    [InlineData("kube-baseline")]
    public async Task BuiltInTier_CannotBeDeleted(string name)
    {
        await _cli.RunAsync("apply -f -", Pool);

        CliResult result = await _cli.RunAsync($"delete tier {name}");

        Assert.Equal((ExitStatus.Failed, $"weft delete: Tier {name}: the built-in tier {name} cannot be deleted\n"), (result.Status, result.Error));
    }

    [Fact]
    public async Task PolicyStoredByAnOlderRelease_IsFoundByItsTrueName_AndKeepsItsKey()
    {
        _store.PutRaw(
            "/calico/resources/v3/projectcalico.org/networkpolicies/demo/default.allow-web",
            """{"kind":"NetworkPolicy","apiVersion":"projectcalico.org/v3","metadata":{"name":"default.allow-web","namespace":"demo","uid":"u"},"spec":{"selector":"all()"}}""");

        CliResult applied = await _cli.RunAsync("apply -f -", Policy);
        CliResult shown = await _cli.RunAsync("get np default.allow-web -n demo -o name");
        CliResult deleted = await _cli.RunAsync("delete np allow-web -n demo");

        Assert.Equal("NetworkPolicy demo/allow-web updated\n", applied.Out);
        Assert.Equal("networkpolicy/allow-web\n", shown.Out);
        Assert.Equal("NetworkPolicy demo/allow-web deleted\n", deleted.Out);
        Assert.DoesNotContain(_store.Paths, p => p.Contains("networkpolicies"));
    }

    [Theory]
    [InlineData("", null, "default/allow-web")]
    [InlineData("", "prod", "prod/allow-web")]
    [InlineData(", namespace: demo", null, "demo/allow-web")]
    [InlineData(", namespace: demo", "demo", "demo/allow-web")]
    public async Task Namespace_ComesFromTheFile_ThenTheFlag_ThenDefault(string inFile, string? flag, string expected)
    {
        CliResult result = await _cli.RunAsync($"apply -f - {(flag is null ? "" : "-n " + flag)}", Policy.Replace(", namespace: demo", inFile));

        Assert.Equal($"NetworkPolicy {expected} created\n", result.Out);
    }

    [Fact]
    public async Task NamespaceMismatch_IsAProblem()
    {
        CliResult result = await _cli.RunAsync("apply -f - -n prod", Policy);

        Assert.Contains("resource namespace does not match client namespace. demo != prod", result.Error);
    }

    [Theory]
    [InlineData("{apiVersion: projectcalico.org/v3, kind: ClusterInformation, metadata: {name: default}, spec: {}}", "apply is not supported on ClusterInformation")]
    [InlineData("{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: knp.default.x}, spec: {}}", "kubernetes network policies must be managed through the kubernetes API")]
    public async Task WhatOthersManage_IsRefused(string yaml, string expected)
    {
        CliResult result = await _cli.RunAsync("apply -f -", yaml);

        Assert.Equal(ExitStatus.Failed, result.Status);
        Assert.Contains(expected, result.Error);
    }

    [Fact]
    public async Task EmptyInput_IsAnError_UnlessAllowed()
    {
        CliResult refused = await _cli.RunAsync("apply -f -", "# nothing\n");
        CliResult allowed = await _cli.RunAsync("apply -f - --skip-empty", "# nothing\n");
        CliResult missing = await _cli.RunAsync("apply -f /nowhere/x.yaml");

        Assert.Equal((ExitStatus.Failed, "weft apply: no resources specified in file -\n"), (refused.Status, refused.Error));
        Assert.Equal((ExitStatus.Ok, "No resources specified\n"), (allowed.Status, allowed.Out));
        Assert.StartsWith("weft apply: /nowhere/x.yaml: ", missing.Error);
    }

    [Fact]
    public async Task FolderWithinAFolder_IsReadOnlyWhenAsked()
    {
        using TempFolder folder = new();
        folder.Write("inner/pool.json", """{"apiVersion":"projectcalico.org/v3","kind":"IPPool","metadata":{"name":"pool-a"},"spec":{"cidr":"10.1.0.0/16"}}""");

        CliResult flat = await _cli.RunAsync($"apply -f {folder.Path}");
        CliResult deep = await _cli.RunAsync($"apply -f {folder.Path} -R");

        Assert.Equal($"weft apply: no resources specified in directory {folder.Path}\n", flat.Error);
        Assert.Equal("IPPool pool-a created\n", deep.Out);
    }

    [Fact]
    public async Task Delete_ByFile_ByName_AndOfWhatIsNotThere()
    {
        await _cli.RunAsync("apply -f -", Pool + "---\n" + Policy);

        CliResult byFile = await _cli.RunAsync("delete -f -", Policy);
        CliResult again = await _cli.RunAsync("delete -f -", Policy);
        CliResult skipped = await _cli.RunAsync("delete -f - -s", Policy);
        CliResult byName = await _cli.RunAsync("delete ippool pool-a pool-b");

        Assert.Equal("NetworkPolicy demo/allow-web deleted\n", byFile.Out);
        Assert.Equal((ExitStatus.Failed, "weft delete: NetworkPolicy demo/allow-web: does not exist\n"), (again.Status, again.Error));
        Assert.Equal(ExitStatus.Ok, skipped.Status);
        Assert.Equal((ExitStatus.Failed, "IPPool pool-a deleted\n", "weft delete: IPPool pool-b: does not exist\n"), (byName.Status, byName.Out, byName.Error));
    }

    [Theory]
    [InlineData("apply", "nothing to do: name a file with -f")]
    [InlineData("apply x", "unexpected argument \"x\"")]
    [InlineData("apply -f", "-f needs a value: FILE|DIR|-")]
    [InlineData("apply --unknown-flag", "unknown flag: --unknown-flag")]
    [InlineData("get -m", "unknown shorthand flag: 'm' in -m")]
    [InlineData("delete", "expected KIND NAME..., or -f FILE")]
    [InlineData("delete ippool", "expected the name of what to delete")]
    [InlineData("delete ipool x", "resource type 'ipool' is not supported; did you mean ippool?")]
    [InlineData("get", "expected a KIND")]
    [InlineData("get nodes -o xml", "unrecognized output format 'xml'")]
    [InlineData("get np x -A", "cannot use --all-namespace flag for getting a single resource")]
    [InlineData("node", "expected: status")]
    public async Task WrongCommandLine_SaysWhy_WithUsage_AndExitsWithTwo(string line, string expected)
    {
        CliResult result = await _cli.RunAsync(line);

        Assert.Equal(ExitStatus.Usage, result.Status);
        Assert.Contains(expected, result.Error);
        Assert.Contains("usage: weft ", result.Error);
    }

    [Theory]
    [InlineData("apply --help")]
    [InlineData("get -h")]
    [InlineData("delete --help")]
    [InlineData("node --help")]
    [InlineData("ipam --help")]
    public async Task Help_IsPrinted_AndNothingIsAsked(string line)
    {
        CliResult result = await _cli.RunAsync(line);

        Assert.Equal((ExitStatus.Ok, string.Empty), (result.Status, result.Error));
        Assert.StartsWith($"usage: weft {line.Split(' ')[0]} ", result.Out);
    }

    [Fact]
    public async Task WrongSettings_ExitWith78()
    {
        _cli.Environment["WEFT__DATASTORE__ENDPOINTS"] = "not-an-url";

        CliResult result = await _cli.RunAsync("apply -f -", Pool);

        Assert.Equal(ExitStatus.Configuration, result.Status);
        Assert.Contains("WEFT__DATASTORE__ENDPOINTS", result.Error);
    }

    private async Task<T> StoredAsync<T>(ResourceKey key) => (await _store.GetAsync(key, TestContext.Current.CancellationToken))!.As<T>();
}
