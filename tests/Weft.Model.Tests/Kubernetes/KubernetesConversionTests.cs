using System.Text;
using Weft.Model.Kubernetes;
using Weft.Model.Resources;

namespace Weft.Model.Tests.Kubernetes;

public sealed class KubernetesConversionTests
{
    private const string IsPod = "projectcalico.org/orchestrator == 'k8s'";

    [Fact]
    public void Selectors_OfPods_AndOfNamespaces()
    {
        KubernetesLabelSelector toast = new() { MatchExpressions = [new KubernetesSelectorExpression { Key = "toast", Operator = "DoesNotExist" }] };
        KubernetesLabelSelector spread = new() { MatchExpressions = [new KubernetesSelectorExpression { Key = "toast", Operator = "In", Values = ["butter", "jam"] }] };

        Assert.Equal(string.Empty, LabelSelectorConversion.Namespaces(null));
        Assert.Equal("all()", LabelSelectorConversion.Namespaces(new KubernetesLabelSelector()));
        Assert.Equal(IsPod, LabelSelectorConversion.Pods(null));
        Assert.Equal($"{IsPod} && ! has(toast)", LabelSelectorConversion.Pods(toast));
        Assert.Equal("toast in { 'butter', 'jam' }", LabelSelectorConversion.Namespaces(spread));
        spread.MatchExpressions[0].Operator = "NotIn";
        Assert.Equal("toast not in { 'butter', 'jam' }", LabelSelectorConversion.Namespaces(spread));
    }

    [Fact]
    public void Policy_KeepsItsName_SelectsPods_MergesPortsOfAProtocol()
    {
        NetworkPolicy policy = Convert("""
            {"podSelector":{"matchLabels":{"label2":"value2","label":"value"}},
             "ingress":[{"ports":[{"port":80},{"port":"foo"}],"from":[{"podSelector":{"matchLabels":{"k2":"v2","k":"v"}}}]}]}
            """);

        Rule rule = Assert.Single(policy.Spec.Ingress!);
        Assert.Equal(("p", "ns", "default", 1000d), (policy.Metadata.Name, policy.Metadata.Namespace, policy.Spec.Tier, policy.Spec.Order));
        Assert.Equal($"{IsPod} && label == 'value' && label2 == 'value2'", policy.Spec.Selector);
        Assert.Equal($"{IsPod} && k == 'v' && k2 == 'v2'", rule.Source!.Selector);
        Assert.Equal("80,foo", string.Join(',', rule.Destination!.Ports!));
        Assert.Equal("TCP", rule.Protocol.ToString());
        Assert.Equal(["Ingress"], policy.Spec.Types);
    }

    [Fact]
    public void PortWithoutNumber_IsEveryPortOfItsProtocol()
    {
        Rule rule = Assert.Single(Convert("""{"ingress":[{"ports":[{"port":80},{}]}]}""").Spec.Ingress!);

        Assert.Equal("TCP", rule.Protocol.ToString());
        Assert.Null(rule.Destination!.Ports);
    }

    [Fact]
    public void OneRulePerProtocolAndPeer_ProtocolsInOrder()
    {
        NetworkPolicy policy = Convert("""
            {"ingress":[{"ports":[{"port":90,"protocol":"UDP"},{"port":80}],"from":[{"podSelector":{"matchLabels":{"x":"A"}}},{"podSelector":{"matchLabels":{"x":"B"}}}]}]}
            """);

        Assert.Equal(
            ["TCP80A", "TCP80B", "UDP90A", "UDP90B"],
            policy.Spec.Ingress!.Select(r => $"{r.Protocol}{r.Destination!.Ports!.Single()}{r.Source!.Selector![^2]}"));
    }

