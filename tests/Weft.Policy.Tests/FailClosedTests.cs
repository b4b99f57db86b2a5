using Weft.Model.Keys;
using Weft.Policy.Output;
using static Weft.Policy.Tests.Build;

namespace Weft.Policy.Tests;

/// <summary>Invalid objects: reported on their key; what they should have protected is closed; the rest works.</summary>
public sealed class FailClosedTests
{
    [Fact]
    public void InvalidWorkload_WithKnownInterface_IsClosed()
    {
        ModelUpdate bad = Workload("bad", "role=x", "10.0.0.1/24", "p");

        Replay state = States.Run(bad, Workload("good", "", "10.0.0.2", "p"), Profile("p", "", [Allow()], [Allow()]), GlobalPolicy("g", "", 1, ingress: [Allow(from: "role == 'x'")]));

        WorkloadEndpointUpdate update = state.Workload("bad");
        Assert.Contains("spec.ipNetworks", update.Problem, StringComparison.Ordinal);
        Assert.Empty(update.ProfileIds);
        Assert.Empty(update.Tiers);
        Assert.Null(state.Workload("good").Problem);
        Assert.All(state.Sets.Values, Assert.Empty);
    }

    [Fact]
    public void InvalidWorkload_WithoutInterface_IsAbsent_AndReported()
    {
        PolicyGraph graph = new(ThisNode);
        ModelUpdate bad = Workload("bad", "", "10.0.0.1", edit: s => s.InterfaceName = "this/is no name");

        Replay state = Flush(graph, bad);

        Assert.Empty(state.Workloads);
        Assert.Contains("spec.interfaceName", graph.Problems[bad.Key], StringComparison.Ordinal);
    }

    [Fact]
    public void WorkloadThatBecomesUnreadable_IsClosed_UntilItIsRepaired()
    {
        PolicyGraph graph = new(ThisNode);
        ModelUpdate good = Workload("w", "", "10.0.0.1", "p");
        Replay state = Flush(graph, good, Profile("p", "", [Allow()], [Allow()]));

        graph.OnUpdate(Unreadable(good));
        graph.Flush(state);
        string? closed = state.Workload("w").Problem;
        graph.OnUpdate(good);
        graph.Flush(state);

        Assert.NotNull(closed);
        Assert.Null(state.Workload("w").Problem);
        Assert.Empty(graph.Problems);
    }

    [Fact]
    public void InvalidRule_ClosesWhatThePolicySelects_AndNothingElse()
    {
        PolicyGraph graph = new(ThisNode);
        ModelUpdate bad = GlobalPolicy("bad", "role == 'web'", 1, ingress: [Allow(), Rule("Alow")]);

        Replay state = Flush(graph, bad, Workload("web", "role=web", "10.0.0.1"), Workload("db", "role=db", "10.0.0.2"));

        Assert.Contains("spec.ingress[1].action", graph.Problems[bad.Key], StringComparison.Ordinal);
        Assert.Contains("gnp/bad", state.Workload("web").Problem, StringComparison.Ordinal);
        Assert.Null(state.Workload("db").Problem);
        Assert.Empty(state.Policies);
    }

    /// <summary>The rule without its HTTP match would let more through than it says.</summary>
    [Fact]
    public void HttpMatch_ClosesWhatThePolicySelects()
    {
        PolicyGraph graph = new(ThisNode);
        Model.Resources.Rule rule = Allow();
        rule.Http = new Model.Resources.HttpMatch { Methods = ["GET"] };
        ModelUpdate policy = GlobalPolicy("web", "role == 'web'", 1, ingress: [rule]);

        Replay state = Flush(graph, policy, Workload("web", "role=web", "10.0.0.1"));

        Assert.Contains("spec.ingress[0].http: HTTP matches are not supported", graph.Problems[policy.Key], StringComparison.Ordinal);
        Assert.NotNull(state.Workload("web").Problem);
    }

    [Fact]
    public void InvalidSelector_ClosesTheNamespace()
    {
        Replay state = States.Run(
            NamespacedPolicy("bad", "role ==", ns: "one"), Workload("w1", "", "10.0.0.1", ns: "one"), Workload("w2", "", "10.0.0.2", ns: "two"));

        Assert.NotNull(state.Workload("w1").Problem);
        Assert.Null(state.Workload("w2").Problem);
    }

    [Fact]
    public void UnreadablePolicy_IsReported_AndClosesWhatItsLastVersionSelected()
    {
        PolicyGraph graph = new(ThisNode);
        ModelUpdate never = Unreadable(GlobalPolicy("never-valid", "", 1));
        ModelUpdate once = GlobalPolicy("once-valid", "role == 'web'", 1, ingress: [Allow()]);
        Replay state = Flush(graph, never, once, Workload("web", "role=web", "10.0.0.1"), Workload("db", "role=db", "10.0.0.2"));
        string? before = state.Workload("web").Problem;

        graph.OnUpdate(Unreadable(once));
        graph.Flush(state);

        Assert.Null(before);
        Assert.NotNull(state.Workload("web").Problem);
        Assert.Null(state.Workload("db").Problem);
        Assert.Equal([never.Key, once.Key], graph.Problems.Keys.OrderBy(k => k.Path, StringComparer.Ordinal));

        graph.OnUpdate(Gone(once));
        graph.Flush(state);

        Assert.Null(state.Workload("web").Problem);
        Assert.Equal([never.Key], graph.Problems.Keys);
    }

    [Fact]
    public void InvalidStagedPolicy_ClosesNothing()
    {
        Replay state = States.Run(StagedPolicy("bad", "role =="), Workload("w", "", "10.0.0.1"));

        Assert.Null(state.Workload("w").Problem);
    }

