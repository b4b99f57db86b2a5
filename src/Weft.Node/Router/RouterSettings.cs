using System.Collections.Immutable;
using Weft.Bgp;
using Weft.Hosting.Configuration;
using Weft.Model.Resources;
using Weft.Node.Startup;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// [router] and every [neighbor:NAME] of the settings file, checked as a whole. Read at start and again on SIGHUP; immutable. What the datastore says is laid
/// over it by <see cref="DesiredRouter"/>: a value that stands here wins.
/// </summary>
internal sealed record RouterSettings
{
    /// <summary>Router id by hash of the node name (IPv6-only nodes).</summary>
    public const string HashRouterId = "hash";

    public static readonly Setting<string> RouterIdSetting = Setting.Text("router", "router-id", "",
        "BGP identifier, written as an IPv4 address. \"hash\" makes one from the node name. Without it the node's IPv4 address from the datastore is taken.",
        "IPv4 address | hash");

    public static readonly Setting<uint> LocalAsSetting = AsSetting("router", "local-as",
        "Own autonomous system. Without it the node's or the cluster's from the datastore is taken (64512).");

    public static readonly Setting<ImmutableArray<ListenEndpoint>> ListenSetting = Setting.Custom<ImmutableArray<ListenEndpoint>>(
        "router", "listen", "0.0.0.0:179, [::]:179", "address:port, ... | none", ListenEndpoint.TryParseList,
        "Where sessions are accepted. When it is not set, listenPort and bindMode of the BGPConfiguration can change it.");

    public static readonly Setting<ImmutableArray<ListenEndpoint>> MonitoringSetting = Setting.Custom<ImmutableArray<ListenEndpoint>>(
        "router", "monitoring", "none", "address:port, ... | none", ListenEndpoint.TryParseList,
        "Where GET /metrics (Prometheus) and GET /readiness are answered, in clear text and to everybody: an address that only the monitoring reaches.");

    public static readonly Setting<bool> InstallRoutesSetting = Setting.Switch("router", "install-routes", true,
        "Write the best routes into the kernel. No: a route reflector or an observer.");

    public static readonly Setting<IReadOnlyList<IpPrefix>> NetworksSetting = Setting.List<IpPrefix>(
        "router", "networks", "", "prefix, ...", Setting.ParsePrefix, "Prefixes announced as routes of our own.");

    public static readonly Setting<string> RunDirectorySetting = Setting.Text("router", "run-dir", "/run/weft/router",
        "Folder of the control socket router.sock.", "path");

    public static readonly Setting<TimeSpan> HoldTimeSetting = Setting.Duration("router", "hold-time", "90s", TimeSpan.Zero, TimeSpan.FromSeconds(65535),
        "Hold time offered to neighbours: zero (no keepalives) or at least 3 s. The smaller of both sides counts.");

    public static readonly Setting<TimeSpan> KeepaliveSetting = Setting.Duration("router", "keepalive", "0s", TimeSpan.Zero, TimeSpan.FromSeconds(21845),
        "Time between keepalives; zero: a third of the hold time.");