    [Fact]
    public void RuleWithABadRangeOfPorts_IsLeftOut_TheOthersStay()
    {
        Assert.True(KubernetesJson.TryRead(
            Encoding.UTF8.GetBytes("""{"metadata":{"name":"p"},"spec":{"ingress":[{"ports":[{"port":80}]},{"ports":[{"port":50,"endPort":1}]}]}}"""),
            out KubernetesNetworkPolicy? given, out _));

        ConvertedPolicy<NetworkPolicy> converted = NetworkPolicyConversion.Convert(given);

        Assert.Equal("80", converted.Policy.Spec.Ingress!.Single().Destination!.Ports!.Single().ToString());
        Assert.Equal(["spec.ingress[1].ports: 50 to 1 is no range of ports: the rule is left out"], converted.Problems);
    }

    [Fact]
    public void IpBlock_BecomesNets_AnUnreadableOneMatchesEverything()
    {
        NetworkPolicy policy = Convert("""
            {"egress":[{"to":[{"ipBlock":{"cidr":"192.168.1.1/16","except":["192.168.3.0/24","192.168.4.0/24","192.168.5.0/24"]}}]},
                       {"to":[{"ipBlock":{"cidr":"192.168.0.0/55"}}]}]}
            """);

        EntityRule block = policy.Spec.Egress![0].Destination!;
        Assert.Equal(["192.168.0.0/16"], block.Nets!);
        Assert.Equal(["192.168.3.0/24", "192.168.4.0/24", "192.168.5.0/24"], block.NotNets!);
        Assert.True(string.IsNullOrEmpty(block.Selector + block.NamespaceSelector));
        EntityRule open = policy.Spec.Egress[1].Destination!;
        Assert.True(open is { Nets: null, NotNets: null, Selector: null, NamespaceSelector: null });
        Assert.Equal(["Ingress"], policy.Spec.Types);
    }

    [Theory]
    [InlineData("81:90,4,2,foo,80:81,3,1,9090,http", "foo,http,1:4,80:90,9090")]
    [InlineData("1,2,4", "1:2,4")]
    [InlineData("0:65535", "0:65535")]
    [InlineData("80,foo", "80,foo")]
    public void Ports_AreSimplified(string given, string expected) => Assert.Equal(
        expected, string.Join(',', PortList.Simplify([.. given.Split(',').Select(p => Port.TryParse(p, out Port port) ? port : throw new FormatException(p))])));

    [Fact]
    public void Uid_IsReversedBitwise_AndBack()
    {
        Assert.Equal("0c8c26a6-c6a6-44c6-adc6-ac2646b46c1c", Uids.Convert("30316465-6365-4463-ad63-3564622d3638"));
        Assert.Equal("30316465-6365-4463-ad63-3564622d3638", Uids.Convert("0c8c26a6-c6a6-44c6-adc6-ac2646b46c1c"));
        Assert.Equal("no uid", Uids.Convert("no uid"));
    }

    [Fact]
    public void NamespacesAndAccounts_BecomeProfiles()
    {
        Profile ns = ProfileConversion.Namespace(new ObjectMeta { Name = "n", ResourceVersion = "7", Labels = new() { ["team"] = "red" } });
        Profile account = ProfileConversion.ServiceAccount(new ObjectMeta { Name = "test.foo", Namespace = "default", ResourceVersion = "8", Labels = new() { ["a"] = "b" } });

        Assert.Equal(("kns.n", "7/", "Allow", "Allow"), (ns.Metadata.Name, ns.Metadata.ResourceVersion, ns.Spec.Ingress!.Single().Action, ns.Spec.Egress!.Single().Action));
        Assert.Equal("pcns.projectcalico.org/name=n,pcns.team=red", Text(ns.Spec.LabelsToApply!));
        Assert.Equal(("ksa.default.test.foo", "/8"), (account.Metadata.Name, account.Metadata.ResourceVersion));
        Assert.Null(account.Spec.Ingress);
        Assert.Equal("pcsa.a=b,pcsa.projectcalico.org/name=test.foo", Text(account.Spec.LabelsToApply!));
        Assert.True(ProfileConversion.TryAccount(account.Metadata.Name, out string where, out string who));
        Assert.Equal(("default", "test.foo"), (where, who));
        Assert.False(ProfileConversion.TryAccount("kns.default", out _, out _));
    }

