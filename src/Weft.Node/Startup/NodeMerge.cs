using Weft.Model.Resources;
using Weft.Primitives.Net;
using NodeResource = Weft.Model.Resources.Node;

namespace Weft.Node.Startup;

/// <summary>Pure: brings what the settings and the machine say into a Node resource, by the table of reference 6.2.</summary>
internal static class NodeMerge
{
    /// <returns>True when something is different from what was stored.</returns>
    public static bool Apply(
        NodeResource node, NodeSettings settings, IReadOnlyList<HostInterface> interfaces, Func<IpAddress, IpAddress?> sourceTowards, List<string> problems,
        List<string> choices)
    {
        NodeBgpSpec bgp = node.Spec.Bgp ?? new NodeBgpSpec();
        (string? v4, string? v6, AsNumber? number) before = (bgp.Ipv4Address, bgp.Ipv6Address, bgp.AsNumber);
        bgp.Ipv4Address = Address(settings.IPv4, bgp.Ipv4Address, IpFamily.IPv4, settings, interfaces, sourceTowards, problems, choices);
        bgp.Ipv6Address = Address(settings.IPv6, bgp.Ipv6Address, IpFamily.IPv6, settings, interfaces, sourceTowards, problems, choices);
        bgp.AsNumber = settings.AsNumber ?? bgp.AsNumber;
        if (bgp.Ipv4Address is null && bgp.Ipv6Address is null && problems.Count == 0)
        {
            problems.Add("neither an IPv4 nor an IPv6 address: this node cannot speak BGP");
        }

        bool changed = before != (bgp.Ipv4Address, bgp.Ipv6Address, bgp.AsNumber);
        if (node.Spec.Bgp is not null || changed)
        {
            node.Spec.Bgp = bgp;
        }

        return MergeAddresses(node, bgp) | MergeInterfaces(node, settings, interfaces) | changed;
    }

    private static string? Address(
        NodeAddressSetting setting, string? stored, IpFamily family, NodeSettings settings, IReadOnlyList<HostInterface> interfaces,
        Func<IpAddress, IpAddress?> sourceTowards, List<string> problems, List<string> choices)
    {
        string key = family == IpFamily.IPv4 ? "ipv4-address" : "ipv6-address";
        switch (setting.Source)
        {
            case AddressSource.None:
            case AddressSource.KeepOrDetect when stored is not null || family == IpFamily.IPv6:
                return Chosen(stored, $"kept as the Node resource has it ({key} = {(setting.Source == AddressSource.None ? "none" : "not set")})");
            case AddressSource.Given when setting.HasLength || family == IpFamily.IPv6:
                return Chosen(setting.Address.ToString(), $"set by {key}");
            case AddressSource.Given:
                (InterfaceAddress Address, string Interface)? found = OnInterface(setting.Address, interfaces);
                return Chosen((found?.Address ?? setting.Address).ToString(), $"set by {key}, length {(found is { } on ? $"of {on.Interface}" : "of a single address, since no interface has it")}");
            default:
                if (settings.Method.Find(interfaces, family, sourceTowards) is { } choice)
                {
                    return Chosen(choice.Address.ToString(), choice.Reason);
                }

                if (stored is null)
                {
                    problems.Add($"no {family} address was detected by {settings.Method.Text}: {settings.Method.WhyNone(interfaces, family)}");
                }

                return Chosen(stored, $"kept as the Node resource has it, since {settings.Method.Text} detects none now");
        }

        string? Chosen(string? address, string reason)
        {
            if (address is not null)
            {
                choices.Add($"{family} {address}: {reason}");
            }

            return address;
        }
    }

    private static (InterfaceAddress Address, string Interface)? OnInterface(InterfaceAddress bare, IReadOnlyList<HostInterface> interfaces) =>
        interfaces.SelectMany(i => i.Addresses.Select(a => (a, i.Name))).Where(a => a.a.Address == bare.Address).Select(a => ((InterfaceAddress, string)?)a).FirstOrDefault();

    private static bool MergeAddresses(NodeResource node, NodeBgpSpec bgp)
    {
        List<NodeAddress> others = [.. (node.Spec.Addresses ?? []).Where(a => a.Type != "CalicoNodeIP")];
        List<NodeAddress> wanted =
        [
            .. new[] { bgp.Ipv4Address, bgp.Ipv6Address }.OfType<string>().Select(a => new NodeAddress { Address = a, Type = "CalicoNodeIP" }),
            .. others,
        ];
        bool same = (node.Spec.Addresses ?? []).Select(a => (a.Address, a.Type)).SequenceEqual(wanted.Select(a => (a.Address, a.Type)));
        node.Spec.Addresses = wanted.Count == 0 ? null : wanted;
        return !same;
    }

    /// <summary>All interfaces that could carry a BGP session, for the families this node uses.</summary>
    private static bool MergeInterfaces(NodeResource node, NodeSettings settings, IReadOnlyList<HostInterface> interfaces)
    {
        bool v4 = settings.IPv4.Source is AddressSource.Detect or AddressSource.Given;
        bool v6 = settings.IPv6.Source is AddressSource.Detect or AddressSource.Given;
        if (!v4 && !v6)
        {
            return false;
        }

        List<NodeInterface> wanted =
        [
            .. AddressMethod.Acceptable(interfaces)
                .Select(i => new NodeInterface
                {
                    Name = i.Name,
                    Addresses = [.. i.Addresses.Select(a => a.Address).Where(a => (a.IsIPv4 ? v4 : v6) && !a.IsLinkLocal && !a.IsLoopback).Select(a => a.ToString())],
                })
                .Where(i => i.Addresses!.Count > 0)
                .OrderBy(i => i.Name, StringComparer.Ordinal),
        ];
        bool same = (node.Spec.Interfaces ?? []).Select(Text).SequenceEqual(wanted.Select(Text));
        node.Spec.Interfaces = wanted.Count == 0 ? null : wanted;
        return !same;

        static string Text(NodeInterface i) => $"{i.Name} {string.Join(' ', i.Addresses ?? [])}";
    }
}
