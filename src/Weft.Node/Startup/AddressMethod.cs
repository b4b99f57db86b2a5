using System.Text.RegularExpressions;
using Weft.Primitives.Net;

namespace Weft.Node.Startup;

/// <summary>An interface of the host and its addresses, in the order of the kernel.</summary>
internal sealed record HostInterface(string Name, bool IsUp, IReadOnlyList<InterfaceAddress> Addresses);

/// <summary>How a node finds its own address: Calico's IP_AUTODETECTION_METHOD. Pure: it is given the interfaces.</summary>
public abstract record AddressMethod
{
    public const string Form = "first-found | interface=REGEX,... | skip-interface=REGEX,... | cidr=PREFIX,... | can-reach=ADDRESS";

    /// <summary>Interfaces of container runtimes, tunnels and pods, which nobody else can reach the node by.</summary>
    private static readonly string[] s_neverFirst =
    [
        "^docker.*", "^cbr.*", "^dummy.*", "^podman.*", "^virbr.*", "^lxcbr.*", "^veth.*", "^lo", "^br-.*", "^cali.*", "^tunl.*", "^flannel.*", "^kube-ipvs.*",
        "^cni.*", @"^vxlan\.calico.*", @"^vxlan-v6\.calico.*", @"^wireguard\.cali.*", @"^wg-v6\.cali.*", "^nodelocaldns.*",
    ];

    private static readonly TimeSpan s_regexLimit = TimeSpan.FromMilliseconds(200);

    private AddressMethod()
    {
    }

    public static bool TryParse(string text, out AddressMethod value, out string reason)
    {
        reason = $"expected {Form}";
        string[] parts = text.Split('=', 2);
        string[] items = parts.Length < 2 ? [] : parts[1].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        value = new FirstFound([]);
        try
        {
            switch (parts[0], items.Length)
            {
                case ("first-found", 0):
                    return true;
                case ("interface", > 0):
                    value = new Interface([.. items.Select(Expression)]);
                    return true;
                case ("skip-interface", > 0):
                    value = new FirstFound([.. items.Select(Expression)]);
                    return true;
                case ("cidr", > 0):
                    value = new Cidr([.. items.Select(IpPrefix.Parse)]);
                    return true;
                case ("can-reach", 1) when IpAddress.TryParse(items[0], out IpAddress target):
                    value = new CanReach(target);
                    return true;
                default:
                    return false;
            }
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            reason = e.Message;
            return false;
        }
    }

    /// <summary>Interfaces that may carry the node's address: what is never chosen by itself is left out.</summary>
    internal static IEnumerable<HostInterface> Acceptable(IEnumerable<HostInterface> interfaces) =>
        interfaces.Where(i => i.IsUp && !s_neverFirst.Any(never => Expression(never).IsMatch(i.Name)));

    /// <param name="interfaces">In the order of the kernel; walked backwards, as Calico does.</param>
    /// <param name="family">Which address is wanted.</param>
    /// <param name="sourceTowards">The local address the kernel would use to reach another, or null.</param>
    internal InterfaceAddress? Find(IReadOnlyList<HostInterface> interfaces, IpFamily family, Func<IpAddress, IpAddress?> sourceTowards)
    {
        IEnumerable<HostInterface> up = interfaces.Where(i => i.IsUp).Reverse();
        return this switch
        {
            FirstFound first => First(Acceptable(up).Where(i => !first.Skip.Any(s => s.IsMatch(i.Name)))),
            Interface named => named.Names.Select(n => First(up.Where(i => n.IsMatch(i.Name)))).FirstOrDefault(a => a is not null),
            Cidr cidr => up.SelectMany(Global).Where(a => cidr.Prefixes.Any(p => p.Contains(a.Address))).Select(a => (InterfaceAddress?)a).FirstOrDefault(),
            CanReach reach => reach.Target.Family == family && sourceTowards(reach.Target) is { } source
                ? up.SelectMany(i => i.Addresses).Where(a => a.Address == source).Select(a => (InterfaceAddress?)a).FirstOrDefault()
                : null,
            _ => null,
        };

        InterfaceAddress? First(IEnumerable<HostInterface> candidates) => candidates.SelectMany(Global).Select(a => (InterfaceAddress?)a).FirstOrDefault();

        IEnumerable<InterfaceAddress> Global(HostInterface i) => i.Addresses.Where(a =>
            a.Address.Family == family && !a.Address.IsLoopback && !a.Address.IsLinkLocal && !a.Address.IsMulticast && !a.Address.IsUnspecified);
    }

    // Unanchored, as upstream: "eth" matches "bond-eth0" too.
    private static Regex Expression(string text) => new(text, RegexOptions.CultureInvariant, s_regexLimit);

    private sealed record FirstFound(IReadOnlyList<Regex> Skip) : AddressMethod;

    private sealed record Interface(IReadOnlyList<Regex> Names) : AddressMethod;

    private sealed record Cidr(IReadOnlyList<IpPrefix> Prefixes) : AddressMethod;

    private sealed record CanReach(IpAddress Target) : AddressMethod;
}
