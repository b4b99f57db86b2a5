using Weft.Hosting.Configuration;
using Weft.Model.Felix;

namespace Weft.Node.Agent;

/// <summary>Section [agent].</summary>
public sealed record AgentSettings
{
    private const string Section = "agent";

    private static readonly Setting<string> RunDirSetting = Setting.Text(
        Section, "run-dir", "/run/weft", "Folder of the control socket agent.sock, which CNI plugins and `weft node status` ask.", "path");

    private static readonly Setting<string> BackendSetting = Setting.Choice(
        Section, "dataplane-backend", "auto", ["auto", "nftables", "iptables", "iptables-nft", "iptables-legacy"],
        "What writes the rules. auto: as FelixConfiguration's nftablesMode says, and without it nftables where the kernel has all of it, else iptables. iptables: the one that already has rules, else nft.");

    private static readonly Setting<TimeSpan> PolicyWaitSetting = Setting.Duration(
        Section, "policy-wait", "10s", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1),
        "How long a CNI ADD waits until routes and policy of its pod are in the kernel. After that ADD fails and is undone: no pod runs without its policy.");

    private static readonly Setting<string> PolicyWaitExpiredSetting = Setting.Choice(
        Section, "policy-wait-expired", "fail", ["fail", "continue"],
        "What happens when policy-wait is over: fail undoes the ADD; continue starts the pod, whose traffic is dropped until the kernel knows it.");

    private static readonly Setting<long> MtuSetting = Setting.Integer(
        Section, "mtu", 0, 0, 65535,
        "MTU of pod interfaces whose network configuration has none; 0 takes /var/lib/calico/mtu, or else the smallest of the host's interfaces less what the pools' encapsulation needs.");

    private static readonly Setting<TimeSpan> ReportSetting = Setting.Duration(
        Section, "status-period", "10s", TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10),
        "How often the agent writes its sign of life into the datastore; it expires after three periods.");

    private static readonly Setting<string> NetworkingSetting = Setting.Choice(
        Section, "networking", "weft", ["weft", "none"],
        "Who connects pods: weft, or another CNI plugin that routes (none): then policy is programmed on the interfaces it made, without routes and addresses of weft's.");

    private static readonly Setting<string> PrefixSetting = Setting.Text(
        Section, "interface-prefix", "cali", "Host side interfaces of pods begin with one of these, separated by commas; any other is the host's own.", "prefixes");

    private static readonly Setting<string> FelixFileSetting = Setting.Text(
        Section, "felix-file", FelixLocalSettings.DefaultPath,
        "A settings file of Felix, read when it exists: it and the environment (FELIX_NAME) win over FelixConfiguration. `weft agent config` shows what holds.", "path");

    private static readonly Setting<bool> LogDropsSetting = Setting.Switch(
        Section, "log-drops", true, "Rules hand every packet they deny to NFLOG, where `weft drops` reads it. Costs next to nothing while nobody reads.");

    public const string SocketName = "agent.sock";

    public static IReadOnlyList<ISetting> Settings { get; } =
    [
        RunDirSetting, NetworkingSetting, PrefixSetting, BackendSetting, PolicyWaitSetting, PolicyWaitExpiredSetting, MtuSetting, ReportSetting, FelixFileSetting, LogDropsSetting,
    ];

    /// <summary>The flag --run-dir.</summary>
    public static ISetting RunDirOption => RunDirSetting;

    public required string RunDir { get; init; }

    /// <summary>Whether another plugin connects pods.</summary>
    public bool PolicyOnly { get; init; }

    public IReadOnlyList<string> InterfacePrefixes { get; init; } = ["cali"];

    /// <summary>"auto", "nftables", "iptables", "iptables-nft" or "iptables-legacy".</summary>
    public required string DataplaneBackend { get; init; }

    public required TimeSpan PolicyWait { get; init; }

    /// <summary>False: closed when in doubt.</summary>
    public bool PodsStartWithoutPolicy { get; init; }

    /// <summary>What "weft drops" needs.</summary>
    public bool LogsDrops { get; init; } = true;

    /// <summary>Null to find it out: <see cref="NodeMtu"/>.</summary>
    public int? Mtu { get; init; }

    public required TimeSpan StatusPeriod { get; init; }

    /// <summary>May not exist.</summary>
    public required string FelixFile { get; init; }

    public string SocketPath => Path.Combine(RunDir, SocketName);

    public static string RunDirOf(SettingsReader reader) => reader.Get(RunDirSetting);

    /// <summary>Problems are left in the reader.</summary>
    public static AgentSettings Parse(SettingsReader reader)
    {
        long mtu = reader.Get(MtuSetting);
        if (mtu is > 0 and < 68)
        {
            reader.Report(MtuSetting, "expected 0, or 68 to 65535 (RFC 791)");
        }

        string[] prefixes = reader.Get(PrefixSetting).Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (prefixes.Length == 0 || prefixes.Any(p => p.Length > 15 || p.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))))
        {
            reader.Report(PrefixSetting, "expected prefixes of 1 to 15 letters, digits, - and _, separated by commas");
        }

        return new AgentSettings
        {
            PolicyOnly = reader.Get(NetworkingSetting) == "none",
            InterfacePrefixes = prefixes,
            RunDir = reader.Get(RunDirSetting),
            DataplaneBackend = reader.Get(BackendSetting),
            PolicyWait = reader.Get(PolicyWaitSetting),
            PodsStartWithoutPolicy = reader.Get(PolicyWaitExpiredSetting) == "continue",
            Mtu = mtu == 0 ? null : (int)mtu,
            StatusPeriod = reader.Get(ReportSetting),
            FelixFile = reader.Get(FelixFileSetting),
            LogsDrops = reader.Get(LogDropsSetting),
        };
    }
}
