using System.Text.RegularExpressions;
using Weft.Primitives.Net;

namespace Weft.Node.Startup;

/// <summary>An interface of the host and its addresses, in the order of the kernel.</summary>
internal sealed record HostInterface(string Name, bool IsUp, IReadOnlyList<InterfaceAddress> Addresses);

/// <summary>An address a method has found.</summary>
/// <param name="Reason">Why this one, for the operator.</param>
internal sealed record AddressChoice(InterfaceAddress Address, string Reason);

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
        value = new FirstFound([]) { Text = text };
        if (parts[0] == "kubernetes-internal-ip")
        {
            reason = "kubernetes-internal-ip asks the Node of Kubernetes, which weft's datastore does not hold: use interface=, cidr= or can-reach=";
            return false;
        }

        try
        {
            switch (parts[0], items.Length)
            {
                case ("first-found", 0):
                    return true;
                case ("interface", > 0):
                    value = new Interface([.. items.Select(Expression)]) { Text = text };
                    return true;
                case ("skip-interface", > 0):
                    value = new FirstFound([.. items.Select(Expression)]) { Text = text };
                    return true;
                case ("cidr", > 0):
                    value = new Cidr([.. items.Select(IpPrefix.Parse)]) { Text = text };
                    return true;
                case ("can-reach", 1) when IpAddress.TryParse(items[0], out IpAddress target):
                    value = new CanReach(target) { Text = text };
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

    /// <summary>As it was set.</summary>
    internal string Text { get; private init; } = "first-found";

    /// <param name="interfaces">In the order of the kernel; walked backwards, as Calico does.</param>
    /// <param name="family">Which address is wanted.</param>
    /// <param name="sourceTowards">The local address the kernel would use to reach another, or null.</param>
    internal AddressChoice? Find(IReadOnlyList<HostInterface> interfaces, IpFamily family, Func<IpAddress, IpAddress?> sourceTowards)
    {
        IEnumerable<HostInterface> up = interfaces.Where(i => i.IsUp).Reverse();
        return this switch
        {
            FirstFound first => First(Acceptable(up).Where(i => !first.Skip.Any(s => s.IsMatch(i.Name))), name => $"{Text} takes {name}{PassedOver(interfaces, name)}"),
            Interface named => named.Names.Select(n => First(up.Where(i => n.IsMatch(i.Name)), name => $"{Text}: {name} matches {n}")).FirstOrDefault(a => a is not null),
            Cidr cidr => Pick(up, a => IsGlobal(a, family) && cidr.Prefixes.Any(p => p.Contains(a.Address)), (a, name) => $"{Text}: on {name}, in {cidr.Prefixes.First(p => p.Contains(a.Address))}"),
            CanReach reach => reach.Target.Family == family && sourceTowards(reach.Target) is { } source
                ? Pick(up, a => a.Address == source, (_, name) => $"{Text}: the kernel sends from it, on {name}")
                : null,
            _ => null,
        };

        AddressChoice? First(IEnumerable<HostInterface> candidates, Func<string, string> reason) => Pick(candidates, a => IsGlobal(a, family), (_, name) => reason(name));
    }

    /// <summary>What there was to choose from.</summary>
    internal string WhyNone(IReadOnlyList<HostInterface> interfaces, IpFamily family)
    {
        string[] candidates = [.. interfaces.Where(i => i.Addresses.Any(a => IsGlobal(a, family))).Select(i => $"{i.Name}{(i.IsUp ? string.Empty : " (down)")}")];
        return candidates.Length == 0 ? $"no interface has a global {family} address"
            : this is CanReach { Target: var target } ? target.Family == family ? $"the kernel has no route to {target} with a source address" : $"{target} is not {family}"
            : $"of the interfaces with a global {family} address none fits: {string.Join(", ", candidates)}";
    }

    private static AddressChoice? Pick(IEnumerable<HostInterface> interfaces, Func<InterfaceAddress, bool> fits, Func<InterfaceAddress, string, string> reason) =>
        interfaces.SelectMany(i => i.Addresses.Where(fits).Select(a => new AddressChoice(a, reason(a, i.Name)))).FirstOrDefault();

    private static bool IsGlobal(InterfaceAddress a, IpFamily family) =>
        a.Address.Family == family && !a.Address.IsLoopback && !a.Address.IsLinkLocal && !a.Address.IsMulticast && !a.Address.IsUnspecified;

    /// <summary>The interfaces that come after the chosen one in the kernel's order, which are looked at before it.</summary>
    private static string PassedOver(IReadOnlyList<HostInterface> interfaces, string chosen)
    {
        string[] passed = [.. interfaces.Reverse().TakeWhile(i => i.Name != chosen).Select(i => i.IsUp ? i.Name : $"{i.Name} (down)")];
        return passed.Length == 0 ? string.Empty : $", the last one in the kernel's order but for {string.Join(", ", passed)}";
    }

    // Unanchored, as upstream: "eth" matches "bond-eth0" too.
    private static Regex Expression(string text) => new(text, RegexOptions.CultureInvariant, s_regexLimit);

    private sealed record FirstFound(IReadOnlyList<Regex> Skip) : AddressMethod;

    private sealed record Interface(IReadOnlyList<Regex> Names) : AddressMethod;

    private sealed record Cidr(IReadOnlyList<IpPrefix> Prefixes) : AddressMethod;

    private sealed record CanReach(IpAddress Target) : AddressMethod;
}
