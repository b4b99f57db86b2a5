using Weft.Bgp;
using Weft.Hosting.Configuration;

namespace Weft.Node.Router;

/// <summary>What a [neighbor:NAME] section says of the ways a prefix may be told: how many, and by which next hops. Immutable; part of <see cref="NeighborSettings"/>.</summary>
internal sealed record PathSettings
{
    private const string Section = "neighbor:*";

    public static readonly Setting<bool> ExtendedNextHopSetting = Setting.Switch(Section, "extended-next-hop", false,
        "IPv4 routes may have IPv6 next hops, sent and received (RFC 8950), so that no link needs an IPv4 address. An unnumbered neighbour has it unless the key says no.");

    public static readonly Setting<string> AddPathSetting = Setting.Choice(Section, "add-path", "no", ["no", "receive", "send", "both"],
        "Several paths per prefix, in all families of the session (RFC 7911): taken from the neighbour, told to it, or both.");

    public static readonly Setting<long> AddPathLimitSetting = Setting.Integer(Section, "add-path-limit", 0, 0, 1000,
        "The most paths of one prefix told to the neighbour with add-path, the best ones; 0: all.");

    public static readonly IReadOnlyList<ISetting> All = [ExtendedNextHopSetting, AddPathSetting, AddPathLimitSetting];

    public bool ExtendedNextHop { get; init; }

    public AddPathMode AddPath { get; init; }

    /// <summary>0: none.</summary>
    public int AddPathLimit { get; init; }

    /// <summary>The keys of one section.</summary>
    /// <param name="name">Of the section.</param>
    /// <param name="isUnnumbered">The link may well have no IPv4 address.</param>
    public static PathSettings Read(SettingsReader reader, string name, bool isUnnumbered)
    {
        AddPathMode mode = reader.Get(AddPathSetting, name) switch
        {
            "receive" => AddPathMode.Receive,
            "send" => AddPathMode.Send,
            "both" => AddPathMode.Both,
            _ => AddPathMode.None,
        };
        int limit = (int)reader.Get(AddPathLimitSetting, name);
        if (limit != 0 && !mode.HasFlag(AddPathMode.Send))
        {
            reader.Report(AddPathLimitSetting, "needs add-path = send or both", name);
        }

        return new PathSettings { ExtendedNextHop = reader.IsSet(ExtendedNextHopSetting, name) ? reader.Get(ExtendedNextHopSetting, name) : isUnnumbered, AddPath = mode, AddPathLimit = limit };
    }

    public PeerSettings ApplyTo(PeerSettings peer) => peer with { ExtendedNextHop = ExtendedNextHop, AddPath = AddPath, AddPathLimit = AddPathLimit };
}
