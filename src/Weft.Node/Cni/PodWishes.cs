using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Model.Kubernetes;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Cni;

/// <summary>
/// What one pod asks for beyond its network: by annotations, by capability arguments (runtimeConfig), by the conventions of args.cni and by CNI_ARGS. Annotations
/// win, as in Calico; they arrive as the capability io.kubernetes.cri.pod-annotations of containerd and CRI-O, or as args.cni.annotations.
/// </summary>
internal sealed record PodWishes
{
    private const string Prefix = "cni.projectcalico.org/";
    private const string AddressesKey = Prefix + "ipAddrs";
    private const string AddressesNoIpamKey = Prefix + "ipAddrsNoIpam";

    public bool AssignIPv4 { get; init; }

    public bool AssignIPv6 { get; init; }

    public IReadOnlyList<string> IPv4Pools { get; init; } = [];

    public IReadOnlyList<string> IPv6Pools { get; init; } = [];

    /// <summary>Particular addresses, at most one per family; empty for any.</summary>
    public IReadOnlyList<IpAddress> Addresses { get; init; } = [];

    /// <summary>The particular addresses are somebody else's business: IPAM is neither asked nor told.</summary>
    public bool WithoutIpam { get; init; }

    /// <summary>External addresses that lead to the pod's own of the same family.</summary>
    public IReadOnlyList<IpAddress> FloatingAddresses { get; init; } = [];

    /// <summary>Null for a random one.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Null for no limits.</summary>
    public QosControls? Qos { get; init; }

    /// <exception cref="CniException">A wish that cannot be read, contradicts another, or needs a feature that is off.</exception>
    public static PodWishes Parse(NetworkConfig config, ConfigReader json, IReadOnlyDictionary<string, string> arguments, bool isKubernetes)
    {
        ConfigReader runtime = json.Object("runtimeConfig");
        ConfigReader conventions = json.Object("args").Object("cni");
        Dictionary<string, string> annotations = Annotations(runtime, conventions);
        if (!isKubernetes && config.AddressesNoIpam)
        {
            throw new CniException(CniErrorCode.UnsupportedField, "requested feature is not supported for this runtime: ip_addrs_no_ipam");
        }

        (bool ipv4, bool ipv6) = Families(annotations, config.Ipam);
        IReadOnlyList<IpAddress> addresses = Addressed(annotations, runtime, conventions, arguments, out bool withoutIpam);
        if (withoutIpam && !config.AddressesNoIpam)
        {
            throw new CniException(CniErrorCode.UnsupportedField, "requested feature is not enabled: ip_addrs_no_ipam");
        }

        IReadOnlyList<IpAddress> floating = List(annotations, Prefix + "floatingIPs") is { } texts ? ParseAddresses(texts, Prefix + "floatingIPs") : [];
        if (floating.Count > 0 && !config.FloatingAddresses)
        {
            throw new CniException(CniErrorCode.UnsupportedField, "requested feature is not enabled: floating_ips");
        }

        return new PodWishes
        {
            AssignIPv4 = ipv4,
            AssignIPv6 = ipv6,
            IPv4Pools = List(annotations, Prefix + "ipv4pools") ?? config.Ipam.IPv4Pools,
            IPv6Pools = List(annotations, Prefix + "ipv6pools") ?? config.Ipam.IPv6Pools,
            Addresses = addresses,
            WithoutIpam = withoutIpam,
            FloatingAddresses = floating,
            Mac = ParseMac(annotations, runtime, conventions, arguments),
            Qos = QosAnnotations.Read(annotations, runtime.Object("bandwidth").Integer64),
        };
    }

    private static Dictionary<string, string> Annotations(ConfigReader runtime, ConfigReader conventions)
    {
        Dictionary<string, string> annotations = [];
        foreach (JsonObject? source in (ReadOnlySpan<JsonObject?>)[conventions.Node("annotations"), runtime.Node("io.kubernetes.cri.pod-annotations")])
        {
            foreach ((string key, JsonNode? value) in source ?? [])
            {
                annotations[key] = value is JsonValue text && text.TryGetValue(out string? word) ? word : throw conventions.Wrong($"annotations.{key}", "text");
            }
        }

        return annotations;
    }

