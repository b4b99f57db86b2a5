using Weft.Linux.Namespaces;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Lab;

/// <summary>
/// Namespaces and links of the rack. Nothing stands in the host's own namespace: the datastore has one with the management bridge in it, a switch has
/// its rack bridge, nodes are plugged into both.
/// </summary>
internal sealed class RackWiring(Topology topology)
{
    public const string Store = "store";
    private const string ManagementBridge = "mgmt";
    public const string RackBridge = "rack";

    public void CreateStore()
    {
        using NetNamespace space = CreateNamespace(Store);
        using RouteSocket route = RouteSocket.Open(space);
        Bridge(route, ManagementBridge, new InterfaceAddress(Topology.StoreAddress, 16));
    }

    public void CreateSwitch(LabSwitch self)
    {
        using NetNamespace space = CreateNamespace(self.Name);
        using RouteSocket route = RouteSocket.Open(space);
        int loopback = Link(route, "lo");
        route.Addresses.Add(loopback, new InterfaceAddress(self.RouterId, 32)).ThrowIfFailed($"{self.Name}: add {self.RouterId}/32 to lo");
        Bridge(route, RackBridge, self.RackAddress, topology.Options.IPv6 ? self.RackAddressV6 : null);
        foreach (LabTrunk trunk in topology.TrunksOf(self))
        {
            // The second of the two switches makes the link: both namespaces exist then.
            if (trunk.B != self)
            {
                continue;
            }

            using NetNamespace other = NetNamespace.Open(LabFiles.NamespacePath(trunk.A.Name));
            route.Links.CreateVeth(new VethEnd(trunk.A.Name), new VethEnd(self.Name) { Namespace = other }).ThrowIfFailed($"link {self.Name} to {trunk.A.Name}");
            Address(route, trunk.A.Name, trunk.AddressOf(self), topology.Options.IPv6 ? trunk.AddressOfV6(self) : null);
            using RouteSocket otherRoute = RouteSocket.Open(other);
            Address(otherRoute, self.Name, trunk.AddressOf(trunk.A), topology.Options.IPv6 ? trunk.AddressOfV6(trunk.A) : null);
        }

        // A switch forwards; the node's agent sets this on nodes by itself.
        space.Run(() =>
        {
            File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
            File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "1");
        });
    }

    public void CreateNode(LabNode self)
    {
        using NetNamespace space = CreateNamespace(self.Name);
        using RouteSocket route = RouteSocket.Open(space);
        Plug(route, "eth0", self.Switch.Name, RackBridge, self.Name);
        Address(route, "eth0", self.RackAddress, topology.Options.IPv6 ? self.RackAddressV6 : null);
        Plug(route, "mgmt0", Store, ManagementBridge, self.Name);
        Address(route, "mgmt0", self.ManagementAddress, null);
    }

    /// <summary>An empty namespace, as a container runtime hands it to a CNI plugin.</summary>
    public static void CreatePod(string machine)
    {
        using NetNamespace space = CreateNamespace(machine);
    }

    private static NetNamespace CreateNamespace(string machine)
    {
        NetNamespace space = NamedNamespaces.Create(LabFiles.NamespaceName(machine));
        using RouteSocket route = RouteSocket.Open(space);
        route.Links.SetUp(Link(route, "lo")).ThrowIfFailed($"{machine}: set lo up");
        return space;
    }

    private static void Bridge(RouteSocket route, string name, InterfaceAddress address, InterfaceAddress? addressV6 = null)
    {
        route.Links.CreateBridge(name).ThrowIfFailed($"create bridge {name}");
        Address(route, name, address, addressV6);
    }

    /// <summary>A veth pair from here to a port of a bridge in another namespace.</summary>
    private static void Plug(RouteSocket route, string name, string machine, string bridge, string port)
    {
        using NetNamespace other = NetNamespace.Open(LabFiles.NamespacePath(machine));
        route.Links.CreateVeth(new VethEnd(name), new VethEnd(port) { Namespace = other }).ThrowIfFailed($"plug {name} into {bridge} of {machine}");
        using RouteSocket otherRoute = RouteSocket.Open(other);
        int index = Link(otherRoute, port);
        otherRoute.Links.SetMaster(index, Link(otherRoute, bridge)).ThrowIfFailed($"{machine}: put {port} on {bridge}");
        otherRoute.Links.SetUp(index).ThrowIfFailed($"{machine}: set {port} up");
    }

    private static void Address(RouteSocket route, string link, InterfaceAddress address, InterfaceAddress? addressV6)
    {
        int index = Link(route, link);
        route.Addresses.Add(index, address).ThrowIfFailed($"add {address} to {link}");
        if (addressV6 is { } v6)
        {
            route.Addresses.Add(index, v6, AddressOptions.NoDuplicateDetection).ThrowIfFailed($"add {v6} to {link}");
        }

        route.Links.SetUp(index).ThrowIfFailed($"set {link} up");
    }

    private static int Link(RouteSocket route, string name) => route.Links.Find(name)?.Index ?? throw new LabException($"link {name} is not there");
}
