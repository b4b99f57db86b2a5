using System.Collections.Immutable;
using Weft.Bgp;
using Weft.Hosting.Configuration;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>One [neighbor:NAME] section, checked. Immutable.</summary>
internal sealed record NeighborSettings
{
    private const string Section = "neighbor:*";

    public static readonly Setting<IpAddress?> AddressSetting = Setting.Address(Section, "address", "", "Address of the neighbour.");

    public static readonly Setting<string> InterfaceSetting = Setting.Text(Section, "interface", "",
        "Link of the neighbour; needed for a link-local address. Without address: whoever is at the other end (unnumbered), found by router advertisements that both sides send, or by its connection.",
        "interface name");

    public static readonly Setting<long> PortSetting = Setting.Integer(Section, "port", ListenEndpoint.BgpPort, 1, 65535, "TCP port we connect to.");

    public static readonly Setting<IpPrefix> RangeSetting = Setting.Custom<IpPrefix>(Section, "range", "", "prefix", Setting.ParsePrefix,
        "Instead of address: every neighbour that connects from these addresses, called NAME@ADDRESS. It is forgotten when its session has ended.");

    public static readonly Setting<long> MaximumNeighborsSetting = Setting.Integer(Section, "maximum-neighbors", 100, 1, 100_000, "Neighbours a range may have at a time.");

    public static readonly Setting<AsRanges> RemoteAsSetting = Setting.Custom<AsRanges>(Section, "remote-as", "", "AS (1..4294967294 or HIGH.LOW) | with range: AS, AS-AS, ... | any",
        TryParseAs, "Autonomous system the neighbour must announce.");

    public static readonly Setting<uint> LocalAsSetting = RouterSettings.AsSetting(Section, "local-as", "Our autonomous system towards this neighbour; [router] local-as when not set.");

    public static readonly Setting<string> DescriptionSetting = Setting.Text(Section, "description", "", "Shown by \"weft router show neighbors\".");

    public static readonly Setting<string> PasswordSetting = Setting.Text(Section, "password", "",
        "TCP MD5 password (RFC 2385), 1 to 80 bytes. Prefer password-file: a settings file is read by more people than a key.");

    public static readonly Setting<string> PasswordFileSetting = Setting.Text(Section, "password-file", "",
        "File that holds the TCP MD5 password; only its owner may read it.", "path");

    public static readonly Setting<bool> PassiveSetting = Setting.Switch(Section, "passive", false, "Wait for the neighbour to connect.");

    public static readonly Setting<bool> EnabledSetting = Setting.Switch(Section, "enabled", true, "No: configured, but kept down.");

    public static readonly Setting<IpAddress?> SourceAddressSetting = Setting.Address(Section, "source-address", "",
        "Source address of the connection; the kernel chooses when not set.");

    public static readonly Setting<long> TtlSecuritySetting = Setting.Integer(Section, "ttl-security", 0, 0, 255,
        "Accept packets only from at most this many hops away (RFC 5082); 0: off.");

    public static readonly Setting<long> MultihopSetting = Setting.Integer(Section, "multihop", 0, 0, 255,
        "TTL for an external neighbour that is not directly connected; 0: directly connected (TTL 1).");

    public static readonly Setting<bool> NextHopSelfSetting = Setting.Switch(Section, "next-hop-self", false, "Announce every route with our own address as next hop.");

    public static readonly Setting<bool> RouteReflectorClientSetting = Setting.Switch(Section, "route-reflector-client", false,
        "Internal neighbours only: reflect routes to and from it (RFC 4456).");

    public static readonly Setting<RouteFilterSetting> ImportSetting = Setting.Custom<RouteFilterSetting>(
        Section, "import", "all", RouteFilterSetting.Form, RouteFilterSetting.TryParse, "Routes accepted from the neighbour. 10.0.0.0/8+ means inside, {16,24} bounds the length.");

    public static readonly Setting<RouteFilterSetting> ExportSetting = Setting.Custom<RouteFilterSetting>(
        Section, "export", "all", RouteFilterSetting.Form, RouteFilterSetting.TryParse,
        "Routes announced to the neighbour. \"pools\" (the default with a datastore): [router] networks, own blocks and exportable IP pools.");

