using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests.Equality;

/// <summary>Policies for a world of a few addresses and ports, so small that most rules meet some packet.</summary>
internal sealed class RandomPolicies(int seed, params IpAddress[] addresses)
{
    private const byte Sctp = 132;

    public static readonly int[] Ports = [80, 81, 443];

    private readonly IpAddress[] _v4 = [.. addresses.Where(a => a.IsIPv4)];
    private readonly IpAddress[] _v6 = [.. addresses.Where(a => !a.IsIPv4)];

    private static readonly PolicyId s_untracked = new("GlobalNetworkPolicy", "", "untracked");
    private static readonly PolicyId s_preDnat = new("GlobalNetworkPolicy", "", "prednat");

    private readonly Random _random = new(seed);

    /// <summary>Fills the model and returns what the dataplane is told, endpoints last.</summary>
    public List<DataplaneUpdate> Fill(PolicyModel model, IReadOnlyDictionary<int, Pod> world, long revision)
    {
        List<DataplaneUpdate> updates = [];
        foreach (string name in (string[])["s:a", "s:b", "s:c", "n:x", "n:y"])
        {
            HashSet<IpSetMember> members = name[0] == 's' ? Nets() : NamedPorts();
            model.Sets[name] = members;
            updates.Add(new IpSetUpdate(name, name[0] == 's' ? IpSetType.Net : IpSetType.IpAndPort, members));
        }

        for (int i = 0; i < 4; i++)
        {
            Define(Policy(i), PolicyTraits.ApplyOnForward, static rule => rule);
        }

        // An untracked flow is allowed only together with its answers: the random ones deny.
        Define(s_untracked, PolicyTraits.Untracked | PolicyTraits.ApplyOnForward, static rule => rule.Action == RuleAction.Allow ? rule with { Action = RuleAction.Deny } : rule);
        Define(s_preDnat, PolicyTraits.PreDnat | PolicyTraits.ApplyOnForward, static rule => rule);

        DataplaneRule allow = new() { Action = RuleAction.Allow };
        foreach (ActiveProfileUpdate profile in (ActiveProfileUpdate[])[new("open", [allow], [allow]), new("some", [Rule(), allow], [Rule(), allow])])
        {
            model.Profiles[profile.Name] = profile;
            updates.Add(profile);
        }

        foreach ((int number, Pod pod) in world)
        {
            TierPolicies[] tiers = Tiers();
            string[] profiles = Chance(75) ? ["open"] : Chance(50) ? ["some"] : [];
            WorkloadEndpointUpdate endpoint = pod.Endpoint(tiers, profiles, revision);
            model.Endpoints[number] = endpoint;
            updates.Add(endpoint);
        }

        return updates;

        void Define(PolicyId id, PolicyTraits traits, Func<DataplaneRule, DataplaneRule> edit)
        {
            ActivePolicyUpdate policy = new(id, "default", [.. Rules().Select(edit)], [.. Rules().Select(edit)], "all()", traits);
            model.Policies[id] = policy;
            updates.Add(policy);
        }
    }

    /// <summary>An endpoint of the host: its own policies, those of what passes through, and now and then those before tracking and translation.</summary>
    public HostEndpointUpdate Host(string interfaceName, params IpAddress[] expected) => new(
        "host",
        interfaceName,
        expected,
        Chance(60) ? ["open"] : ["some"],
        Tiers(),
        interfaceName != "*" && Chance(50) ? [new TierPolicies("u", true, [s_untracked], [s_untracked])] : [],
        Chance(50) ? [new TierPolicies("d", true, [s_preDnat], [])] : [],
        Chance(60) ? Tiers() : []);

    private DataplaneRule[] Rules() => [.. Enumerable.Range(0, _random.Next(0, 5)).Select(_ => Rule())];

    private TierPolicies[] Tiers() => [.. Enumerable.Range(0, _random.Next(0, 3)).Select(i => new TierPolicies($"t{i}", Chance(40), Some(), Some()))];

