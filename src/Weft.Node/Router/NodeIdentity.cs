using System.Security.Cryptography;
using System.Text;
using Weft.Model.Resources;
using Weft.Primitives.Net;
using NodeResource = Weft.Model.Resources.Node;

namespace Weft.Node.Router;

/// <summary>A node as a BGP neighbour sees it: the part of the Node resource that routing reads.</summary>
internal sealed record NodeIdentity(
    string Name, InterfaceAddress IPv4, InterfaceAddress IPv6, uint? AsNumber, IpAddress? ClusterId, IReadOnlyDictionary<string, string> Labels)
{
    private static readonly Dictionary<string, string> s_noLabels = [];

    /// <summary>The node has a WireGuard address of the family.</summary>
    public bool Encrypts(IpFamily family) => family == IpFamily.IPv6 ? EncryptsIPv6 : EncryptsIPv4;

    private bool EncryptsIPv4 { get; init; }

    private bool EncryptsIPv6 { get; init; }

    public static NodeIdentity From(string name, NodeResource node, ICollection<string> problems)
    {
        NodeBgpSpec? bgp = node.Spec.Bgp;
        IpAddress? clusterId = null;
        if (bgp?.RouteReflectorClusterID is { Length: > 0 } text)
        {
            if (IpAddress.TryParse(text, out IpAddress parsed) && parsed.IsIPv4)
            {
                clusterId = parsed;
            }
            else
            {
                problems.Add($"Node {name}: spec.bgp.routeReflectorClusterID \"{text}\" is not written as an IPv4 address");
            }
        }

        return new NodeIdentity(
            name,
            Address(name, "ipv4Address", bgp?.Ipv4Address, IpFamily.IPv4, problems),
            Address(name, "ipv6Address", bgp?.Ipv6Address, IpFamily.IPv6, problems),
            bgp?.AsNumber?.Value,
            clusterId,
            node.Metadata.Labels ?? s_noLabels)
        {
            EncryptsIPv4 = !string.IsNullOrEmpty(node.Spec.Wireguard?.InterfaceIPv4Address),
            EncryptsIPv6 = !string.IsNullOrEmpty(node.Spec.Wireguard?.InterfaceIPv6Address),
        };
    }

    /// <summary>The address of a family; of family None when the node has none.</summary>
    public IpAddress Address(IpFamily family) => (family == IpFamily.IPv6 ? IPv6 : IPv4).Address;

    /// <summary>A router id for a node without IPv4: the first four bytes of SHA-256 of its name, kept below the multicast range.</summary>
    public static IpAddress RouterIdFromName(string name)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(name), hash);
        if (hash[0] > 223)
        {
            hash[0] -= 32;
        }

        return IpAddress.FromBytes(hash[..4]);
    }

    private static InterfaceAddress Address(string name, string member, string? text, IpFamily family, ICollection<string> problems)
    {
        if (string.IsNullOrEmpty(text))
        {
            return default;
        }

        if (InterfaceAddress.TryParse(text, out InterfaceAddress parsed) && parsed.Address.Family == family)
        {
            return parsed;
        }

        if (IpAddress.TryParse(text, out IpAddress bare) && bare.Family == family)
        {
            return new InterfaceAddress(bare, bare.BitLength);
        }

        problems.Add($"Node {name}: spec.bgp.{member} \"{text}\" is not an {family} address with a prefix length");
        return default;
    }
}
