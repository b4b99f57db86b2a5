using System.Buffers.Binary;
using System.Collections.Immutable;
using Weft.Bgp.Policies;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Policies;

/// <summary>A route as plain lists, and policy read off the words of its rules: slow, obvious, and written without a look at the program it judges.</summary>
internal sealed class NaiveRoute
{
    public required IpPrefix Prefix { get; init; }

    public RouteSources Source { get; init; }

    public bool PeerIsInternal { get; init; }

    public string? PeerName { get; init; }

    public IpAddress PeerAddress { get; init; }

    public RouteOrigin Origin { get; set; }

    public List<uint> Path { get; set; } = [];

    public uint? Med { get; set; }

    public uint? LocalPreference { get; set; }

    public SortedSet<uint> Communities { get; } = [];

    public List<LargeCommunity> Large { get; } = [];

    public List<ulong> Extended { get; } = [];

    public uint Weight { get; set; }

    public IpAddress NextHop { get; set; }

    public const uint LocalAs = 65000;

    public byte[] Block()
    {
        byte[] room = new byte[4096];
        int hop = NextHop.CopyTo(room.AsSpan(1));
        room[0] = (byte)hop;
        int at = 1 + hop;
        if (Weight != 0)
        {
            at += PrivateAttribute.Write(Weight, PrivateAttribute.FromConfiguration, default, room.AsSpan(at));
        }

        var writer = new AttributeWriter(room, at);
        writer.Write(0x40, (byte)AttributeType.Origin, [(byte)Origin]);
        writer.Write(0x40, (byte)AttributeType.AsPath, Path.Count == 0 ? [] : Messages(Path));
        if (Med is { } med)
        {
            writer.Write(0x80, AttributeType.Med, med);
        }

        if (LocalPreference is { } preference)
        {
            writer.Write(0x40, AttributeType.LocalPreference, preference);
        }

        Write(ref writer, AttributeType.Communities, [.. Communities.SelectMany(c => Octets(c))]);
        Write(ref writer, AttributeType.ExtendedCommunities, [.. Extended.SelectMany(c => Octets((uint)(c >> 32)).Concat(Octets((uint)c)))]);
        Write(ref writer, AttributeType.LargeCommunities, [.. Large.SelectMany(c => Octets(c.GlobalAdministrator).Concat(Octets(c.LocalData1)).Concat(Octets(c.LocalData2)))]);
        return room[..writer.Length];
    }

    public PolicyRoute View(PolicyScratch scratch, byte[] block, RoaTable? roas) => new()
    {
        Prefix = Prefix, Source = Source, PeerIsInternal = PeerIsInternal, LocalPreference = LocalPreference ?? 100, Attributes = block, LocalAs = LocalAs, PeerName = PeerName,
        PeerAddress = PeerAddress, Scratch = scratch, Roas = roas,
    };

    public bool Run(RoutePolicy policy, RoaTable roas)
    {
        foreach (PolicyRule rule in policy.Rules)
        {
            bool fits = (rule.Prefixes.IsEmpty || rule.Prefixes.Any(Matches)) && rule.Conditions.All(c => Holds(c, roas) != c.Negated);
            if (!fits)
            {
                continue;
            }

            if (rule.Verdict == PolicyVerdict.Reject)
            {
                return false;
            }

            foreach (RouteEdit edit in rule.Edits)
            {
                Apply(edit);
            }

            if (rule.Verdict == PolicyVerdict.Accept)
            {
                return true;
            }
        }

        return policy.Default == PolicyVerdict.Accept;
    }

    private bool Matches(PrefixMatch m) =>
        m.Prefix.Family == Prefix.Family && (m.Prefix.Contains(Prefix) && Prefix.Length >= m.MinimumLength && Prefix.Length <= m.MaximumLength) != m.Negated;

    private bool Holds(PolicyCondition condition, RoaTable roas) => condition switch
    {
        PolicyCondition.Prefix c => c.Matches.Any(Matches),
        PolicyCondition.Community c => c.Patterns.Any(p => All().Any(text => CommunityPattern.TryParse(text, out CommunityPattern one) && Fits(p, one))),
        PolicyCondition.Number c => Values(c.Of).Any(v => c.Ranges.Any(r => v >= r.Low && v <= r.High)),
        PolicyCondition.NextHop c => NextHop.Family != IpFamily.None && c.Prefixes.Any(p => p.Contains(NextHop)),
        PolicyCondition.Peer c => PeerName is not null && (c.Names.Contains(PeerName) || c.Addresses.Any(a => a.Contains(PeerAddress))),
        PolicyCondition.Source c => c.Sources.HasFlag(Source),
        PolicyCondition.PeerType c => PeerIsInternal == (c.Type == PeerTypeMatch.Internal),
        PolicyCondition.Family c => Prefix.Family == c.Of,
        PolicyCondition.Origin c => Origin == c.Is,
        PolicyCondition.Rpki c => roas.Validate(Prefix, Path.Count == 0 ? LocalAs : Path[^1]) == c.State,
        PolicyCondition.AsPath c => c.Pattern.Automaton.Matches(Path.Count == 0 ? [] : Messages(Path)),
        _ => throw new InvalidOperationException($"{condition}"),
    };

