using Weft.Bgp;
using Weft.Hosting.Configuration;

namespace Weft.Node.Router;

/// <summary>What a [neighbor:NAME] section says of the ways a prefix may be told: how many, and by which next hops. Immutable; part of <see cref="NeighborSettings"/>.</summary>
internal sealed record PathSettings
{
    private const string Section = "neighbor:*";

    public static readonly Setting<bool> ExtendedNextHopSetting = Setting.Switch(Section, "extended-next-hop", false,
        "IPv4 routes may have IPv6 next hops, sent and received (RFC 8950), so that no link needs an IPv4 address.");

    public static readonly IReadOnlyList<ISetting> All = [ExtendedNextHopSetting];

    public bool ExtendedNextHop { get; init; }

    /// <summary>The keys of one section.</summary>
    /// <param name="name">Of the section.</param>
    public static PathSettings Read(SettingsReader reader, string name) => new()
    {
        ExtendedNextHop = reader.Get(ExtendedNextHopSetting, name),
    };

    public PeerSettings ApplyTo(PeerSettings peer) => peer with { ExtendedNextHop = ExtendedNextHop };
}
