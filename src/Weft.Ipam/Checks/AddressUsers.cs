using Weft.Datastore;
using Weft.Ipam.Tunnels;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam.Checks;

/// <summary>Somebody who uses an address.</summary>
/// <param name="Text">"pod ns/name on node-a".</param>
/// <param name="ContainerId">Of a workload.</param>
/// <param name="HandleId">Under which it must be allocated, when that is known: of a tunnel.</param>
internal sealed record AddressUser(string Text, string? ContainerId, string? HandleId);

/// <summary>Who uses which address: workload endpoints, and the tunnels of nodes in both families (upstream's check forgets those of IPv6 and frees them).</summary>
internal sealed class AddressUsers
{
    private readonly Dictionary<IpAddress, List<AddressUser>> _users = [];

    public AddressUsers(IReadOnlyList<KeyValue> items)
    {
        foreach (WorkloadEndpoint endpoint in items.Select(i => i.Value).OfType<WorkloadEndpoint>())
        {
            WorkloadEndpointSpec spec = endpoint.Spec;
            string who = spec.Pod is { Length: > 0 } pod ? $"pod {endpoint.Metadata.Namespace}/{pod}" : $"workload {endpoint.Metadata.Namespace}/{spec.Workload ?? spec.ContainerID ?? endpoint.Metadata.Name}";
            foreach (IpAddress address in (spec.IpNetworks ?? []).Select(Single).OfType<IpAddress>())
            {
                Add(address, new AddressUser($"{who} on {spec.Node}", spec.ContainerID, null));
            }
        }

        foreach (Node node in items.Select(i => i.Value).OfType<Node>())
        {
            foreach (TunnelKind kind in TunnelKind.All)
            {
                if (kind.AddressOf(node) is { } address)
                {
                    Add(address, new AddressUser($"{kind.Word} tunnel of {node.Metadata.Name}", null, kind.HandleOf(node.Metadata.Name)));
                }
            }
        }
    }

    public IEnumerable<KeyValuePair<IpAddress, List<AddressUser>>> All => _users.OrderBy(u => u.Key);

    public IReadOnlyList<AddressUser> Of(IpAddress address) => _users.TryGetValue(address, out List<AddressUser>? users) ? users : [];

    private static IpAddress? Single(string text) =>
        IpPrefix.TryParse(text, out IpPrefix prefix) && prefix.Length == prefix.Address.BitLength ? prefix.Address : IpAddress.TryParse(text, out IpAddress bare) ? bare : null;

    private void Add(IpAddress address, AddressUser user) =>
        (_users.TryGetValue(address, out List<AddressUser>? list) ? list : _users[address] = []).Add(user);
}
