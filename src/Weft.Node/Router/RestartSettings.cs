using Weft.Bgp;
using Weft.Hosting.Configuration;

namespace Weft.Node.Router;

/// <summary>What a [neighbor:NAME] section says of restarts and maintenance. Immutable; part of <see cref="NeighborSettings"/>.</summary>
internal sealed record RestartSettings
{
    private const string Section = "neighbor:*";

    public static readonly Setting<bool> GracefulRestartSetting = Setting.Switch(Section, "graceful-restart", true,
        "Offer graceful restart (RFC 4724, RFC 8538): routes outlive a restart of either side. Needed for long-lived-stale-time too.");

    public static readonly Setting<TimeSpan> LongLivedStaleTimeSetting = Setting.Duration(Section, "long-lived-stale-time", "0s", TimeSpan.Zero, TimeSpan.FromSeconds(0xFFFFFF),
        "How long the neighbour is asked to keep our routes beyond the restart time, as a last choice (RFC 9494), and the longest time for which we keep the neighbour's; zero: neither.");

    public static readonly Setting<bool> LongLivedToAllSetting = Setting.Switch(Section, "long-lived-to-all", false,
        "Internal neighbours only: announce routes kept for long although the neighbour does not know of RFC 9494, with LOCAL_PREF 0 and NO_EXPORT. No: they are withdrawn from it.");

    public static readonly Setting<bool> HonourGracefulShutdownSetting = Setting.Switch(Section, "honour-graceful-shutdown", true,
        "Routes of an external neighbour with the community GRACEFUL_SHUTDOWN (65535:0, RFC 8326) get LOCAL_PREF 0.");

    public static readonly Setting<bool> GracefulShutdownSetting = Setting.Switch(Section, "graceful-shutdown", false,
        "Before maintenance: announce everything with GRACEFUL_SHUTDOWN (RFC 8326), to internal neighbours with LOCAL_PREF 0. \"weft router drain\" does the same until it is taken back.");

    public static readonly IReadOnlyList<ISetting> All =
        [GracefulRestartSetting, LongLivedStaleTimeSetting, LongLivedToAllSetting, HonourGracefulShutdownSetting, GracefulShutdownSetting];

    public bool GracefulRestart { get; init; } = true;

    public TimeSpan LongLivedStaleTime { get; init; }

    public bool LongLivedToAll { get; init; }

    public bool HonourGracefulShutdown { get; init; } = true;

    public bool GracefulShutdown { get; init; }

    /// <summary>The keys of one section.</summary>
    /// <param name="name">Of the section.</param>
    public static RestartSettings Read(SettingsReader reader, string name)
    {
        RestartSettings restarts = new()
        {
            GracefulRestart = reader.Get(GracefulRestartSetting, name),
            LongLivedStaleTime = reader.Get(LongLivedStaleTimeSetting, name),
            LongLivedToAll = reader.Get(LongLivedToAllSetting, name),
            HonourGracefulShutdown = reader.Get(HonourGracefulShutdownSetting, name),
            GracefulShutdown = reader.Get(GracefulShutdownSetting, name),
        };
        if (restarts.LongLivedStaleTime > TimeSpan.Zero && !restarts.GracefulRestart)
        {
            reader.Report(LongLivedStaleTimeSetting, "needs graceful-restart = yes", name);
        }

        return restarts;
    }

    public PeerSettings Apply(PeerSettings peer) => peer with
    {
        GracefulRestart = GracefulRestart,
        LongLivedStaleTime = LongLivedStaleTime,
        LongLivedToAll = LongLivedToAll,
        HonourGracefulShutdown = HonourGracefulShutdown,
        GracefulShutdown = GracefulShutdown,
    };
}
