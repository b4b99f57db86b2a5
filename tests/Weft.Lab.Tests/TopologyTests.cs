using Weft.Primitives.Net;

namespace Weft.Lab.Tests;

public sealed class TopologyTests
{
    [Fact]
    public void DefaultRack_PutsTwoNodesInTheFirstRackAndOneInTheSecond()
    {
        Topology topology = Topology.Plan(new LabOptions());

        Assert.Equal(["tor1", "tor1", "tor2"], topology.Nodes.Select(n => n.Switch.Name));
        Assert.Equal(["172.16.1.2/24", "172.16.1.3/24", "172.16.2.2/24"], topology.Nodes.Select(n => n.RackAddress.ToString()));
        Assert.Equal(6, topology.Pods.Count);
    }

    [Fact]
    public void LargestRack_HasNoAddressNameOrAsTwice()
    {
        Topology topology = Topology.Plan(new LabOptions { Nodes = LabOptions.MaxNodes, Pods = LabOptions.MaxPodsPerNode, Switches = LabOptions.MaxSwitches, IPv6 = true });

        IpAddress[] addresses =
        [
            Topology.StoreAddress,
            .. topology.Nodes.SelectMany(n => new[] { n.RackAddress.Address, n.RackAddressV6.Address, n.ManagementAddress.Address }),
            .. topology.Switches.SelectMany(s => new[] { s.RouterId, s.RackAddress.Address, s.RackAddressV6.Address }),
            .. topology.Trunks.SelectMany(t => new[] { t.AddressOf(t.A).Address, t.AddressOf(t.B).Address, t.AddressOfV6(t.A).Address, t.AddressOfV6(t.B).Address }),
        ];
        string[] machines = [.. topology.Nodes.Select(n => n.Name), .. topology.Switches.Select(s => s.Name), .. topology.Pods.Select(PodRunner.Machine)];
        uint[] systems = [.. topology.Nodes.Select(n => n.As), .. topology.Switches.Select(s => s.As)];

        Assert.Equal(addresses.Length, addresses.Distinct().Count());
        Assert.Equal(machines.Length, machines.Distinct().Count());
        Assert.Equal(systems.Length, systems.Distinct().Count());
        Assert.All(machines, m => Assert.True(m.Length <= 64));
    }

    [Fact]
    public void ContainerIds_AreUniqueAndLegal()
    {
        Topology topology = Topology.Plan(new LabOptions { Nodes = 20, Pods = 10, Switches = 2 });

        string[] ids = [.. topology.Pods.Select(PodRunner.ContainerId)];

        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Matches("^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", id));
    }

    [Fact]
    public void SwitchSettings_NameEveryNeighbourOnce()
    {
        Topology topology = Topology.Plan(new LabOptions { Nodes = 6, Switches = 3, IPv6 = true });

        string text = MachineSettings.Switch(topology, topology.Switches[1]);

        Assert.Contains("local-as = 65002", text, StringComparison.Ordinal);
        Assert.Equal(2 * 2 + 2 * 2, text.Split("[neighbor:").Length - 1);
    }
}