    [Fact]
    public void ClusterPolicy_BecomesAGlobalOne_OfItsTier()
    {
        GlobalNetworkPolicy policy = ConvertCluster("""
            {"tier":"Admin","priority":7,"subject":{"namespaces":{}},
             "ingress":[{"name":"web","action":"Accept","from":[{"pods":{"namespaceSelector":{"matchLabels":{"a":"b"}},"podSelector":{}}}],
                         "protocols":[{"tcp":{"destinationPort":{"number":80}}},{"tcp":{"destinationPort":{"range":{"start":81,"end":90}}}},{"destinationNamedPort":"dns"}]}]}
            """)!.Value.Policy;

        Assert.Equal(("kube-admin", 7d, IsPod, "all()"), (policy.Spec.Tier, policy.Spec.Order, policy.Spec.Selector, policy.Spec.NamespaceSelector));
        Assert.Equal(["Ingress"], policy.Spec.Types);
        Assert.Equal(["/dns", "TCP/80:90"], policy.Spec.Ingress!.Select(r => $"{r.Protocol}/{string.Join(',', r.Destination!.Ports!)}"));
        Assert.All(policy.Spec.Ingress!, r => Assert.Equal(("Allow", "a == 'b'", IsPod, "web"), (r.Action, r.Source!.NamespaceSelector, r.Source.Selector, r.Metadata!.Annotations!["name"])));
    }

    [Theory]
    [InlineData("""{"tier":"Other","subject":{"namespaces":{}}}""")]
    [InlineData("""{"tier":"Admin"}""")]
    public void ClusterPolicyWithoutTierOrSubject_IsNone(string spec) => Assert.Null(ConvertCluster(spec));

    [Theory]
    [InlineData("Accept", "")]
    [InlineData("Deny", "Deny")]
    [InlineData("Pass", "Deny")]
    public void ClusterRuleThatCannotBeConverted_FailsClosed(string action, string expected)
    {
        foreach (string broken in new[] { "\"protocols\":[{\"tcp\":{\"destinationPort\":{\"range\":{\"start\":1000,\"end\":10}}}}]", "\"to\":[{\"nodes\":{}}]", "\"to\":[{\"networks\":[\"x\"]}]" })
        {
            ConvertedPolicy<GlobalNetworkPolicy> converted = ConvertCluster(
                "{\"tier\":\"Baseline\",\"subject\":{\"pods\":{\"podSelector\":{},\"namespaceSelector\":{}}},\"egress\":[{\"action\":\"" + action + "\"," + broken + "}]}")!.Value;

            Assert.Equal(expected, string.Concat(converted.Policy.Spec.Egress!.Select(r => r.Action)));
            Assert.All(converted.Policy.Spec.Egress!, r => Assert.True(r is { Source: null, Destination: null, Protocol: null }));
            Assert.Single(converted.Problems);
        }
    }

    private static NetworkPolicy Convert(string spec)
    {
        Assert.True(KubernetesJson.TryRead(Encoding.UTF8.GetBytes($$"""{"metadata":{"name":"p","namespace":"ns"},"spec":{{spec}}}"""), out KubernetesNetworkPolicy? policy, out string? problem), problem);
        ConvertedPolicy<NetworkPolicy> converted = NetworkPolicyConversion.Convert(policy);
        Assert.Empty(converted.Problems);
        return converted.Policy;
    }

    private static ConvertedPolicy<GlobalNetworkPolicy>? ConvertCluster(string spec)
    {
        Assert.True(KubernetesJson.TryRead(Encoding.UTF8.GetBytes($$"""{"metadata":{"name":"p"},"spec":{{spec}}}"""), out ClusterNetworkPolicy? policy, out string? problem), problem);
        return ClusterNetworkPolicyConversion.Convert(policy);
    }

    private static string Text(Dictionary<string, string> labels) => string.Join(',', labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}"));
}
