using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Conversion;

/// <summary>v3 endpoints and network sets to the graph's values.</summary>
internal static class EndpointConversion
{
    private const int MaxInterfaceName = 15;

    /// <summary>
    /// Null when there is nothing to program or to put into sets: no addresses yet. A value with a problem is of use only on its own node, where its
    /// interface must be closed.
    /// </summary>
    public static WorkloadValue? Workload(ResourceKey key, WorkloadEndpoint endpoint, SourceSpoofing spoofing, long revision)
    {
        WorkloadEndpointSpec spec = endpoint.Spec;
        if (spec.IpNetworks is not { Count: > 0 })
        {
            return null;
        }

        Problems problems = new();
        if (!IsInterfaceName(spec.InterfaceName))
        {
            problems.Add("spec.interfaceName", $"\"{spec.InterfaceName}\" is no interface name");
        }

        IpPrefix[] networks = Networks(spec.IpNetworks, "spec.ipNetworks", problems);
        MacAddress? mac = null;
        if (!string.IsNullOrEmpty(spec.Mac))
        {
            if (MacAddress.TryParse(spec.Mac, out MacAddress parsed))
            {
                mac = parsed;
            }
            else
            {
                problems.Add("spec.mac", $"\"{spec.Mac}\" is no MAC address");
            }
        }

        IpPrefix[] spoofed = [];
        if (spec.AllowSpoofedSourcePrefixes is { Count: > 0 } prefixes)
        {
            spoofed = Networks(prefixes, "spec.allowSpoofedSourcePrefixes", problems, hostsOnly: false);
            if (spoofing == SourceSpoofing.Disabled)
            {
                problems.Add("spec.allowSpoofedSourcePrefixes", "not allowed unless FelixConfiguration.workloadSourceSpoofing is Any");
            }
        }

        SetSource source = new(Labels(key.Namespace, endpoint), spec.Profiles ?? [], networks, Ports(spec.Ports, problems), spec.Node ?? string.Empty);
        return new WorkloadValue(
            Id(key, spec), $"{key.Namespace}/{key.Name}", spec.Node ?? string.Empty, spec.InterfaceName ?? string.Empty, mac, source, spoofed, revision, problems.ToString());
    }

