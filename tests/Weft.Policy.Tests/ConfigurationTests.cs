using Weft.Model.Felix;
using Weft.Policy.Conversion;
using Weft.Policy.Output;
using static Weft.Policy.Tests.Build;

namespace Weft.Policy.Tests;

/// <summary>Which FelixConfiguration decides a field for this node.</summary>
public sealed class ConfigurationTests
{
    [Fact]
    public void PerNode_WinsOverSelected_WinsOverGlobal()
    {
        ConfigUpdate config = States.Run(
            Node(ThisNode, "192.168.0.1/24", labels: "rack=a"),
            Felix("default", "a=global;b=global;c=global"), Felix("rack-a", "nodeSelector=rack == 'a';a=rack;b=rack"), Felix($"node.{ThisNode}", "a=node"),
            Felix("node.other", "a=other")).Config!;

        Assert.Equal(("node", "rack", "global", null), (config.Find("a"), config.Find("b"), config.Find("c"), config.Find("d")));
        Assert.Equal("rack-a", config.SelectedName);
    }

    [Fact]
    public void OfSeveralThatSelectTheNode_TheOldestCounts()
    {
        ConfigUpdate config = States.Run(
            Node(ThisNode, "192.168.0.1/24", labels: "rack=a"),
            Felix("young", "nodeSelector=has(rack);a=young", "2026-02-01T00:00:00Z"), Felix("old", "nodeSelector=all();a=old", "2026-01-01T00:00:00Z"),
            Felix("older-elsewhere", "nodeSelector=rack == 'b';a=elsewhere", "2025-01-01T00:00:00Z")).Config!;

        Assert.Equal("old", config.Find("a"));
    }

    [Fact]
    public void LocalValues_WinOverAll()
    {
        PolicyGraph graph = new(ThisNode, new Dictionary<string, string> { ["a"] = "local" });
        Replay replay = new();
        graph.OnInSync();
        graph.OnUpdate(Felix($"node.{ThisNode}", "a=node;b=node"));

        graph.Flush(replay);

        Assert.Equal(("local", "node"), (replay.Config!.Find("a"), replay.Config.Find("b")));
    }

    [Fact]
    public void AnObjectForNoNode_IsReported()
    {
        PolicyGraph graph = new(ThisNode);

        graph.OnUpdate(Felix("somewhere", "a=b"));

        Assert.Contains("applies to no node", graph.Problems.Single().Value, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("default", "bpfEnabled=true", "spec.bpfEnabled: refused: weft has no eBPF dataplane")]
    [InlineData("node.node1", "goGCThreshold=99", "spec.goGCThreshold: not applicable: there is no Go runtime in weft")]
    [InlineData("default", "vxlanPort=many", "spec.vxlanPort: \"many\" cannot be used, expected a number from -2147483648 to 2147483647: the default 4789 holds")]
    [InlineData("default", "bpfEnabled=false;goGCThreshold=40;vxlanPort=4790", null)]
    [InlineData("node.other", "bpfEnabled=true", null)]
    public void ValuesWithoutEffect_AreReportedOnTheObject(string name, string fields, string? problem)
    {
        PolicyGraph graph = new(ThisNode);

        graph.OnUpdate(Felix(name, fields));

        Assert.Equal(problem, graph.Problems.Values.SingleOrDefault());
    }

    [Fact]
    public void ValueThatCannotBeRead_HidesTheWeakerSource_TheDefaultHolds()
    {
        ConfigUpdate config = States.Run(Felix("default", "natOutgoingExclusions=IPPoolsAndHostIPs"), Felix($"node.{ThisNode}", "natOutgoingExclusions=everything")).Config!;

        Assert.Equal("IPPoolsOnly", config.Find("natOutgoingExclusions"));
    }

    /// <summary>A field that the table of parameters calls the graph's must change something here, and no other: else people are told the wrong thing.</summary>
    [Fact]
    public void FieldsThatAreRead_AreThoseTheTableCallsTheGraphs()
    {
        string[] words = ["Any", "WorkloadIPs", "true", "Enabled"];

        IEnumerable<string> read = FelixParameters.All.Select(p => p.Field)
            .Where(field => words.Any(word => FelixFacts.Read(new ConfigUpdate(new Dictionary<string, string> { [field] = word }, new Dictionary<string, string>())) != FelixFacts.Default));

        Assert.Equal(FelixParameters.All.Where(p => p.Standing == FelixStanding.Graph).Select(p => p.Field), read);
    }
}
