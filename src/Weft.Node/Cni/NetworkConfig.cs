using System.Text.Json.Nodes;

namespace Weft.Node.Cni;

/// <summary>Where a pod's addresses come from (the "ipam" member).</summary>
/// <param name="AssignIPv4">True when absent.</param>
/// <param name="AssignIPv6">False when absent.</param>
/// <param name="IPv4Pools">Names or CIDRs of pools; empty for all that select the node.</param>
/// <param name="IPv6Pools">Names or CIDRs of pools; empty for all that select the node.</param>
internal sealed record IpamConfig(bool AssignIPv4, bool AssignIPv6, IReadOnlyList<string> IPv4Pools, IReadOnlyList<string> IPv6Pools);

/// <summary>An attachment that GC must keep ("cni.dev/valid-attachments", specification 1.1.0).</summary>
internal readonly record struct ValidAttachment(string ContainerId, string InterfaceName);

/// <summary>How the plugin reaches the datastore when no agent answers.</summary>
internal sealed record DatastoreAccess(string Endpoints, string CaFile, string CertFile, string KeyFile);

/// <summary>
/// The network configuration as weft understands it: Calico's members under Calico's names, and agent_socket. Members of other plugins and capability
/// arguments are left alone.
/// </summary>
internal sealed record NetworkConfig
{
    public const string DefaultAgentSocket = "/run/weft/agent.sock";
    private const int MaxMtu = 65_535;

    public required string CniVersion { get; init; }

    /// <summary>Name of the network: prefix of IPAM handles and, without Kubernetes policy, name of the profile.</summary>
    public required string Name { get; init; }

    public required string AgentSocket { get; init; }

    /// <summary>Empty when the node's name comes from elsewhere: see <see cref="NodeNameFile"/>.</summary>
    public required string NodeName { get; init; }

    public required string NodeNameFile { get; init; }

    public required DatastoreAccess Datastore { get; init; }

    /// <summary>log_level, for calls without an agent.</summary>
    public required string LogLevel { get; init; }

    /// <summary>Null takes the agent's setting, or the kernel's default.</summary>
    public int? Mtu { get; init; }

    /// <summary>Transmit and receive queues of the veth pair.</summary>
    public int Queues { get; init; } = 1;

    public required IpamConfig Ipam { get; init; }

    /// <summary>policy.type "k8s": profiles are those of the namespace; otherwise one profile named after the network.</summary>
    public bool KubernetesPolicy { get; init; }

    /// <summary>args.cni.labels, or Mesos' labels, in order.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>feature_control.ip_addrs_no_ipam: pods may bring addresses of their own by annotation.</summary>
    public bool AddressesNoIpam { get; init; }

    /// <summary>feature_control.floating_ips.</summary>
    public bool FloatingAddresses { get; init; }

    /// <summary>policy_setup_timeout_seconds: how long ADD waits for the kernel; null takes the agent's setting.</summary>
    public TimeSpan? PolicyWait { get; init; }

    /// <summary>require_mtu_file: without an MTU in the configuration or the file there is no pod.</summary>
    public bool RequireMtuFile { get; init; }

    /// <summary>container_settings.allow_ip_forwarding.</summary>
    public bool AllowIpForwarding { get; init; }

    /// <summary>Null outside GC.</summary>
    public IReadOnlyList<ValidAttachment>? ValidAttachments { get; init; }

    /// <summary>What ADD of this plugin or of the one before it in the chain returned; null when there is none.</summary>
    public CniResult? PreviousResult { get; init; }

    /// <summary>"dns" of the configuration: handed through into the result.</summary>
    public JsonObject? Dns { get; init; }

