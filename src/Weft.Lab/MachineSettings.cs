using System.Text;
using Weft.Primitives.Net;

namespace Weft.Lab;

/// <summary>The settings files of the rack's machines, as text: what an operator would write.</summary>
internal static class MachineSettings
{
    /// <summary>The key every BGP session of the rack is signed with (RFC 2385).</summary>
    public const string BgpPassword = "weft-lab-secret";

    /// <summary>A switch has the INI file and nothing else.</summary>
    public static string Switch(Topology topology, LabSwitch self)
    {
        StringBuilder text = new();
        bool v6 = topology.Options.IPv6;
        text.Append($"""
            # {self.Name}: a top-of-rack switch. No datastore: this file is all it knows.
            [router]
            router-id = {self.RouterId}
            local-as = {self.As}
            listen = 0.0.0.0:179{(v6 ? ", [::]:179" : string.Empty)}
            install-routes = yes
            networks = {self.RouterId}/32{Racks(topology, self)}
            run-dir = {LabFiles.RunDir(self.Name)}

            """);
        foreach ((string name, IpAddress address, uint remoteAs) in Neighbors(topology, self))
        {
            text.Append($"""

                [neighbor:{name}]
                address = {address}
                remote-as = {remoteAs}
                password-file = {LabFiles.RunDir(self.Name)}/bgp.key
                import = all
                export = all

                """);
        }

        return text.ToString();
    }

    /// <summary>Under an overlay the nodes must reach each other across racks.</summary>
    private static string Racks(Topology topology, LabSwitch self) => topology.Options.Overlay == OverlayKind.None
        ? string.Empty
        : $", {self.RackAddress.Prefix}{(topology.Options.IPv6 ? $", {self.RackAddressV6.Prefix}" : string.Empty)}";

    /// <summary>A node knows where the datastore is and who it is; the rest comes from resources.</summary>
    public static string Node(Topology topology, LabNode self) =>
        $"""
        # {self.Name}: peers and pools come from the datastore.
        [datastore]
        endpoints = {topology.StoreEndpoint}

        [node]
        name = {self.Name}
        ipv4-address = {self.RackAddress}
        ipv6-address = {(topology.Options.IPv6 ? self.RackAddressV6.ToString() : "none")}
        as-number = {self.As}

        [agent]
        run-dir = {LabFiles.RunDir(self.Name)}

        [router]
        run-dir = {LabFiles.RunDir(self.Name)}
        secrets-dir = {LabFiles.RunDir(self.Name)}/secrets

        """;

    /// <summary>BIRD 2 in the place of a switch.</summary>
    public static string Bird(Topology topology, LabSwitch self)
    {
        StringBuilder text = new();
        text.Append($$"""
            # {{self.Name}}: BIRD as a top-of-rack switch.
            router id {{self.RouterId}};
            log "{{LabFiles.Log(self.Name)}}" all;
            protocol device { scan time 5; }
            protocol direct { ipv4; ipv6; interface {{(topology.Options.Overlay == OverlayKind.None ? "\"lo\"" : $"\"lo\", \"{RackWiring.RackBridge}\"")}}; }
            protocol kernel kernel4 { ipv4 { export filter { if source = RTS_BGP then accept; reject; }; }; }
            protocol kernel kernel6 { ipv6 { export filter { if source = RTS_BGP then accept; reject; }; }; }

            """);
        foreach ((string name, IpAddress address, uint remoteAs) in Neighbors(topology, self))
        {
            string family = address.IsIPv6 ? "ipv6" : "ipv4";
            text.Append($$"""

                protocol bgp {{name.Replace('-', '_')}} {
                    local as {{self.As}};
                    neighbor {{address}} as {{remoteAs}};
                    password "{{BgpPassword}}";
                    connect delay time 1;
                    {{family}} { import all; export all; };
                }

                """);
        }

        return text.ToString();
    }

    /// <summary>All sessions of a switch: its nodes, then the other switches; per family when both are in use.</summary>
    public static IEnumerable<(string Name, IpAddress Address, uint RemoteAs)> Neighbors(Topology topology, LabSwitch self)
    {
        foreach (LabNode node in topology.NodesOf(self))
        {
            yield return (node.Name, node.RackAddress.Address, node.As);
            if (topology.Options.IPv6)
            {
                yield return ($"{node.Name}-v6", node.RackAddressV6.Address, node.As);
            }
        }

        foreach (LabTrunk trunk in topology.TrunksOf(self))
        {
            LabSwitch other = trunk.Other(self);
            yield return (other.Name, trunk.AddressOf(other).Address, other.As);
            if (topology.Options.IPv6)
            {
                yield return ($"{other.Name}-v6", trunk.AddressOfV6(other).Address, other.As);
            }
        }
    }
}
