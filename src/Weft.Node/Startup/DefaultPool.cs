using Weft.Hosting.Configuration;
using Weft.Model.Resources;
using Weft.Model.Selectors;
using Weft.Primitives.Net;

namespace Weft.Node.Startup;

/// <summary>
/// The IPPool that a cluster gets at its first node's start, one per family, while it has none of that family (reference 6.4). Afterwards it is a resource
/// like any other: these settings do not change it.
/// </summary>
public sealed record DefaultPool
{
    private const string Section = "node";
    private static readonly string[] s_modes = ["Never", "Always", "CrossSubnet"];

    /// <summary>The range that upstream takes, and those it moves to when the host's own addresses lie in it.</summary>
    private static readonly IpPrefix[] s_ranges = [IpPrefix.Parse("192.168.0.0/16"), .. Enumerable.Range(16, 16).Select(i => IpPrefix.Parse($"172.{i}.0.0/16"))];

    public required IpFamily Family { get; init; }

    /// <summary>Null with <see cref="IsAutomatic"/>.</summary>
    public IpPrefix? Cidr { get; init; }

    /// <summary>The range is chosen at the moment it is needed.</summary>
    public bool IsAutomatic { get; init; }

    public string IpipMode { get; init; } = "Never";

    public required string VxlanMode { get; init; }

    public required int BlockSize { get; init; }

    public required bool NatOutgoing { get; init; }

    public required string NodeSelector { get; init; }

    public string Name => Family == IpFamily.IPv4 ? "default-ipv4-ippool" : "default-ipv6-ippool";

    internal static FamilySettings IPv4 { get; } = new(IpFamily.IPv4, "ipv4", 26, 20, 32, nat: true);

    internal static FamilySettings IPv6 { get; } = new(IpFamily.IPv6, "ipv6", 122, 116, 128, nat: false);

    /// <summary>The resource, with a range no host address lies in when one is to be chosen.</summary>
    internal IPPool Resource(IReadOnlyList<HostInterface> interfaces)
    {
        IPPool pool = new()
        {
            Spec =
            {
                Cidr = (Cidr ?? Choose(interfaces)).ToString(), IpipMode = IpipMode, VxlanMode = VxlanMode, NatOutgoing = NatOutgoing, NodeSelector = NodeSelector,
                BlockSize = BlockSize, AllowedUses = ["Workload", "Tunnel"], AssignmentMode = "Automatic",
            },
        };
        return pool;
    }

    private IpPrefix Choose(IReadOnlyList<HostInterface> interfaces)
    {
        if (Family == IpFamily.IPv6)
        {
            // RFC 4193 3.2: 40 random bits make it unlikely that two sites have the same.
            UInt128 random = (UInt128)(ulong)Random.Shared.NextInt64(1L << 40);
            return new IpPrefix(IpAddress.FromIPv6(((UInt128)0xfd << 120) | (random << 80)), 48);
        }

        IpAddress[] taken = [.. interfaces.SelectMany(i => i.Addresses).Select(a => a.Address)];
        return Array.Find(s_ranges, r => !Array.Exists(taken, r.Contains)) is { Length: > 0 } free ? free : s_ranges[0];
    }

    /// <summary>The settings of one family.</summary>
    internal sealed class FamilySettings
    {
        private readonly IpFamily _family;
        private readonly Setting<(bool IsAutomatic, IpPrefix? Cidr)> _cidr;
        private readonly Setting<string>? _ipip;
        private readonly Setting<string> _vxlan;
        private readonly Setting<long> _blockSize;
        private readonly Setting<bool> _nat;
        private readonly Setting<string> _selector;

        public FamilySettings(IpFamily family, string word, int blockSize, int min, int max, bool nat)
        {
            string key = $"default-{word}-pool";
            _family = family;
            _cidr = Setting.Custom<(bool, IpPrefix?)>(
                Section, key, "", "auto | CIDR prefix", (string text, out (bool, IpPrefix?) value, out string reason) =>
                {
                    bool ok = Setting.ParsePrefix(text, out IpPrefix prefix, out _) && prefix.Family == family;
                    value = text == "auto" ? (true, null) : ok ? (false, prefix) : (false, null);
                    reason = $"expected auto or an {family} prefix without host bits";
                    return ok || text is "" or "auto";
                },
                $"Creates an IPPool default-{word}-ippool of this prefix while the cluster has no pool of the family; auto chooses one that no address of this host lies in; empty for none.");
            _ipip = family == IpFamily.IPv4 ? Setting.Choice(Section, $"{key}-ipip", "Never", s_modes, "ipipMode of that pool.") : null;
            _vxlan = Setting.Choice(Section, $"{key}-vxlan", "Never", s_modes, "vxlanMode of that pool.");
            _blockSize = Setting.Integer(Section, $"{key}-block-size", blockSize, min, max, "Prefix length of that pool's blocks.");
            _nat = Setting.Switch(Section, $"{key}-nat-outgoing", nat, "natOutgoing of that pool.");
            _selector = Setting.Custom<string>(
                Section, $"{key}-node-selector", "all()", "selector", (string text, out string value, out string reason) =>
                {
                    value = text;
                    bool ok = Selector.TryParse(text, out _, out string? error);
                    reason = error ?? string.Empty;
                    return ok;
                },
                "Which nodes use that pool.");
            Settings = [_cidr, .. _ipip is null ? (ISetting[])[] : [_ipip], _vxlan, _blockSize, _nat, _selector];
        }

        public IReadOnlyList<ISetting> Settings { get; }

        /// <summary>Null when none is to be created; problems are left in the reader.</summary>
        public DefaultPool? Parse(SettingsReader reader)
        {
            (bool automatic, IpPrefix? cidr) = reader.Get(_cidr);
            DefaultPool pool = new()
            {
                Family = _family, Cidr = cidr, IsAutomatic = automatic, IpipMode = _ipip is null ? "Never" : reader.Get(_ipip), VxlanMode = reader.Get(_vxlan),
                BlockSize = (int)reader.Get(_blockSize), NatOutgoing = reader.Get(_nat), NodeSelector = reader.Get(_selector),
            };
            if (pool.IpipMode != "Never" && pool.VxlanMode != "Never")
            {
                reader.Report(_vxlan, $"{pool.VxlanMode} together with IPIP {pool.IpipMode}: a pool has one encapsulation");
            }

            if (cidr is { } prefix && prefix.Length > pool.BlockSize)
            {
                reader.Report(_cidr, $"{prefix} is smaller than a block of /{pool.BlockSize}");
            }

            return automatic || cidr is not null ? pool : null;
        }
    }
}