    private static (bool IPv4, bool IPv6) Families(Dictionary<string, string> annotations, IpamConfig ipam)
    {
        const string Key = Prefix + "ipFamilies";
        if (List(annotations, Key) is not { } families)
        {
            return (ipam.AssignIPv4, ipam.AssignIPv6);
        }

        return families.FirstOrDefault(f => f is not ("IPv4" or "IPv6")) is { } unknown
            ? throw Bad(Key, $"\"{unknown}\": expected IPv4 or IPv6")
            : (families.Contains("IPv4"), families.Contains("IPv6"));
    }

    private static IReadOnlyList<IpAddress> Addressed(
        Dictionary<string, string> annotations, ConfigReader runtime, ConfigReader conventions, IReadOnlyDictionary<string, string> arguments, out bool withoutIpam)
    {
        IReadOnlyList<string>? through = List(annotations, AddressesKey);
        IReadOnlyList<string>? around = List(annotations, AddressesNoIpamKey);
        withoutIpam = around is not null;
        if (through is not null && around is not null)
        {
            throw Bad(AddressesKey, $"cannot have both annotations: {AddressesKey} and {AddressesNoIpamKey}");
        }

        (string key, IReadOnlyList<string> texts) = through is not null ? (AddressesKey, through)
            : around is not null ? (AddressesNoIpamKey, around)
            : runtime.Texts("ips") is { Count: > 0 } ips ? ("runtimeConfig.ips", ips)
            : conventions.Texts("ips") is { Count: > 0 } asked ? ("args.cni.ips", asked)
            : arguments.GetValueOrDefault("IP") is { Length: > 0 } one ? ("CNI_ARGS: IP", [one])
            : (string.Empty, (IReadOnlyList<string>)[]);
        IReadOnlyList<IpAddress> addresses = ParseAddresses(texts, key);
        if (addresses.Count(a => a.IsIPv4) > 1 || addresses.Count(a => a.IsIPv6) > 1)
        {
            throw Bad(key, "an interface gets at most one address of each family");
        }

        return addresses;
    }

    private static MacAddress? ParseMac(Dictionary<string, string> annotations, ConfigReader runtime, ConfigReader conventions, IReadOnlyDictionary<string, string> arguments)
    {
        const string Key = Prefix + "hwAddr";
        (string key, string text) = annotations.GetValueOrDefault(Key) is { Length: > 0 } wanted ? (Key, wanted)
            : runtime.Text("mac") is { Length: > 0 } capability ? ("runtimeConfig.mac", capability)
            : conventions.Text("mac") is { Length: > 0 } convention ? ("args.cni.mac", convention)
            : ("CNI_ARGS: MAC", arguments.GetValueOrDefault("MAC", string.Empty));
        if (text.Length == 0)
        {
            return null;
        }

        return MacAddress.TryParse(text, out MacAddress mac) && (mac.Value >> 40 & 1) == 0 && mac.Value != 0
            ? mac
            : throw new CniException(CniErrorCode.InvalidConfiguration, $"failed to parse MAC address {text} provided via {key}: expected six pairs of hexadecimal digits of one interface");
    }

    private static List<IpAddress> ParseAddresses(IReadOnlyList<string> texts, string key)
    {
        List<IpAddress> addresses = [];
        foreach (string text in texts)
        {
            // The capability has "10.0.0.1/24": the length is the network's business.
            addresses.Add(IpAddress.TryParse(text.Split('/')[0], out IpAddress address) ? address : throw Bad(key, $"\"{text}\": expected an IPv4 or IPv6 address"));
        }

        return addresses;
    }

    /// <summary>A JSON list of texts, as Calico writes lists in annotations; null when the annotation is absent.</summary>
    private static List<string>? List(Dictionary<string, string> annotations, string key)
    {
        if (annotations.GetValueOrDefault(key) is not { Length: > 0 } text)
        {
            return null;
        }

        try
        {
            if (JsonNode.Parse(text) is JsonArray items && items.All(i => i?.GetValueKind() == JsonValueKind.String))
            {
                return [.. items.Select(i => i!.GetValue<string>())];
            }
        }
        catch (JsonException)
        {
            // Said below, with the key.
        }

        throw Bad(key, $"\"{text}\": expected a JSON list of texts");
    }

    private static CniException Bad(string key, string what) =>
        new(key.StartsWith("CNI_ARGS", StringComparison.Ordinal) ? CniErrorCode.InvalidEnvironment : CniErrorCode.InvalidConfiguration, $"{key}: {what}");
}
