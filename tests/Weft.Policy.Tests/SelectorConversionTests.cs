using Weft.Model.Resources;
using Weft.Policy.Conversion;

namespace Weft.Policy.Tests;

/// <summary>Vectors of reference 10.7.</summary>
public sealed class SelectorConversionTests
{
    [Fact]
    public void SourceSelector_IsConfinedToTheNamespace() =>
        Assert.Equal(
            "(projectcalico.org/namespace == 'namespace2') && (mylabel = value1)",
            SelectorConversion.EntitySelector(new EntityRule { Selector = "mylabel = value1" }, "namespace2"));

    [Fact]
    public void NotSelectorAlone_ConfinesThePositiveSide() =>
        Assert.Equal("projectcalico.org/namespace == 'namespace2'", SelectorConversion.EntitySelector(new EntityRule { NotSelector = "has(label2)" }, "namespace2"));

    [Fact]
    public void NetsAlone_AreNotConfined() => Assert.Equal("", SelectorConversion.EntitySelector(new EntityRule { Nets = ["10.0.0.0/8"] }, "namespace2"));

    [Theory]
    [InlineData("namespacelabel1 == 'value1'", "pcns.namespacelabel1 == \"value1\"")]
    [InlineData("!has(key) || (has(key) && !key in {'value'})", "(!has(pcns.key) || (has(pcns.key) && !pcns.key in {\"value\"}))")]
    public void NamespaceSelector_IsPrefixed(string selector, string expected) =>
        Assert.Equal(expected, SelectorConversion.EntitySelector(new EntityRule { NamespaceSelector = selector }, "any"));

    [Fact]
    public void ServiceAccounts_AreNamesAndSelector()
    {
        EntityRule entity = new() { ServiceAccounts = new ServiceAccountMatch { Names = ["sa1", "sa2"], Selector = "key=='value1'" } };

        Assert.Equal(
            "(projectcalico.org/namespace == 'namespace') && ((pcsa.key == \"value1\") && (projectcalico.org/serviceaccount in {\"sa1\", \"sa2\"}))",
            SelectorConversion.EntitySelector(entity, "namespace"));
    }

    [Theory]
    [InlineData("all()", "(has(projectcalico.org/namespace)) && (has(label2))")]
    [InlineData("global()", "(!has(projectcalico.org/namespace)) && (has(label2))")]
    public void AllAndGlobal_SayWhetherThereIsANamespace(string selector, string expected) =>
        Assert.Equal(expected, SelectorConversion.EntitySelector(new EntityRule { NamespaceSelector = selector, Selector = "has(label2)" }, "ns"));

    [Theory]
    [InlineData("projectcalico.org/orchestrator == 'k8s'", "default", null, null, "(projectcalico.org/orchestrator == 'k8s') && projectcalico.org/namespace == 'default'")]
    [InlineData("", "default", null, null, "projectcalico.org/namespace == 'default'")]
    [InlineData("projectcalico.org/orchestrator == 'k8s'", "", "all()", null, "(projectcalico.org/orchestrator == 'k8s') && has(projectcalico.org/namespace)")]
    [InlineData("", "", "team == 'x'", null, "pcns.team == \"x\"")]
    [InlineData("a == 'b'", "ns", null, "role == 'r'", "((a == 'b') && projectcalico.org/namespace == 'ns') && pcsa.role == \"r\"")]
    [InlineData("a == 'b'", "", null, "all()", "(a == 'b') && has(projectcalico.org/serviceaccount)")]
    public void PolicySelector_JoinsAllParts(string selector, string ns, string? namespaceSelector, string? accounts, string expected) =>
        Assert.Equal(expected, SelectorConversion.PolicySelector(selector, ns, namespaceSelector, accounts));

    [Fact]
    public void BadNet_IsLeftOutAndReported()
    {
        Problems problems = new();
        Rule rule = new() { Action = "Allow", Source = new EntityRule { Nets = ["10.2402.0.0/16", "10.0.0.0/8", "192.168.1.1", "10.1.2.3/8"] } };

        IReadOnlyList<RuleValue> rules = new RuleConversion(string.Empty, problems).Convert([rule], "spec.ingress");

        Assert.Equal(["10.0.0.0/8", "192.168.1.1/32", "10.0.0.0/8"], rules[0].Source.Nets.Select(n => n.ToString()));
        Assert.Contains("spec.ingress[0].source.nets", problems.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ICMP", 4)]
    [InlineData("ICMPv6", 6)]
    [InlineData("1", 0)]
    [InlineData("58", 0)]
    [InlineData("TCP", 0)]
    public void IpVersion_IsImpliedByNameOnly(string protocol, int expected)
    {
        Rule rule = new() { Action = "Allow", Protocol = Protocol.FromText(protocol) };

        Assert.Equal(expected, (int)new RuleConversion(string.Empty, new Problems()).Convert([rule], "r")[0].IpVersion);
    }
}
