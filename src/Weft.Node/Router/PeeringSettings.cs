using System.Globalization;
using System.Text;
using Weft.Bgp;
using Weft.Hosting.Configuration;

namespace Weft.Node.Router;

/// <summary>What a [neighbor:NAME] section says of what kind of peer it is and how much it may ask of us. Immutable; part of <see cref="NeighborSettings"/>.</summary>
internal sealed record PeeringSettings
{
    private const string Section = "neighbor:*";

    /// <summary>By the value on the wire.</summary>
    private static string[] RoleNames => ["provider", "rs-server", "rs-client", "customer", "peer"];

    public static readonly Setting<TimeSpan> SendHoldTimeSetting = Setting.Duration(Section, "send-hold-time", "", TimeSpan.Zero, TimeSpan.FromHours(24),
        "A neighbour that takes nothing of what we send for this long loses its session (RFC 9687); 0: never. Without it 8 minutes, or twice the hold time when that is longer.");

    public static readonly Setting<TimeSpan> AdvertisementIntervalSetting = Setting.Duration(Section, "advertisement-interval", "0s", TimeSpan.Zero, TimeSpan.FromMinutes(10),
        "Least time between two runs of announcements to the neighbour (RFC 4271 9.2.1.1): what changes several times meanwhile is told once. Zero: each change at once.");

    public static readonly Setting<string> ShutdownMessageSetting = Setting.Text(Section, "shutdown-message", "",
        "Told to the neighbour when the session ends by enabled = no (RFC 9003), up to 255 bytes.");

    public static readonly Setting<(int IPv4, int IPv6)> MaximumPrefixesSetting = Setting.Custom<(int, int)>(Section, "maximum-prefixes", "0",
        "number | ipv4 number, ipv6 number", TryParseLimit,
        "Prefixes the neighbour may announce per family, counted before import filters; 0: any number. One number counts for each family.");

    public static readonly Setting<long> MaximumPrefixesWarningSetting = Setting.Integer(Section, "maximum-prefixes-warning", 80, 0, 100,
        "Percent of maximum-prefixes at which a warning is logged; 0: none.");

    public static readonly Setting<string> MaximumPrefixesActionSetting = Setting.Choice(Section, "maximum-prefixes-action", "restart", ["warn", "reset", "restart"],
        "Above maximum-prefixes: warn keeps everything; reset ends the session (Cease/1) until \"weft router reset\" or another limit; restart ends it for maximum-prefixes-restart.");

    public static readonly Setting<TimeSpan> MaximumPrefixesRestartSetting = Setting.Duration(Section, "maximum-prefixes-restart", "5m", TimeSpan.FromSeconds(1), TimeSpan.FromDays(7),
        "How long maximum-prefixes-action = restart keeps the session down.");

    public static readonly Setting<string> RoleSetting = Setting.Choice(Section, "role", "none", ["none", .. RoleNames],
        "External neighbours only: what this router is to the neighbour (RFC 9234). Leaked routes are refused, and routes are marked so that others refuse them.");

    public static readonly Setting<bool> RoleStrictSetting = Setting.Switch(Section, "role-strict", false, "No session with a neighbour that does not say its role.");

    public static readonly IReadOnlyList<ISetting> All =
    [
        SendHoldTimeSetting, AdvertisementIntervalSetting, ShutdownMessageSetting, MaximumPrefixesSetting, MaximumPrefixesWarningSetting, MaximumPrefixesActionSetting, MaximumPrefixesRestartSetting,
        RoleSetting, RoleStrictSetting,
    ];

    /// <summary>Null: what RFC 9687 says.</summary>
    public TimeSpan? SendHoldTime { get; init; }

    public TimeSpan AdvertisementInterval { get; init; }

    public string? ShutdownMessage { get; init; }

    public PrefixLimit? Limit { get; init; }

    public BgpRole? Role { get; init; }

    public bool RoleStrict { get; init; }

    /// <summary>The word of the settings; null for none.</summary>
    public static string? NameOf(BgpRole? role) => role is { } r ? RoleNames[(int)r] : null;

    /// <summary>The keys of one section.</summary>
    /// <param name="name">Of the section.</param>
    /// <param name="holdTime">The hold time offered to the neighbour.</param>
    public static PeeringSettings Read(SettingsReader reader, string name, TimeSpan holdTime)
    {
        TimeSpan? sendHold = reader.IsSet(SendHoldTimeSetting, name) ? reader.Get(SendHoldTimeSetting, name) : null;
        if (sendHold > TimeSpan.Zero && sendHold <= holdTime)
        {
            reader.Report(SendHoldTimeSetting, $"must be longer than the hold time ({holdTime.TotalSeconds:0} s)", name);
        }

        string message = reader.Get(ShutdownMessageSetting, name);
        if (Encoding.UTF8.GetByteCount(message) > OperatorRequest.MaximumMessageBytes)
        {
            reader.Report(ShutdownMessageSetting, $"more than {OperatorRequest.MaximumMessageBytes} bytes (RFC 9003)", name);
        }

        var limit = new PrefixLimit
        {
            Warning = (int)reader.Get(MaximumPrefixesWarningSetting, name),
            Action = Enum.TryParse(reader.Get(MaximumPrefixesActionSetting, name), ignoreCase: true, out PrefixLimitAction action) ? action : PrefixLimitAction.Restart,
            RestartTime = reader.Get(MaximumPrefixesRestartSetting, name),
        };
        (int ipv4, int ipv6) = reader.Get(MaximumPrefixesSetting, name);
        int role = Array.IndexOf(RoleNames, reader.Get(RoleSetting, name));
        bool strict = reader.Get(RoleStrictSetting, name);
        if (strict && role < 0)
        {
            reader.Report(RoleStrictSetting, "needs a role", name);
        }

        return new PeeringSettings
        {
            Role = role < 0 ? null : (BgpRole)role,
            RoleStrict = strict,
            SendHoldTime = sendHold,
            AdvertisementInterval = reader.Get(AdvertisementIntervalSetting, name),
            ShutdownMessage = message.Length == 0 ? null : message,
            Limit = (ipv4, ipv6) == (0, 0) ? null : limit with { IPv4 = ipv4, IPv6 = ipv6 },
        };
    }

    public PeerSettings ApplyTo(PeerSettings peer) => peer with
    {
        SendHoldTime = SendHoldTime,
        AdvertisementInterval = AdvertisementInterval,
        ShutdownMessage = peer.Enabled ? null : ShutdownMessage,
        PrefixLimit = Limit,
        Role = Role,
        RoleStrict = RoleStrict,
    };

    private static bool TryParseLimit(string text, out (int IPv4, int IPv6) value, out string reason)
    {
        value = default;
        reason = "expected a number up to 100000000, or one per family: ipv4 1000000, ipv6 200000";
        if (TryCount(text, out int both))
        {
            value = (both, both);
            return true;
        }

        bool ok = text.Length > 0;
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            string[] words = part.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            ok &= words.Length == 2;
            switch (words)
            {
                case ["ipv4", var number] when TryCount(number, out int count):
                    value.IPv4 = count;
                    break;
                case ["ipv6", var number] when TryCount(number, out int count):
                    value.IPv6 = count;
                    break;
                default:
                    ok = false;
                    break;
            }
        }

        return ok;
    }

    private static bool TryCount(string text, out int count) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count <= 100_000_000;
}