    public static readonly Setting<TimeSpan> ConnectRetrySetting = Setting.Duration("router", "connect-retry", "5s", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1),
        "Pause between connection attempts.");

    public static readonly Setting<long> RouteProtocolSetting = Setting.Integer("router", "route-protocol", 81, 5, 255,
        "Protocol number by which the router knows its own kernel routes again. No other program on the host may use it.");

    public static readonly Setting<long> RouteMetricSetting = Setting.Integer("router", "route-metric", 1024, 1, 2147483646,
        "Metric of installed routes; connected routes (0) go first. When it is not set, the normal route priority of the BGPConfiguration can change it.");

    public static readonly Setting<long> MultipathSetting = Setting.Integer("router", "multipath", 8, 1, 64,
        "Equally good paths of a prefix that are installed together.");

    public static readonly Setting<TimeSpan> RestartTimeSetting = Setting.Duration("router", "restart-time", "120s", TimeSpan.Zero, TimeSpan.FromSeconds(4095),
        "How long neighbours keep our routes while the router restarts (RFC 4724); zero: they withdraw them at once.");

    public static readonly Setting<TimeSpan> SettleTimeSetting = Setting.Duration("router", "settle-time", "90s", TimeSpan.Zero, TimeSpan.FromHours(1),
        "Routes found in the kernel at start stay until every neighbour has sent its table, at most this long; longer only while restart-deferral runs.");

    public static readonly Setting<TimeSpan> RestartDeferralSetting = Setting.Duration("router", "restart-deferral", "120s", TimeSpan.Zero, TimeSpan.FromHours(1),
        "After a restart nothing is selected or announced until neighbours that know graceful restart have sent their tables (RFC 4724 4.1), at most this long; a neighbour that has not come back after 30 s is not waited for. Zero: no waiting.");

    public static readonly Setting<IpAddress?> ClusterIdSetting = Setting.Address("router", "cluster-id", "",
        "Cluster id for route reflection; the router id when not set.");

    public static readonly Setting<string> SecretsDirectorySetting = Setting.Text("router", "secrets-dir", "/etc/weft/secrets",
        "Passwords named by BGPPeer resources (secretKeyRef): one file NAME/KEY each, readable by its owner only.", "path");

    public static readonly Setting<bool> ResolveViaDefaultSetting = Setting.Switch("router", "resolve-via-default", false,
        "A next hop may be reached by a default route. Without this key: yes with a datastore (nodes of one cluster in different subnets), no without.");

    public static readonly Setting<uint> ConfederationIdSetting = AsSetting("router", "confederation-id",
        "The AS of the confederation for everybody outside (RFC 5065); local-as is then the member AS of this router. Without it there is no confederation.");

    public static readonly Setting<IReadOnlyList<uint>> ConfederationMembersSetting = Setting.List(
        "router", "confederation-members", "", "AS, ...", (string text, out uint value, out string reason) =>
        {
            bool ok = AsNumber.TryParse(text, out AsNumber number) && number.Value is > 0 and < uint.MaxValue;
            value = number.Value;
            reason = "expected an AS number from 1 to 4294967294, plain or dotted (1.10)";
            return ok;
        },
        "The other member ASes of the confederation.");

    public static readonly Setting<bool> RequirePolicySetting = Setting.Switch("router", "require-policy", false,
        "External neighbours without \"import\" have nothing accepted from them, those without \"export\" are sent nothing (RFC 8212). By default a missing filter lets everything pass.");

    public static readonly Setting<string> RpkiFileSetting = Setting.Text("router", "rpki-file", "",
        "Route origin authorizations as validators print them: {\"roas\":[{\"asn\":\"AS65001\",\"prefix\":\"10.0.0.0/8\",\"maxLength\":24}]}. Read again when it changes; filters ask by \"rpki\".",
        "path");

    /// <summary>Every key of the role, for the reference page.</summary>
    public static readonly IReadOnlyList<ISetting> All =
    [
        RouterIdSetting, LocalAsSetting, ListenSetting, MonitoringSetting, InstallRoutesSetting, NetworksSetting, RunDirectorySetting, HoldTimeSetting, KeepaliveSetting,
        ConnectRetrySetting, RouteProtocolSetting, RouteMetricSetting, MultipathSetting, RestartTimeSetting, RestartDeferralSetting, SettleTimeSetting, ClusterIdSetting,
        SecretsDirectorySetting, ResolveViaDefaultSetting, RpkiFileSetting, RequirePolicySetting, ConfederationIdSetting, ConfederationMembersSetting,
        NodeSettings.NameSetting, .. NeighborSettings.All, .. FilterSettings.All,
    ];

    /// <summary>Null: taken from the datastore, or made from <see cref="NodeName"/> when <see cref="RouterIdFromName"/>.</summary>
    public IpAddress? RouterId { get; init; }

    public bool RouterIdFromName { get; init; }

    /// <summary>Null: taken from the datastore.</summary>
    public uint? LocalAs { get; init; }

    /// <summary>Null: not set here.</summary>
    public ImmutableArray<ListenEndpoint>? Listen { get; init; }

    /// <summary>Empty: nowhere.</summary>
    public ImmutableArray<ListenEndpoint> Monitoring { get; init; } = [];

    public bool InstallRoutes { get; init; } = true;

    public ImmutableArray<IpPrefix> Networks { get; init; } = [];

    public string RunDirectory { get; init; } = "/run/weft/router";

    public TimeSpan HoldTime { get; init; } = TimeSpan.FromSeconds(90);

    public TimeSpan KeepaliveTime { get; init; }

    public TimeSpan ConnectRetryTime { get; init; } = TimeSpan.FromSeconds(5);

    public byte RouteProtocol { get; init; } = 81;

    /// <summary>Null: not set here.</summary>
    public uint? RouteMetric { get; init; }

    public int MaximumPaths { get; init; } = 8;

    public TimeSpan RestartTime { get; init; } = TimeSpan.FromSeconds(120);

    public TimeSpan RestartDeferral { get; init; } = TimeSpan.FromSeconds(120);

    public TimeSpan SettleTime { get; init; } = TimeSpan.FromSeconds(90);

    public IpAddress? ClusterId { get; init; }

    public string SecretsDirectory { get; init; } = "/etc/weft/secrets";

    public bool ResolveViaDefault { get; init; }

    public string NodeName { get; init; } = string.Empty;

    /// <summary>True when [datastore] endpoints is set: peers come from resources too.</summary>
    public bool UsesDatastore { get; init; }

    public bool RequirePolicy { get; init; }

    /// <summary>Null: none.</summary>
    public Confederation? Confederation { get; init; }

    /// <summary>Null: none.</summary>
    public string? RpkiFile { get; init; }

    /// <summary>The [filter:NAME] sections.</summary>
    public ImmutableSortedDictionary<string, FilterSettings> Filters { get; init; } = ImmutableSortedDictionary<string, FilterSettings>.Empty;

    public ImmutableArray<NeighborSettings> Neighbors { get; init; } = [];

    /// <summary>Reads everything once; every problem lands in <see cref="SettingsReader.Problems"/>.</summary>
    /// <param name="reader">The settings.</param>
    /// <param name="usesDatastore">Whether a datastore will say what is missing here.</param>
    public static RouterSettings Read(SettingsReader reader, bool usesDatastore)
    {
        (IpAddress? routerId, bool fromName) = ReadRouterId(reader, usesDatastore);
        TimeSpan hold = reader.Get(HoldTimeSetting);
        TimeSpan keepalive = reader.Get(KeepaliveSetting);
        CheckTimers(reader, hold, keepalive);
        IpAddress? clusterId = reader.Get(ClusterIdSetting);
        if (clusterId is { IsIPv4: false } or { IsUnspecified: true })
        {
            reader.Report(ClusterIdSetting, "expected an IPv4 address other than 0.0.0.0");
        }

        RouterSettings settings = new()
        {
            RouterId = routerId,
            RouterIdFromName = fromName,
            LocalAs = reader.IsSet(LocalAsSetting) ? reader.Get(LocalAsSetting) : usesDatastore ? null : reader.Require(LocalAsSetting),
            Listen = reader.IsSet(ListenSetting) ? reader.Get(ListenSetting) : null,
            Monitoring = reader.Get(MonitoringSetting),
            InstallRoutes = reader.Get(InstallRoutesSetting),
            Networks = [.. reader.Get(NetworksSetting).Distinct()],
            RunDirectory = reader.Get(RunDirectorySetting),
            HoldTime = hold,
            KeepaliveTime = keepalive,
            ConnectRetryTime = reader.Get(ConnectRetrySetting),
            RouteProtocol = (byte)reader.Get(RouteProtocolSetting),
            RouteMetric = reader.IsSet(RouteMetricSetting) ? (uint)reader.Get(RouteMetricSetting) : null,
            MaximumPaths = (int)reader.Get(MultipathSetting),
            RestartTime = reader.Get(RestartTimeSetting),
            RestartDeferral = reader.Get(RestartDeferralSetting),
            SettleTime = reader.Get(SettleTimeSetting),
            ClusterId = clusterId,
            SecretsDirectory = reader.Get(SecretsDirectorySetting),
            NodeName = NodeSettings.NodeName(reader.Get(NodeSettings.NameSetting)),
            ResolveViaDefault = reader.IsSet(ResolveViaDefaultSetting) ? reader.Get(ResolveViaDefaultSetting) : usesDatastore,
            RpkiFile = reader.Get(RpkiFileSetting) is { Length: > 0 } file ? file : null,
            RequirePolicy = reader.Get(RequirePolicySetting),
            Confederation = ReadConfederation(reader),
            Filters = FilterSettings.ReadAll(reader),
            UsesDatastore = usesDatastore,
        };
        return settings with { Neighbors = NeighborSettings.ReadAll(reader, settings) };
    }

    private static Confederation? ReadConfederation(SettingsReader reader)
    {
        IReadOnlyList<uint> members = reader.Get(ConfederationMembersSetting);
        if (!reader.IsSet(ConfederationIdSetting))
        {
            if (members.Count != 0)
            {
                reader.Report(ConfederationMembersSetting, "needs confederation-id");
            }

            return null;
        }

        uint id = reader.Get(ConfederationIdSetting);
        if (members.Contains(id))
        {
            reader.Report(ConfederationMembersSetting, $"{id} is the confederation itself");
        }

        return new Confederation { Id = id, Members = [.. members.Distinct()] };
    }

    /// <summary>A 4-octet AS number, plain or dotted; 0 and the last one are reserved (RFC 7607, RFC 7300).</summary>
    internal static Setting<uint> AsSetting(string section, string key, string help) => Setting.Custom(
        section, key, "", "1..4294967294 or HIGH.LOW", (string text, out uint value, out string reason) =>
        {
            bool ok = AsNumber.TryParse(text, out AsNumber number) && number.Value is > 0 and < uint.MaxValue;
            value = number.Value;
            reason = "expected an AS number from 1 to 4294967294, plain or dotted (1.10)";
            return ok;
        }, help);

    /// <summary>RFC 4271 4.2: a hold time is zero or at least three seconds.</summary>
    private static void CheckTimers(SettingsReader reader, TimeSpan hold, TimeSpan keepalive)
    {
        if (hold > TimeSpan.Zero && hold < TimeSpan.FromSeconds(3))
        {
            reader.Report(HoldTimeSetting, "expected zero or at least 3 s");
        }
        else if (keepalive >= hold && keepalive > TimeSpan.Zero)
        {
            reader.Report(KeepaliveSetting, "must be shorter than hold-time");
        }
    }

    private static (IpAddress? RouterId, bool FromName) ReadRouterId(SettingsReader reader, bool usesDatastore)
    {
        string text = reader.IsSet(RouterIdSetting) || usesDatastore ? reader.Get(RouterIdSetting) : reader.Require(RouterIdSetting);
        if (text.Equals(HashRouterId, StringComparison.OrdinalIgnoreCase))
        {
            return (null, true);
        }

        if (text.Length == 0)
        {
            return (null, false);
        }

        if (!IpAddress.TryParse(text, out IpAddress id) || !id.IsIPv4 || id.IsUnspecified)
        {
            reader.Report(RouterIdSetting, $"\"{text}\": expected an IPv4 address other than 0.0.0.0, or hash");
            return (null, false);
        }

        return (id, false);
    }
}