    [Fact]
    public void InvalidProfile_ClosesTheEndpointsThatNameIt()
    {
        Replay state = States.Run(
            Workload("w", "", "10.0.0.1", "good,bad"), Workload("v", "", "10.0.0.2", "good"),
            Profile("good", "", [Allow()]), Profile("bad", "", [Allow(nets: "10.0.0.0/33")]));

        Assert.Contains("profile bad", state.Workload("w").Problem, StringComparison.Ordinal);
        Assert.Null(state.Workload("v").Problem);
        Assert.Equal(RuleAction.Deny, state.Profiles["bad"].InboundRules.Single().Action);
    }

    [Fact]
    public void InvalidNetworkSet_IsAbsent_AndReported()
    {
        PolicyGraph graph = new(ThisNode);
        ModelUpdate bad = GlobalNetworkSet("bad", "role=x", "10.0.0.0/8,10.2402.0.0/16");

        Replay state = Flush(graph, bad, Workload("w", "", "10.0.0.1"), GlobalPolicy("g", "", 1, ingress: [Allow(from: "role == 'x'")]));

        Assert.Empty(state.Sets.Values.Single());
        Assert.Contains("10.2402.0.0/16", graph.Problems[bad.Key], StringComparison.Ordinal);
    }

    [Fact]
    public void SpoofingPrefixes_AreInvalid_UnlessTheSettingAllowsThem()
    {
        ModelUpdate spoofer = Workload("w", "", "10.0.0.1", edit: s => s.AllowSpoofedSourcePrefixes = ["10.5.0.0/16"]);
        ModelUpdate setting = new(
            new ResourceKey(Weft.Model.Resources.ResourceKind.FelixConfiguration, "default"),
            new Weft.Model.Resources.FelixConfiguration
            {
                Spec = { Fields = { ["workloadSourceSpoofing"] = System.Text.Json.JsonDocument.Parse("\"Any\"").RootElement } },
            },
            1);
        PolicyGraph graph = new(ThisNode);
        Replay state = Flush(graph, spoofer);
        string? before = state.Workload("w").Problem;

        graph.OnUpdate(setting);
        graph.Flush(state);

        Assert.NotNull(before);
        Assert.Null(state.Workload("w").Problem);
        Assert.Equal("10.5.0.0/16", state.Workload("w").AllowSpoofedSourcePrefixes.Single().ToString());
        Assert.Equal("Any", state.Config!.Global["workloadSourceSpoofing"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void InvalidPolicy_ClosesTheHostEndpoint_AndWhatPassesThroughOnlyIfItSpeaksOfThat(bool forward)
    {
        ModelUpdate bad = GlobalPolicy("bad", "id == 'h'", 1, ingress: [Rule("Alow")], edit: s => s.ApplyOnForward = forward);

        Replay state = States.Run(
            bad, HostEndpoint("h", "id=h", profiles: "p"), HostEndpoint("other", "", "eth1", profiles: "p"), Profile("p", "", [Allow()], [Allow()]),
            GlobalPolicy("untracked", "id == 'h'", 2, ingress: [Allow()], egress: [Allow()], edit: s => (s.DoNotTrack, s.ApplyOnForward) = (true, true)),
            GlobalPolicy("through", "id == 'h'", 3, ingress: [Allow()], edit: s => s.ApplyOnForward = true));

        HostEndpointUpdate host = state.HostEndpoints["h"];
        Assert.Contains("gnp/bad", host.Problem, StringComparison.Ordinal);
        Assert.Equal((0, 0, 0, 0), (host.Tiers.Count, host.ProfileIds.Count, host.UntrackedTiers.Count, host.PreDnatTiers.Count));
        Assert.Equal((forward, forward ? 0 : 1), (host.ClosesForwarded, host.ForwardTiers.Count));
        Assert.Null(state.HostEndpoints["other"].Problem);
    }

    [Fact]
    public void InvalidProfile_ClosesTheHostEndpoint()
    {
        Replay state = States.Run(HostEndpoint("h", "", profiles: "p"), Profile("p", "", [Rule("Alow")]));

        Assert.Contains("profile p is invalid", state.HostEndpoints["h"].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void InvalidHostEndpoint_IsClosed_IsInNoSet_AndWhatPassesThroughIsLeftToItsPolicies()
    {
        Replay state = States.Run(
            HostEndpoint("h", "id=h", ips: "172.16.0.1", ports: "http:icmp:80"), Workload("w", "", "10.0.0.1"), GlobalPolicy("g", "all()", 1, ingress: [Allow(from: "id == 'h'")]));

        Assert.Contains("spec.ports", state.HostEndpoints["h"].Problem, StringComparison.Ordinal);
        Assert.False(state.HostEndpoints["h"].ClosesForwarded);
        Assert.All(state.Sets.Values, Assert.Empty);
    }

    [Fact]
    public void HostEndpointThatBecomesUnreadable_IsClosed_UntilItIsRepaired()
    {
        PolicyGraph graph = new(ThisNode);
        ModelUpdate good = HostEndpoint("h", "", profiles: "p");
        Replay state = Flush(graph, good, Profile("p", "", [Allow()], [Allow()]));

        graph.OnUpdate(Unreadable(good));
        graph.Flush(state);
        string? closed = state.HostEndpoints["h"].Problem;
        graph.OnUpdate(good);
        graph.Flush(state);

        Assert.NotNull(closed);
        Assert.Null(state.HostEndpoints["h"].Problem);
    }

    private static Replay Flush(PolicyGraph graph, params ModelUpdate[] updates)
    {
        foreach (ModelUpdate update in updates)
        {
            graph.OnUpdate(update);
        }

        graph.OnInSync();
        Replay replay = new();
        graph.Flush(replay);
        return replay;
    }
}
