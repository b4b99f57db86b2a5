using System.Text;

namespace Weft.Lab;

/// <summary>The resources of the rack as YAML: applied by <c>weft apply -f -</c>, as an operator would.</summary>
internal static class ClusterResources
{
    public const string PolicyName = "backend-from-frontend";

    /// <summary>What <see cref="Policy"/> leaves open: TCP to this port, from frontends to backends.</summary>
    public const string PolicySource = "frontend";

    public const string PolicyTarget = "backend";

    public static string Cluster(Topology topology)
    {
        StringBuilder text = new();
        string vxlan = topology.Options.Overlay switch { OverlayKind.Vxlan => "Always", OverlayKind.CrossSubnet => "CrossSubnet", _ => "Never" };
        text.Append($"""
            apiVersion: projectcalico.org/v3
            kind: IPPool
            metadata:
              name: pods
            spec:
              cidr: {Topology.PodPool}
              blockSize: 26
              ipipMode: Never
              vxlanMode: {vxlan}
              natOutgoing: true
            ---
            apiVersion: projectcalico.org/v3
            kind: BGPConfiguration
            metadata:
              name: default
            spec:
              nodeToNodeMeshEnabled: false
              asNumber: 64512

            """);
        if (topology.Options.IPv6)
        {
            text.Append($"""
                ---
                apiVersion: projectcalico.org/v3
                kind: IPPool
                metadata:
                  name: pods-v6
                spec:
                  cidr: {Topology.PodPoolV6}
                  blockSize: 122
                  vxlanMode: {vxlan}
                  natOutgoing: false

                """);
        }

        foreach (LabNode node in topology.Nodes)
        {
            text.Append($"""
                ---
                apiVersion: projectcalico.org/v3
                kind: Node
                metadata:
                  name: {node.Name}
                  labels:
                    rack: {node.Switch.Name}
                spec:
                  bgp:
                    asNumber: {node.As}
                    ipv4Address: {node.RackAddress}

                """);
        }

        foreach (LabSwitch rack in topology.Switches)
        {
            AppendPeer(text, rack, rack.Name, rack.RackAddress.Address.ToString());
            if (topology.Options.IPv6)
            {
                AppendPeer(text, rack, $"{rack.Name}-v6", rack.RackAddressV6.Address.ToString());
            }
        }

        return text.ToString();
    }

    /// <summary>Only frontends reach backends, and only TCP port 8080.</summary>
    public static string Policy() =>
        $"""
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata:
          name: {PolicyName}
          namespace: {LabPod.Namespace}
        spec:
          selector: app == '{PolicyTarget}'
          types:
          - Ingress
          ingress:
          - action: Allow
            protocol: TCP
            source:
              selector: app == '{PolicySource}'
            destination:
              ports:
              - {PodServer.Port}

        """;

    private static void AppendPeer(StringBuilder text, LabSwitch rack, string name, string address) =>
        text.Append($"""
            ---
            apiVersion: projectcalico.org/v3
            kind: BGPPeer
            metadata:
              name: {name}
            spec:
              nodeSelector: rack == '{rack.Name}'
              peerIP: {address}
              asNumber: {rack.As}
              password:
                secretKeyRef:
                  name: bgp
                  key: rack

            """);
}