    private IEnumerable<string> All() =>
        [.. Communities.Select(c => $"{c >> 16}:{c & 0xFFFF}"), .. Large.Select(l => l.ToString()), .. Extended.Select(e => $"ext:0x{e:x16}")];

    private static bool Fits(CommunityPattern p, CommunityPattern one) => p.Kind == one.Kind && (p.Kind == CommunityKind.Extended
        ? (one.Value & p.Mask) == p.Value
        : p.First.Contains(one.First.Low) && p.Second.Contains(one.Second.Low) && (p.Kind == CommunityKind.Standard || p.Third.Contains(one.Third.Low)));

    private uint[] Values(RouteNumber number) => number switch
    {
        RouteNumber.LocalPreference => [LocalPreference ?? 100],
        RouteNumber.Med => [Med ?? 0],
        RouteNumber.PathLength => [(uint)Path.Count],
        RouteNumber.OriginAs => [Path.Count == 0 ? LocalAs : Path[^1]],
        RouteNumber.FirstAs => [Path.Count == 0 ? 0 : Path[0]],
        RouteNumber.AnyAs => [.. Path],
        _ => [Weight],
    };

    private void Apply(RouteEdit edit)
    {
        switch (edit.Kind)
        {
            case RouteEditKind.SetLocalPreference:
                LocalPreference = edit.Value;
                break;
            case RouteEditKind.SetMed:
                Med = edit.Value;
                break;
            case RouteEditKind.AddMed:
                Med = (uint)Math.Min(uint.MaxValue, (long)(Med ?? 0) + edit.Value);
                break;
            case RouteEditKind.SubtractMed:
                Med = (uint)Math.Max(0, (long)(Med ?? 0) - edit.Value);
                break;
            case RouteEditKind.ClearMed:
                Med = null;
                break;
            case RouteEditKind.SetOrigin:
                Origin = (RouteOrigin)edit.Value;
                break;
            case RouteEditKind.SetWeight:
                Weight = edit.Value;
                break;
            case RouteEditKind.SetNextHop:
                NextHop = edit.Address;
                break;
            case RouteEditKind.NextHopSelf:
                NextHop = default;
                break;
            case RouteEditKind.NextHopPeer:
                NextHop = IpAddress.Parse("10.0.0.7");
                break;
            case RouteEditKind.AddCommunity:
                Communities.Add(edit.Community.Standard);
                break;
            case RouteEditKind.AddLargeCommunity when !Large.Contains(edit.Community.Large):
                Large.Add(edit.Community.Large);
                break;
            case RouteEditKind.AddExtendedCommunity when !Extended.Contains(edit.Community.Extended):
                Extended.Add(edit.Community.Extended);
                break;
            case RouteEditKind.RemoveCommunities when edit.Community.Kind == CommunityKind.Standard:
                Communities.RemoveWhere(c => Fits(edit.Community, CommunityPattern.Of(c)));
                break;
            case RouteEditKind.RemoveCommunities when edit.Community.Kind == CommunityKind.Large:
                Large.RemoveAll(c => Fits(edit.Community, CommunityPattern.Of(c)));
                break;
            case RouteEditKind.RemoveCommunities:
                Extended.RemoveAll(c => Fits(edit.Community, CommunityPattern.OfExtended(c)));
                break;
            case RouteEditKind.PrependAs:
                Path.Insert(0, edit.Value);
                break;
            case RouteEditKind.PrependOwnAs:
                Path.InsertRange(0, Enumerable.Repeat(LocalAs, (int)edit.Value));
                break;
            default:
                break;
        }
    }

    private static byte[] Messages(List<uint> path) => [2, (byte)path.Count, .. path.SelectMany(Octets)];

    private static byte[] Octets(uint value)
    {
        byte[] octets = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(octets, value);
        return octets;
    }

    private static void Write(ref AttributeWriter writer, AttributeType type, byte[] value)
    {
        if (value.Length != 0)
        {
            writer.Write(0xC0, (byte)type, value);
        }
    }
}
