using System.Text;
using Weft.Model.Kubernetes;
using Weft.Model.Resources;

namespace Weft.Model.Tests.Kubernetes;

/// <summary>Vectors 67, 87, 88 and 91 of the reference, and the rules of its part 3.4.</summary>
public sealed class PodConversionTests
{
    private const string Running = "\"status\":{\"phase\":\"Running\",\"podIP\":\"192.168.0.1\"}";

    [Fact]
    public void Pod_BecomesItsEndpoint()
    {
        WorkloadEndpoint endpoint = Convert("""
            {"metadata":{"name":"pod-a","namespace":"default","labels":{"app":"web"},"resourceVersion":"7",
                         "annotations":{"cni.projectcalico.org/containerID":"abc","k8s.v1.cni.cncf.io/network-status":"[]","other":"x"}},
             "spec":{"nodeName":"node-1","serviceAccountName":"sa.1",
                     "containers":[{"ports":[{"name":"http","containerPort":80},{"containerPort":81},{"containerPort":82,"hostPort":8082,"hostIP":"10.0.0.1"},{"name":"odd","containerPort":83,"protocol":"OTHER"},{"name":"none"}]}],
                     "initContainers":[{"ports":[{"name":"dns","containerPort":53,"protocol":"UDP"}]}]},
             "status":{"podIP":"10.0.0.9","podIPs":[{"ip":"192.168.0.1"},{"ip":"fd5f::1"}]}}
            """).Endpoint!;

        Assert.Equal(("node--1-k8s-pod--a-eth0", "default", "7"), (endpoint.Metadata.Name, endpoint.Metadata.Namespace, endpoint.Metadata.ResourceVersion));
        Assert.Equal(["k8s.v1.cni.cncf.io/network-status"], endpoint.Metadata.Annotations!.Keys);
        Assert.Equal(
            "app=web,projectcalico.org/namespace=default,projectcalico.org/orchestrator=k8s,projectcalico.org/serviceaccount=sa.1",
            string.Join(',', endpoint.Metadata.Labels!.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}")));
        Assert.Equal(["192.168.0.1/32", "fd5f::1/128"], endpoint.Spec.IpNetworks!);
        Assert.Equal(["kns.default", "ksa.default.sa.1"], endpoint.Spec.Profiles!);
        Assert.Equal(("k8s", "node-1", "pod-a", "eth0", "abc"), (endpoint.Spec.Orchestrator, endpoint.Spec.Node, endpoint.Spec.Pod, endpoint.Spec.Endpoint, endpoint.Spec.ContainerID));
        Assert.Equal(["http TCP 80 ", " TCP 82 8082", "dns UDP 53 "], endpoint.Spec.Ports!.Select(p => $"{p.Name} {p.Protocol} {p.Port} {p.HostPort}"));
    }

    [Theory]
    [InlineData("{\"spec\":{\"nodeName\":\"n\",\"hostNetwork\":true}}")]
    [InlineData("{\"spec\":{}}")]
    public void PodOfTheHostsNetwork_OrOfNoNode_HasNone(string pod)
    {
        ConvertedPod converted = Convert(pod);

        Assert.Null(converted.Endpoint);
        Assert.Empty(converted.Problems);
    }

    [Theory] // 91
    [InlineData("\"cni.projectcalico.org/podIP\":\"\"", "", "Running", "192.168.0.1/32")]
    [InlineData("\"cni.projectcalico.org/podIP\":\"\"", "2026-01-01T00:00:00Z", "Running", "")]
    [InlineData("\"vpc.amazonaws.com/pod-ips\":\"\"", "2026-01-01T00:00:00Z", "Running", "")]
    [InlineData("\"cni.projectcalico.org/podIP\":\"192.168.0.1/32\"", "2026-01-01T00:00:00Z", "Running", "192.168.0.1/32")]
    [InlineData("", "2026-01-01T00:00:00Z", "Running", "192.168.0.1/32")]
    [InlineData("", "", "Succeeded", "")]
    [InlineData("", "", "Failed", "")]
    public void PodThatIsFinished_HasNoAddresses(string annotations, string deleted, string phase, string expected)
    {
        WorkloadEndpoint endpoint = Convert(
            $$"""{"metadata":{"name":"p","namespace":"ns","deletionTimestamp":"{{deleted}}","annotations":{ {{annotations}} } },"spec":{"nodeName":"n"},"status":{"phase":"{{phase}}","podIP":"192.168.0.1"} }""").Endpoint!;

        Assert.Equal(expected, string.Join(',', endpoint.Spec.IpNetworks!));
    }

    [Theory]
    [InlineData("\"cni.projectcalico.org/podIP\":\"192.168.0.1/32\"", "192.168.0.1/32")]
    [InlineData("\"cni.projectcalico.org/podIPs\":\"192.168.0.1/32,fd00::1/128\",\"cni.projectcalico.org/podIP\":\"10.0.0.1\"", "192.168.0.1/32,fd00::1/128")]
    [InlineData("\"vpc.amazonaws.com/pod-ips\":\"192.168.0.2\"", "192.168.0.2/32")]
    public void AnnotationsStandInForTheStatus(string annotations, string expected) => Assert.Equal(
        expected, string.Join(',', Convert($$"""{"metadata":{"name":"p","annotations":{ {{annotations}} } },"spec":{"nodeName":"n"} }""").Endpoint!.Spec.IpNetworks!));

    [Theory]
    [InlineData("\"cni.projectcalico.org/podIP\":\"nonsense\"", "address \"nonsense\"")]
    [InlineData("\"cni.projectcalico.org/allowedSourcePrefixes\":\"x\"", "allowedSourcePrefixes")]
    [InlineData("\"cni.projectcalico.org/allowedSourcePrefixes\":\"[\\\"10.0.0.0/33\\\"]\"", "10.0.0.0/33")]
    public void WhatCannotBeRead_GivesNoEndpoint_AndSaysWhy(string annotations, string expected)
    {
        ConvertedPod converted = Convert($$"""{"metadata":{"name":"p","annotations":{ {{annotations}} } },"spec":{"nodeName":"n"} }""");

        Assert.Null(converted.Endpoint);
        Assert.Contains(expected, Assert.Single(converted.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void FloatingAddresses_LeadToTheOneOfTheirFamily_AndSourcePrefixesAreMasked()
    {
        ConvertedPod converted = Convert(
            "{\"metadata\":{\"name\":\"p\",\"annotations\":{\"cni.projectcalico.org/floatingIPs\":\"[\\\"1.1.1.1\\\",\\\"fd00::1\\\"]\",\"cni.projectcalico.org/allowedSourcePrefixes\":\"[\\\"10.0.0.1/8\\\"]\"}},"
            + "\"spec\":{\"nodeName\":\"n\"}," + Running + "}");

        Assert.Equal(["1.1.1.1>192.168.0.1"], converted.Endpoint!.Spec.IpNATs!.Select(n => $"{n.ExternalIP}>{n.InternalIP}"));
        Assert.Contains("fd00::1", Assert.Single(converted.Problems), StringComparison.Ordinal);
        Assert.Equal(["10.0.0.0/8"], converted.Endpoint.Spec.AllowSpoofedSourcePrefixes!);
    }

    [Fact] // 67
    public void Interface_HasTheFirstPrefix() =>
        Assert.Equal("eni82111e10a96", PodConversion.Convert(new KubernetesPod { Metadata = new() { Name = "podname", Namespace = "namespace" }, Spec = new() { NodeName = "n" } }, "eni,veth,foo").Endpoint!.Spec.InterfaceName);

    [Theory]
    [InlineData(62, true)]
    [InlineData(63, false)]
    public void LongNameOfAnAccount_IsNoLabel(int length, bool expected)
    {
        KubernetesPod pod = new() { Metadata = new() { Name = "p", Namespace = "ns" }, Spec = new() { NodeName = "n", ServiceAccountName = new string('a', length) } };

        Assert.Equal(expected, PodConversion.Convert(pod).Endpoint!.Metadata.Labels!.ContainsKey("projectcalico.org/serviceaccount"));
    }

    [Fact] // 87
    public void Limits_AreQuantities_AndTheMarkHasAName()
    {
        QosControls controls = Limits(("ingressBandwidth", "1M"), ("ingressPacketRate", "2k"), ("dscp", "cs5"))!;

        Assert.Equal((1_000_000, 4_294_967_296, 2_000, 5, 40), (controls.IngressBandwidth, controls.IngressBurst, controls.IngressPacketRate, controls.IngressPacketBurst, controls.Dscp));
        Assert.Null(Limits());
        Assert.Null(Limits(("ingressBandwidth", "0")));
    }

    [Theory] // 88
    [InlineData("1", 1000, 1000, 1010, 1000, 1, 1)]
    [InlineData("1E", 1_000_000_000_000_000, 34_359_738_360, 1_010_000_000_000_000, 100_000_000, 10_000, 4_294_967_295)]
    public void Limits_AreBroughtToTheirBounds(string value, long bandwidth, long burst, long peak, long peakBurst, long rate, long connections)
    {
        foreach (string direction in new[] { "ingress", "egress" })
        {
            QosControls controls = Limits([.. new[] { "Bandwidth", "Burst", "Peakrate", "Minburst", "PacketRate", "PacketBurst", "MaxConnections" }.Select(n => (direction + n, value))])!;

            Assert.Equal(
                (bandwidth, burst, peak, peakBurst, rate, rate, connections),
                direction == "ingress"
                    ? (controls.IngressBandwidth, controls.IngressBurst, controls.IngressPeakrate, controls.IngressMinburst, controls.IngressPacketRate, controls.IngressPacketBurst, controls.IngressMaxConnections)
                    : (controls.EgressBandwidth, controls.EgressBurst, controls.EgressPeakrate, controls.EgressMinburst, controls.EgressPacketRate, controls.EgressPacketBurst, controls.EgressMaxConnections));
        }
    }

    [Fact]
    public void LimitThatCannotBeRead_IsTold_AndTheEndpointStands()
    {
        ConvertedPod converted = Convert("{\"metadata\":{\"name\":\"p\",\"annotations\":{\"qos.projectcalico.org/ingressBandwidth\":\"much\",\"qos.projectcalico.org/dscp\":\"64\"}},\"spec\":{\"nodeName\":\"n\"}," + Running + "}");

        Assert.NotNull(converted.Endpoint);
        Assert.Null(converted.Endpoint.Spec.QosControls);
        Assert.Equal(2, converted.Problems.Count);
    }

    private static QosControls? Limits(params (string Name, string Value)[] annotations) =>
        QosAnnotations.Read(annotations.ToDictionary(a => $"qos.projectcalico.org/{a.Name}", a => a.Value));

    private static ConvertedPod Convert(string json)
    {
        Assert.True(KubernetesJson.TryRead(Encoding.UTF8.GetBytes(json), out KubernetesPod? pod, out string? problem), problem);
        return PodConversion.Convert(pod);
    }
}