    /// <exception cref="CniException">Version 1, unsupported field 2 or invalid configuration 7, with the key.</exception>
    public static NetworkConfig Parse(JsonObject config)
    {
        ConfigReader reader = new(config, string.Empty);
        string version = reader.Text("cniVersion", CniVersions.Default);
        if (!CniVersions.IsSupported(version))
        {
            throw new CniException(CniErrorCode.IncompatibleVersion, $"unsupported CNI version {version}", $"supported are {string.Join(", ", CniVersions.Supported)}");
        }

        string name = reader.Text("name");
        if (!CniRequest.IsIdentifier(name))
        {
            throw new CniException(CniErrorCode.InvalidConfiguration, name.Length == 0
                ? "network configuration: name: missing"
                : $"network configuration: name \"{name}\": expected letters, digits, '_', '.' and '-', beginning with a letter or digit");
        }

        RefuseUnsupported(reader);
        return new NetworkConfig
        {
            CniVersion = version,
            Name = name,
            AgentSocket = reader.Text("agent_socket", DefaultAgentSocket),
            NodeName = reader.Text("nodename", reader.Text("hostname")),
            NodeNameFile = reader.Text("nodename_file", "/var/lib/calico/nodename"),
            Datastore = new DatastoreAccess(
                reader.Text("etcd_endpoints"), reader.Text("etcd_ca_cert_file"), reader.Text("etcd_cert_file"), reader.Text("etcd_key_file")),
            LogLevel = reader.Text("log_level", "info"),
            Mtu = ParseMtu(reader),
            Queues = reader.Integer("num_queues") is > 0 and <= 4096 and int queues ? queues : 1,
            Ipam = ParseIpam(reader.Object("ipam")),
            KubernetesPolicy = reader.Object("policy").Text("type") == "k8s",
            Labels = ParseLabels(reader.Object("args")),
            AddressesNoIpam = reader.Object("feature_control").Switch("ip_addrs_no_ipam") ?? false,
            FloatingAddresses = reader.Object("feature_control").Switch("floating_ips") ?? false,
            PolicyWait = ParsePolicyWait(reader),
            RequireMtuFile = reader.Switch("require_mtu_file") ?? false,
            AllowIpForwarding = reader.Object("container_settings").Switch("allow_ip_forwarding") ?? false,
            ValidAttachments = ParseAttachments(reader, config),
            PreviousResult = reader.Node("prevResult") is { } previous ? CniResult.Parse(previous) : null,
            Dns = reader.Node("dns"),
        };
    }

    /// <summary>Members whose meaning weft would have to ignore end the call: a pod must not start with less than was asked for.</summary>
    private static void RefuseUnsupported(ConfigReader reader)
    {
        Refuse("ipam.type", reader.Object("ipam").Text("type", "weft-ipam"), "weft-ipam", "calico-ipam");
        Refuse("device_type", reader.Text("device_type", "veth"), "veth");
        if (reader.Texts("readiness_gates").Count > 0)
        {
            throw new CniException(CniErrorCode.UnsupportedField, "network configuration: readiness_gates: weft asks no URL before ADD; STATUS tells whether the node is ready");
        }

        Refuse("datastore_type", reader.Text("datastore_type", "etcdv3"), "etcdv3");

        static void Refuse(string key, string value, params ReadOnlySpan<string> known)
        {
            if (!known.Contains(value))
            {
                throw new CniException(CniErrorCode.UnsupportedField, $"network configuration: {key}: unknown {key} \"{value}\"; weft knows {string.Join(" and ", known.ToArray())}");
            }
        }
    }

    private static TimeSpan? ParsePolicyWait(ConfigReader reader) => reader.Integer("policy_setup_timeout_seconds") switch
    {
        null or 0 => null,
        > 0 and <= 60 and int seconds => TimeSpan.FromSeconds(seconds),
        _ => throw reader.Wrong("policy_setup_timeout_seconds", "0 to 60"),
    };

    private static int? ParseMtu(ConfigReader reader) => reader.Integer("mtu") switch
    {
        null or 0 => null,
        >= 68 and <= MaxMtu and int mtu => mtu,
        _ => throw reader.Wrong("mtu", $"0 or 68 to {MaxMtu}"),
    };

    private static IpamConfig ParseIpam(ConfigReader ipam) =>
        new(ipam.Switch("assign_ipv4") ?? true, ipam.Switch("assign_ipv6") ?? false, ipam.Texts("ipv4_pools"), ipam.Texts("ipv6_pools"));

    /// <summary>CNI conventions: args.cni.labels. Mesos: args."org.apache.mesos".network_info.labels.labels.</summary>
    private static Dictionary<string, string> ParseLabels(ConfigReader arguments)
    {
        Dictionary<string, string> labels = [];
        foreach (ConfigReader label in (IEnumerable<ConfigReader>)
            [
                .. arguments.Object("org.apache.mesos").Object("network_info").Object("labels").Objects("labels"),
                .. arguments.Object("cni").Objects("labels"),
            ])
        {
            string key = label.Text("key");
            labels[key.Length > 0 ? key : throw label.Wrong("key", "text")] = label.Text("value");
        }

        return labels;
    }

    private static List<ValidAttachment>? ParseAttachments(ConfigReader reader, JsonObject config) =>
        config.ContainsKey("cni.dev/valid-attachments")
            ? [.. reader.Objects("cni.dev/valid-attachments").Select(a => new ValidAttachment(a.Text("containerID"), a.Text("ifname")))]
            : null;
}
