using Weft.Model.Names;

namespace Weft.Model.Tests.Names;

/// <summary>Vectors N1..N12 and N18 of the reference.</summary>
public sealed class WorkloadEndpointNameTests
{
    [Theory]
    [InlineData("k8s", "pod-name", "", "", "eth0", "node--1-k8s-pod--name-eth0")] // N1
    [InlineData("cni", "", "abcdefa0123456", "", "eth0", "node--1-cni-abcdefa0123456-eth0")] // N2
    [InlineData("libnetwork", "", "", "", "abcdefgh", "node--1-libnetwork-libnetwork-abcdefgh")] // N3
    [InlineData("foo", "", "", "foo-foo", "abcdefgh", "node--1-foo-foo--foo-abcdefgh")] // N4
    public void KnownIdentity_HasTheNameCalicoGives(string orchestrator, string pod, string container, string workload, string endpoint, string expected)
    {
        WorkloadEndpointName identity = new("node-1", orchestrator, endpoint, pod, container, workload);

        Assert.True(identity.TryBuild(out string? name, out _));
        Assert.Equal(expected, name);
        Assert.True(WorkloadEndpointName.TryParse(name, out WorkloadEndpointName? parsed));
        Assert.Equal(identity, parsed);
        Assert.True(identity.Matches(name));
    }

    [Fact]
    public void MissingPart_IsAnErrorInTheWholeName_AndEndsThePrefix()
    {
        WorkloadEndpointName noPod = new("node-1", "k8s", "eth0"); // N5
        WorkloadEndpointName noOrchestrator = new("node-1"); // N6
        WorkloadEndpointName noNode = new(string.Empty, "k8s", "eth0", Pod: "p"); // N8

        Assert.False(noPod.TryBuild(out _, out string? podProblem));
        Assert.StartsWith("pod: missing", podProblem);
        Assert.True(noPod.TryBuildPrefix(out string? podPrefix, out _));
        Assert.Equal("node--1-k8s-", podPrefix);
        Assert.False(noOrchestrator.TryBuild(out _, out _));
        Assert.True(noOrchestrator.TryBuildPrefix(out string? nodePrefix, out _));
        Assert.Equal("node--1-", nodePrefix);
        Assert.False(noNode.TryBuild(out _, out _));
        Assert.False(noNode.TryBuildPrefix(out _, out _));
    }

    [Theory] // N7
    [InlineData("-abc")]
    [InlineData("abc-")]
    public void DashAtAnEnd_IsRefused(string container)
    {
        Assert.False(new WorkloadEndpointName("n", "cni", "eth0", ContainerId: container).TryBuild(out _, out string? problem));
        Assert.Contains("must not begin or end", problem);
    }

    [Theory]
    [InlineData("eth", "abc", false)] // N9
    [InlineData("eth0", "", true)] // N10
    [InlineData("", "", true)]
    [InlineData("eth0", "abcd", false)]
    public void Match_IsPartByPart(string endpoint, string container, bool expected)
    {
        Assert.Equal(expected, new WorkloadEndpointName("n", "cni", endpoint, ContainerId: container).Matches("n-cni-abc-eth0"));
    }

    [Theory] // N11
    [InlineData("n-cni-abc")]
    [InlineData("n-cni-abc-eth0-x")]
    public void WrongNumberOfParts_DoesNotMatch(string stored)
    {
        Assert.False(new WorkloadEndpointName("n", "cni").Matches(stored));
    }

    [Fact] // N12
    public void NameOfAPod_ParsesOnlyWhenItHasFourPartsOrLess()
    {
        Assert.False(WorkloadEndpointName.TryParse("calico-kube-controllers-7946b84856-2fwwq", out _));
        Assert.True(WorkloadEndpointName.TryParse("coredns-668d6bf9bc-bxhr6", out _));
    }

    [Fact]
    public void AnyParts_SurviveBuildingAndParsing()
    {
        Gen<string> part = Gen.String[Gen.Char["ab0.-"], 1, 12].Where(s => s[0] != '-' && s[^1] != '-');

        Gen.Select(part, part, part, part).Sample((node, orchestrator, id, endpoint) =>
        {
            WorkloadEndpointName identity = new(node, orchestrator, endpoint, Workload: id);

            bool built = identity.TryBuild(out string? name, out _);

            return built && WorkloadEndpointName.TryParse(name!, out WorkloadEndpointName? parsed) && parsed == identity && identity.Matches(name!);
        });
    }

    [Theory] // N18
    [InlineData("default", "nginx", "calic440f455693")]
    [InlineData("kube-system", "coredns-1", "cali5adc4ab58e2")]
    [InlineData("ns1", "pod-0", "cali0c992c8c53e")]
    [InlineData("test", "run1", "cali6c92af41991")]
    public void InterfaceOfAPod_IsNamedByHash(string space, string pod, string expected)
    {
        Assert.Equal(expected, InterfaceName.ForWorkload(space, pod));
    }

    [Fact]
    public void InterfaceOfAContainer_IsNamedByItsId()
    {
        Assert.Equal("cali0123456789a", InterfaceName.ForContainer("0123456789abcdef"));
        Assert.Equal("cali01", InterfaceName.ForContainer("01"));
    }
}
