using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests.Equality;

/// <summary>Policies for a world of a few pods and ports, so small that most rules meet some packet.</summary>
internal sealed class RandomPolicies(int seed, int pods)
{
    public static readonly int[] Ports = [80, 81, 443];

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
            PolicyId id = Policy(i);
            ActivePolicyUpdate policy = new(id, "default", [.. Enumerable.Range(0, _random.Next(0, 5)).Select(_ => Rule())], [.. Enumerable.Range(0, _random.Next(0, 5)).Select(_ => Rule())], "all()", PolicyTraits.None);
            model.Policies[id] = policy;
            updates.Add(policy);
        }

        DataplaneRule allow = new() { Action = RuleAction.Allow };
        foreach (ActiveProfileUpdate profile in (ActiveProfileUpdate[])[new("open", [allow], [allow]), new("some", [Rule(), allow], [Rule(), allow])])
        {
            model.Profiles[profile.Name] = profile;
            updates.Add(profile);
        }

        foreach ((int number, Pod pod) in world)
        {
            TierPolicies[] tiers = [.. Enumerable.Range(0, _random.Next(0, 3)).Select(i => new TierPolicies($"t{i}", Chance(40), Some(), Some()))];
            string[] profiles = Chance(75) ? ["open"] : Chance(50) ? ["some"] : [];
            WorkloadEndpointUpdate endpoint = pod.Endpoint(tiers, profiles, revision);
            model.Endpoints[number] = endpoint;
            updates.Add(endpoint);
        }

        return updates;
    }

    private static PolicyId Policy(int i) => new("GlobalNetworkPolicy", "", $"p{i}");

    private bool Chance(int percent) => _random.Next(100) < percent;

    private T Pick<T>(params ReadOnlySpan<T> values) => values[_random.Next(values.Length)];

    private PolicyId[] Some() => [.. Enumerable.Range(0, 4).Where(_ => Chance(30)).Select(Policy)];

    private DataplaneRule Rule()
    {
        byte? protocol = Pick<byte?>(null, null, 6, 6, 17, 17, 1, 58);
        bool hasPorts = protocol is 6 or 17;
        return new DataplaneRule
        {
            Action = Pick(RuleAction.Allow, RuleAction.Allow, RuleAction.Allow, RuleAction.Deny, RuleAction.Pass, RuleAction.Log),
            IpVersion = Pick(IpFamily.None, IpFamily.None, IpFamily.None, IpFamily.None, IpFamily.IPv4, IpFamily.IPv6),
            Protocol = protocol,
            NotProtocol = protocol is null && Chance(25) ? Pick<byte>(6, 17, 1, 58) : null,
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
        [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => Chance(50) ? new IpPrefix(IpAddress.Parse($"10.65.0.{_random.Next(pods + 1)}"), Pick(32, 31, 30)) : new IpPrefix(IpAddress.Parse($"fd65::{_random.Next(pods + 1)}"), Pick(128, 127, 126)))];

    private HashSet<IpSetMember> Nets() => [.. Enumerable.Range(0, _random.Next(0, 6)).SelectMany(_ => Prefixes()).Select(p => new IpSetMember(p))];

    private HashSet<IpSetMember> NamedPorts() =>
        [.. Enumerable.Range(0, _random.Next(0, 8)).Select(_ => new IpSetMember(
            IpPrefix.Parse(Chance(50) ? $"10.65.0.{_random.Next(1, pods + 1)}/32" : $"fd65::{_random.Next(1, pods + 1)}/128"), Pick<byte>(6, 17), (ushort)Pick(Ports)))];
}