    public static bool IsInterfaceName(string? name)
    {
        if (name is not { Length: > 0 and <= MaxInterfaceName } || name is "." or "..")
        {
            return false;
        }

        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '.' or '-'))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether it is known which interfaces an endpoint with a problem would have.</summary>
    public static bool IsHostInterface(HostEndpointValue endpoint) =>
        endpoint.InterfaceName.Length == 0 ? endpoint.ExpectedIps.Count > 0 : endpoint.InterfaceName == "*" || IsInterfaceName(endpoint.InterfaceName);

    public static HostEndpointValue HostEndpoint(ResourceKey key, HostEndpoint endpoint, Problems problems)
    {
        HostEndpointSpec spec = endpoint.Spec;
        if (string.IsNullOrEmpty(spec.Node))
        {
            problems.Add("spec.node", "must be given");
        }

        if (!string.IsNullOrEmpty(spec.InterfaceName) && spec.InterfaceName != "*" && !IsInterfaceName(spec.InterfaceName))
        {
            problems.Add("spec.interfaceName", $"\"{spec.InterfaceName}\" is no interface name");
        }

        IpPrefix[] addresses = Networks(spec.ExpectedIPs ?? [], "spec.expectedIPs", problems);
        if (string.IsNullOrEmpty(spec.InterfaceName) && addresses.Length == 0)
        {
            problems.Add("spec", "interfaceName or expectedIPs must be given");
        }

        List<NamedPort> ports = [];
        foreach (EndpointPort port in spec.Ports ?? [])
        {
            AddPort(ports, port.Name, port.Protocol, port.Port, problems);
        }

        SetSource source = new(endpoint.Metadata.Labels ?? [], spec.Profiles ?? [], addresses, ports);
        return new HostEndpointValue(key.Name, spec.Node ?? string.Empty, spec.InterfaceName ?? string.Empty, [.. addresses.Select(a => a.Address)], source);
    }

    public static SetSource NetworkSet(ResourceKey key, Resource resource, List<string>? nets, Problems problems)
    {
        List<IpPrefix> members = [];
        foreach (string text in nets ?? [])
        {
            if (!IpPrefix.TryParseNet(text, out IpPrefix net))
            {
                problems.Add("spec.nets", $"\"{text}\" is no CIDR");
            }
            else if (net.Length == 0)
            {
                // The kernel's hash:net has no room for a /0: two halves say the same.
                members.Add(new IpPrefix(net.Address, 1));
                members.Add(new IpPrefix(net.Address.Add(UInt128.One << (net.Address.BitLength - 1)), 1));
            }
            else
            {
                members.Add(net);
            }
        }

        Dictionary<string, string> labels = new(resource.Metadata.Labels ?? []);
        if (key.Namespace.Length == 0)
        {
            return new SetSource(labels, [], [.. members.Distinct()], []);
        }

        labels[SelectorConversion.NamespaceLabel] = key.Namespace;
        return new SetSource(labels, [$"kns.{key.Namespace}"], [.. members.Distinct()], []);
    }

    /// <summary>
    /// Labels that say where the endpoint belongs come from the object's identity, never from what somebody wrote into its labels; the prefixes of inherited
    /// labels cannot be forged either.
    /// </summary>
    private static Dictionary<string, string> Labels(string @namespace, WorkloadEndpoint endpoint)
    {
        Dictionary<string, string> labels = new(endpoint.Metadata.Labels?.Count ?? 4);
        foreach ((string name, string value) in endpoint.Metadata.Labels ?? [])
        {
            if (!name.StartsWith(SelectorConversion.NamespacePrefix, StringComparison.Ordinal)
                && !name.StartsWith(SelectorConversion.ServiceAccountPrefix, StringComparison.Ordinal))
            {
                labels[name] = value;
            }
        }

        labels[SelectorConversion.NamespaceLabel] = @namespace;
        if (!string.IsNullOrEmpty(endpoint.Spec.Orchestrator))
        {
            labels[SelectorConversion.OrchestratorLabel] = endpoint.Spec.Orchestrator;
        }

        if (!string.IsNullOrEmpty(endpoint.Spec.ServiceAccountName))
        {
            labels[SelectorConversion.ServiceAccountLabel] = endpoint.Spec.ServiceAccountName;
        }

        return labels;
    }

    private static WorkloadEndpointId Id(ResourceKey key, WorkloadEndpointSpec spec) => new(
        spec.Orchestrator ?? string.Empty,
        spec.Orchestrator switch
        {
            "k8s" => $"{key.Namespace}/{spec.Pod}",
            "cni" => spec.ContainerID ?? string.Empty,
            _ => spec.Workload ?? string.Empty,
        },
        spec.Endpoint ?? string.Empty);

    private static IpPrefix[] Networks(List<string> texts, string field, Problems problems, bool hostsOnly = true)
    {
        List<IpPrefix> networks = new(texts.Count);
        foreach (string text in texts)
        {
            if (!IpPrefix.TryParseNet(text, out IpPrefix network))
            {
                problems.Add(field, $"\"{text}\" is no address");
            }
            else if (hostsOnly && !network.IsHost)
            {
                problems.Add(field, $"\"{text}\" is not a single address");
            }
            else if (!networks.Contains(network))
            {
                networks.Add(network);
            }
        }

        return [.. networks];
    }

    private static List<NamedPort> Ports(List<WorkloadEndpointPort>? declared, Problems problems)
    {
        List<NamedPort> ports = [];
        foreach (WorkloadEndpointPort port in declared ?? [])
        {
            // A port without a name serves only host port mapping.
            if (!string.IsNullOrEmpty(port.Name))
            {
                AddPort(ports, port.Name, port.Protocol, port.Port, problems);
            }
        }

        return ports;
    }

    private static void AddPort(List<NamedPort> ports, string name, Protocol protocol, int number, Problems problems)
    {
        if (number is < 1 or > 65535 || !protocol.SupportsPorts)
        {
            problems.Add("spec.ports", $"\"{name}\": {protocol} {number} is no port");
            return;
        }

        ports.Add(new NamedPort(name, protocol.Number, (ushort)number));
    }
}