    public static readonly Setting<IReadOnlyList<string>> FamiliesSetting = Setting.List(
        Section, "families", "", "ipv4, ipv6", (string text, out string value, out string reason) =>
        {
            value = text.ToLowerInvariant();
            reason = "expected ipv4 or ipv6";
            return value is "ipv4" or "ipv6";
        },
        "Address families offered; the family of the address when not set, both for an unnumbered neighbour.");

    public static readonly Setting<TimeSpan> HoldTimeSetting = Setting.Duration(Section, "hold-time", "", TimeSpan.Zero, TimeSpan.FromSeconds(65535),
        "Overrides [router] hold-time.");

    public static readonly Setting<TimeSpan> KeepaliveSetting = Setting.Duration(Section, "keepalive", "", TimeSpan.Zero, TimeSpan.FromSeconds(21845),
        "Overrides [router] keepalive.");

    public static readonly Setting<TimeSpan> ConnectRetrySetting = Setting.Duration(Section, "connect-retry", "", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1),
        "Overrides [router] connect-retry.");

    public static readonly Setting<long> AllowLocalAsSetting = Setting.Integer(Section, "allow-local-as", 0, 0, 10,
        "How often our own AS may stand in a received path.");

    public static readonly Setting<long> MultipathWeightSetting = Setting.Integer(Section, "multipath-weight", 0, 0, 256,
        "Shares of the traffic its next hops take where several paths are used; 0: by the link bandwidth community when every path has one, else equal shares.");

    public static readonly IReadOnlyList<ISetting> All =
    [
        AddressSetting, RangeSetting, MaximumNeighborsSetting, InterfaceSetting, PortSetting, RemoteAsSetting, LocalAsSetting, DescriptionSetting, PasswordSetting, PasswordFileSetting, PassiveSetting,
        EnabledSetting, SourceAddressSetting, TtlSecuritySetting, MultihopSetting, NextHopSelfSetting, RouteReflectorClientSetting, ImportSetting, ExportSetting,
        FamiliesSetting, HoldTimeSetting, KeepaliveSetting, ConnectRetrySetting, AllowLocalAsSetting, MultipathWeightSetting, .. AuthenticationKey.All, .. PeeringSettings.All, .. RestartSettings.All,
        .. PathSettings.All,
    ];

    public required string Name { get; init; }

    public IpAddress Address { get; init; }

    public string? Interface { get; init; }

    public int Port { get; init; } = ListenEndpoint.BgpPort;

    /// <summary>Unset: one neighbour.</summary>
    public IpPrefix Range { get; init; }

    public bool IsRange => Range.Family != IpFamily.None;

    /// <summary>Known by its link alone; <see cref="Address"/> is ::.</summary>
    public bool IsUnnumbered => Interface is not null && Address is { IsIPv6: true, IsUnspecified: true };

    public int MaximumNeighbors { get; init; }

    /// <summary>0: one of <see cref="AcceptedAs"/>.</summary>
    public uint RemoteAs { get; init; }

    /// <summary>Never null in a section without problems.</summary>
    public AsRanges? AcceptedAs { get; init; }

    /// <summary>The neighbour may be in the AS.</summary>
    public bool Accepts(uint number) => AcceptedAs?.Contains(number) == true;

    /// <summary>0: that of the router.</summary>
    public uint LocalAs { get; init; }

    public string Description { get; init; } = string.Empty;

    public Secret? Password { get; init; }

    public AuthenticationKey? Authentication { get; init; }

    public bool Passive { get; init; }

    public bool Enabled { get; init; } = true;

    public IpAddress SourceAddress { get; init; }

    /// <summary>0: off.</summary>
    public int TtlSecurity { get; init; }

    /// <summary>0: directly connected.</summary>
    public int Multihop { get; init; }

    public bool NextHopSelf { get; init; }

    public bool RouteReflectorClient { get; init; }

    public RouteFilterSetting Import { get; init; } = RouteFilterSetting.All;

    public RouteFilterSetting Export { get; init; } = RouteFilterSetting.All;

    /// <summary>Which of <see cref="Import"/> and <see cref="Export"/> the file names (RFC 8212: a default is no policy).</summary>
    public (bool Import, bool Export) NamesPolicy { get; init; }

    public AddressFamilies Families { get; init; }

    public TimeSpan HoldTime { get; init; }

    public TimeSpan KeepaliveTime { get; init; }

    public TimeSpan ConnectRetryTime { get; init; }

    public PeeringSettings Peering { get; init; } = new();

    public PathSettings Paths { get; init; } = new();

    public int AllowedLocalAs { get; init; }

    /// <summary>0: none.</summary>
    public int MultipathWeight { get; init; }

    public RestartSettings Restarts { get; init; } = new();

    /// <summary>An unnumbered neighbour with the address it was found by; until then it is not called, and nobody comes from ::.</summary>
    public NeighborSettings At(IpAddress found) => found.Family == IpFamily.None ? this with { Passive = true } : this with { Address = found };

    /// <summary>All sections, in the order of their names.</summary>
    public static ImmutableArray<NeighborSettings> ReadAll(SettingsReader reader, RouterSettings router)
    {
        ImmutableArray<NeighborSettings>.Builder neighbors = ImmutableArray.CreateBuilder<NeighborSettings>();
        Dictionary<(IpAddress, string?, IpAddress), string> seen = [];
        foreach (string name in reader.Instances("neighbor"))
        {
            NeighborSettings neighbor = Read(reader, name, router);
            if (!neighbor.IsRange && !seen.TryAdd((neighbor.Address, neighbor.Interface, neighbor.SourceAddress), name) && neighbor.Address.Family != IpFamily.None)
            {
                string other = seen[(neighbor.Address, neighbor.Interface, neighbor.SourceAddress)];
                reader.Report(
                    neighbor.IsUnnumbered ? InterfaceSetting : AddressSetting,
                    neighbor.IsUnnumbered ? $"{neighbor.Interface} is the link of [neighbor:{other}] too" : $"{neighbor.Address} is the address of [neighbor:{other}] too",
                    name);
            }

            neighbors.Add(neighbor);
        }

        CheckRanges(reader, neighbors);
        return neighbors.ToImmutable();
    }

    private static NeighborSettings Read(SettingsReader reader, string name, RouterSettings router)
    {
        IpPrefix range = reader.IsSet(RangeSetting, name) ? reader.Get(RangeSetting, name) : default;
        string link = reader.Get(InterfaceSetting, name);
        IpAddress address = range.Family != IpFamily.None ? range.Address
            : link.Length > 0 && !reader.IsSet(AddressSetting, name) ? IpAddress.FromIPv6(UInt128.Zero)
            : reader.Require(AddressSetting, name) ?? default;
        AsRanges? remoteAs = reader.Require(RemoteAsSetting, name);
        NeighborSettings neighbor = new()
        {
            Name = name,
            Address = address,
            Interface = link.Length > 0 ? link : null,
            Port = (int)reader.Get(PortSetting, name),
            Range = range,
            MaximumNeighbors = (int)reader.Get(MaximumNeighborsSetting, name),
            RemoteAs = remoteAs?.Single ?? 0,
            AcceptedAs = remoteAs,
            LocalAs = reader.IsSet(LocalAsSetting, name) ? reader.Get(LocalAsSetting, name) : 0,
            Description = reader.Get(DescriptionSetting, name),
            Password = ReadPassword(reader, name),
            Passive = reader.Get(PassiveSetting, name),
            Enabled = reader.Get(EnabledSetting, name),
            SourceAddress = reader.Get(SourceAddressSetting, name) ?? default,
            TtlSecurity = (int)reader.Get(TtlSecuritySetting, name),
            Multihop = (int)reader.Get(MultihopSetting, name),
            NextHopSelf = reader.Get(NextHopSelfSetting, name),
            RouteReflectorClient = reader.Get(RouteReflectorClientSetting, name),
            Import = reader.Get(ImportSetting, name),
            Export = reader.IsSet(ExportSetting, name) || !router.UsesDatastore ? reader.Get(ExportSetting, name) : RouteFilterSetting.Pools,
            NamesPolicy = (reader.IsSet(ImportSetting, name), reader.IsSet(ExportSetting, name)),
            Families = ReadFamilies(reader, name, address),
            HoldTime = reader.IsSet(HoldTimeSetting, name) ? reader.Get(HoldTimeSetting, name) : router.HoldTime,
            KeepaliveTime = reader.IsSet(KeepaliveSetting, name) ? reader.Get(KeepaliveSetting, name) : router.KeepaliveTime,
            ConnectRetryTime = reader.IsSet(ConnectRetrySetting, name) ? reader.Get(ConnectRetrySetting, name) : router.ConnectRetryTime,
            AllowedLocalAs = (int)reader.Get(AllowLocalAsSetting, name),
            MultipathWeight = (int)reader.Get(MultipathWeightSetting, name),
            Restarts = RestartSettings.Read(reader, name),
        };
        neighbor = neighbor with { Authentication = AuthenticationKey.Read(reader, name, neighbor.Password is not null), Peering = PeeringSettings.Read(reader, name, neighbor.HoldTime), Paths = PathSettings.Read(reader, name, neighbor.IsUnnumbered) };
        Check(reader, neighbor, router);
        return neighbor;
    }

    private static bool TryParseAs(string text, out AsRanges value, out string reason)
    {
        value = AsRanges.Any;
        reason = "expected an AS number from 1 to 4294967294, plain or dotted (1.10); for a range of neighbours also a list (65001, 65010-65020) or any";
        if (text.Equals("any", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        List<(uint, uint)> ranges = [];
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            string[] ends = part.Split('-', 2, StringSplitOptions.TrimEntries);
            if (!AsNumber.TryParse(ends[0], out AsNumber low) || !AsNumber.TryParse(ends[^1], out AsNumber high)
                || low.Value == 0 || high.Value == uint.MaxValue || low.Value > high.Value)
            {
                return false;
            }

            ranges.Add((low.Value, high.Value));
        }

        value = new AsRanges { Ranges = [.. ranges] };
        return true;
    }

    /// <summary>Ranges among themselves, and neighbours within ranges.</summary>
    private static void CheckRanges(SettingsReader reader, IReadOnlyCollection<NeighborSettings> all)
    {
        foreach (NeighborSettings range in all.Where(static n => n.IsRange))
        {
            foreach (NeighborSettings other in all.Where(o => o != range && o.Range == range.Range && string.CompareOrdinal(o.Name, range.Name) < 0))
            {
                reader.Report(RangeSetting, $"{range.Range} is the range of [neighbor:{other.Name}] too", range.Name);
            }

            // The kernel would ask for the range's key: no connection could come up, and nobody would learn why.
            foreach (NeighborSettings inside in all.Where(o => range.Password is not null && o.Password is null && !o.IsRange && range.Range.Contains(o.Address)))
            {
                reader.Report(PasswordSetting, $"{inside.Address} lies in the range of [neighbor:{range.Name}], which has a password; it needs one of its own", inside.Name);
            }
        }
    }

    private static Secret? ReadPassword(SettingsReader reader, string name)
    {
        bool inline = reader.IsSet(PasswordSetting, name);
        bool file = reader.IsSet(PasswordFileSetting, name);
        if (inline && file)
        {
            reader.Report(PasswordFileSetting, "password is set too; give one of them", name);
        }

        Secret? secret = null;
        if (file && !SecretFile.TryRead(reader.Get(PasswordFileSetting, name), out secret, out string reason))
        {
            reader.Report(PasswordFileSetting, reason, name);
        }

        // The reason speaks of the length only: the text of a password never reaches a log.
        if (inline && !SecretFile.TryCheck(reader.Get(PasswordSetting, name), out secret, out reason))
        {
            reader.Report(PasswordSetting, reason, name);
        }

        return secret;
    }

    private static AddressFamilies ReadFamilies(SettingsReader reader, string name, IpAddress address)
    {
        IReadOnlyList<string> words = reader.Get(FamiliesSetting, name);
        return words.Count == 0
            ? !address.IsIPv6 ? AddressFamilies.IPv4 : address.IsUnspecified ? AddressFamilies.Both : AddressFamilies.IPv6
            : (words.Contains("ipv4") ? AddressFamilies.IPv4 : 0) | (words.Contains("ipv6") ? AddressFamilies.IPv6 : 0);
    }

    private static void CheckRange(SettingsReader reader, NeighborSettings n)
    {
        if (n.Range.Address is { IsIPv6: true, IsLinkLocal: true } || n.Range.Address.IsMulticast)
        {
            reader.Report(RangeSetting, "expected addresses that say the same on every link", n.Name);
        }

        foreach (ISetting setting in (ISetting[])[AddressSetting, InterfaceSetting, PortSetting, SourceAddressSetting])
        {
            if (reader.IsSet(setting, n.Name))
            {
                reader.Report(setting, "is for one neighbour, not for a range: these connect by themselves", n.Name);
            }
        }
    }

    /// <summary>What only shows when several keys are seen together.</summary>
    private static void Check(SettingsReader reader, NeighborSettings n, RouterSettings router)
    {
        FilterSettings.Check(reader, ImportSetting, n.Name, n.Import, router.Filters);
        FilterSettings.Check(reader, ExportSetting, n.Name, n.Export, router.Filters);
        if (n.IsRange)
        {
            CheckRange(reader, n);
        }
        else if ((n.Address.IsUnspecified && !n.IsUnnumbered) || n.Address.IsMulticast)
        {
            reader.Report(AddressSetting, $"{n.Address} cannot be the address of a neighbour", n.Name);
        }

        if (!n.IsRange && !n.IsUnnumbered && n.AcceptedAs is { Single: null })
        {
            reader.Report(RemoteAsSetting, "several are for a range or a link; a neighbour with an address is in one AS", n.Name);
        }

        if (n.IsUnnumbered && n.Multihop > 0)
        {
            reader.Report(MultihopSetting, "a neighbour known by its link is on that link", n.Name);
        }

        if (!n.IsRange && n.Address.IsIPv6 && n.Address.IsLinkLocal && n.Interface is null)
        {
            reader.Report(InterfaceSetting, $"missing; the link-local address {n.Address} needs it", n.Name);
        }

        if (n.Interface is { Length: > 15 })
        {
            reader.Report(InterfaceSetting, "an interface name has at most 15 characters", n.Name);
        }

        if (n.SourceAddress.Family != IpFamily.None && n.Address.Family != IpFamily.None && n.SourceAddress.Family != n.Address.Family)
        {
            reader.Report(SourceAddressSetting, $"{n.SourceAddress} is not of the family of {n.Address}", n.Name);
        }

        if (n.TtlSecurity > 0 && n.Multihop > 0)
        {
            reader.Report(TtlSecuritySetting, "excludes multihop: it states the distance itself", n.Name);
        }

        if (n.HoldTime > TimeSpan.Zero && n.HoldTime < TimeSpan.FromSeconds(3))
        {
            reader.Report(HoldTimeSetting, "expected zero or at least 3 s", n.Name);
        }
        else if (reader.IsSet(KeepaliveSetting, n.Name) && n.KeepaliveTime > TimeSpan.Zero && n.KeepaliveTime >= n.HoldTime)
        {
            reader.Report(KeepaliveSetting, "must be shorter than hold-time", n.Name);
        }

        uint localAs = n.LocalAs != 0 ? n.LocalAs : router.LocalAs ?? 0;
        if (n.Peering.Role is not null && localAs != 0 && n.RemoteAs != 0 && (localAs == n.RemoteAs || router.Confederation?.IsOtherMember(n.RemoteAs, localAs) == true))
        {
            reader.Report(PeeringSettings.RoleSetting, "only an external neighbour has a role (RFC 9234)", n.Name);
        }

        if (n.RouteReflectorClient && localAs != 0 && n.AcceptedAs is not null && !n.Accepts(localAs))
        {
            reader.Report(RouteReflectorClientSetting, $"only an internal neighbour can be a client; remote-as {n.AcceptedAs} is not {localAs}", n.Name);
        }
    }
}