    private static PolicyId Policy(int i) => new("GlobalNetworkPolicy", "", $"p{i}");

    private bool Chance(int percent) => _random.Next(100) < percent;

    private T Pick<T>(params ReadOnlySpan<T> values) => values[_random.Next(values.Length)];

    private PolicyId[] Some() => [.. Enumerable.Range(0, 4).Where(_ => Chance(30)).Select(Policy)];

    private DataplaneRule Rule()
    {
        byte? protocol = Pick<byte?>(null, null, 6, 6, 17, 17, Sctp, 1, 58);
        bool hasPorts = protocol is 6 or 17 or Sctp;
        return new DataplaneRule
        {
            Action = Pick(RuleAction.Allow, RuleAction.Allow, RuleAction.Allow, RuleAction.Deny, RuleAction.Pass, RuleAction.Log),
            IpVersion = Pick(IpFamily.None, IpFamily.None, IpFamily.None, IpFamily.None, IpFamily.IPv4, IpFamily.IPv6),
            Protocol = protocol,
            NotProtocol = protocol is null && Chance(25) ? Pick<byte>(6, 17, 1, 58, Sctp) : null,
            Icmp = protocol is 1 or 58 && Chance(40) ? new IcmpMatch(Pick<byte>(8, 128, 3), Pick<byte?>(null, 0)) : null,
            NotIcmp = protocol is null or 1 or 58 && Chance(15) ? new IcmpMatch(Pick<byte>(8, 128), Pick<byte?>(null, 0)) : null,
            SrcNets = Chance(20) ? Prefixes() : [],
            DstNets = Chance(15) ? Prefixes() : [],
            NotSrcNets = Chance(15) ? Prefixes() : [],
            NotDstNets = Chance(10) ? Prefixes() : [],
            SrcIpSetIds = Chance(25) ? [Pick("s:a", "s:b")] : [],
            DstIpSetIds = Chance(15) ? [Pick("s:b", "s:c")] : [],
            NotSrcIpSetIds = Chance(10) ? ["s:c"] : [],
            NotDstIpSetIds = Chance(10) ? ["s:a"] : [],
            SrcPorts = hasPorts && Chance(10) ? [new PortRange(1, 40000)] : [],
            NotSrcPorts = hasPorts && Chance(10) ? [new PortRange(30000, 30100)] : [],
            DstPorts = hasPorts && Chance(40) ? PortList() : [],
            NotDstPorts = hasPorts && Chance(20) ? PortList() : [],
            DstNamedPortIpSetIds = hasPorts && Chance(20) ? ["n:x"] : [],
            NotDstNamedPortIpSetIds = hasPorts && Chance(10) ? ["n:y"] : [],
        };
    }

    private PortRange[] PortList() => Pick<PortRange[]>([new(80, 80)], [new(80, 81)], [new(443, 443), new(80, 80)], [new(1, 79), new(82, 442)], [.. Enumerable.Range(0, 20).Select(i => new PortRange((ushort)(81 + (i * 2)), (ushort)(81 + (i * 2))))]);

    private IpPrefix[] Prefixes() =>
        [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => Chance(50) ? new IpPrefix(Pick(_v4), Pick(32, 31, 30)) : new IpPrefix(Pick(_v6), Pick(128, 127, 126)))];

    private HashSet<IpSetMember> Nets() => [.. Enumerable.Range(0, _random.Next(0, 6)).SelectMany(_ => Prefixes()).Select(p => new IpSetMember(p))];

    private HashSet<IpSetMember> NamedPorts() =>
        [.. Enumerable.Range(0, _random.Next(0, 8)).Select(_ => new IpSetMember(
            Pick(Chance(50) ? _v4 : _v6).ToPrefix(), Pick<byte>(6, 17, Sctp), (ushort)Pick(Ports)))];
}
