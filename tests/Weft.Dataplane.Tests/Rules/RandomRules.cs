using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Rules;

/// <summary>Rules of every shape, over a world small enough that random packets meet them.</summary>
internal sealed class RandomRules(int seed)
{
    public static readonly string[] NetSets = ["s:one", "s:two"];
    public static readonly string[] PortSets = ["n:web", "n:dns"];

    private readonly Random _random = new(seed);

    public Random Random => _random;

    public DataplaneRule Next()
    {
        byte? protocol = Pick<byte?>(null, 6, 6, 17, 132, 1, 58, 47);
        bool ports = protocol is 6 or 17 or 132;
        return new DataplaneRule
        {
            Action = Pick(RuleAction.Allow, RuleAction.Deny, RuleAction.Pass, RuleAction.Log),
            IpVersion = Pick(IpFamily.None, IpFamily.None, IpFamily.None, IpFamily.IPv4, IpFamily.IPv6),
            Protocol = protocol,
            NotProtocol = protocol is null ? Pick<byte?>(null, null, 6, 17) : null,
            Icmp = protocol is 1 or 58 ? Pick<IcmpMatch?>(null, new IcmpMatch(8, null), new IcmpMatch(3, 1)) : null,
            NotIcmp = Pick<IcmpMatch?>(null, null, null, new IcmpMatch(8, 0), new IcmpMatch(3, null)),
            SrcNets = Nets(),
            DstNets = Nets(),
            NotSrcNets = Nets(),
            NotDstNets = Nets(),
            SrcPorts = ports ? Ports() : [],
            DstPorts = ports ? Ports() : [],
            NotSrcPorts = ports ? Ports() : [],
            NotDstPorts = ports ? Ports() : [],
            SrcIpSetIds = Some(NetSets),
            DstIpSetIds = Some(NetSets),
            NotSrcIpSetIds = Some(NetSets),
            NotDstIpSetIds = Some(NetSets),
            SrcNamedPortIpSetIds = Some(PortSets),
            DstNamedPortIpSetIds = Some(PortSets),
            NotSrcNamedPortIpSetIds = Some(PortSets),
            NotDstNamedPortIpSetIds = Some(PortSets),
            DstIpPortSetIds = Some(PortSets),
            Annotations = Pick<KeyValuePair<string, string>[]>([], [], [new("note", "it's \"quoted\" \\ $(x)\n`y`")]),
        };
    }

    public T Pick<T>(params T[] choices) => choices[_random.Next(choices.Length)];

    private IpPrefix[] Nets() => _random.Next(4) > 0
        ? []
        : [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => IpPrefix.Parse(Pick("10.0.0.0/30", "10.0.0.4/30", "10.0.0.1/32", "0.0.0.0/0", "fd00::/126", "fd00::4/126", "::/0")))];

    private PortRange[] Ports() => _random.Next(3) > 0
        ? []
        : [.. Enumerable.Range(0, Pick(1, 2, 9, 20)).Select(_ => (ushort)_random.Next(1, 40)).Select(p => _random.Next(2) == 0 ? new PortRange(p, p) : new PortRange(p, (ushort)(p + 3)))];

    private string[] Some(string[] choices) => _random.Next(8) switch { 0 => [choices[0]], 1 => [choices[1]], 2 when choices == PortSets => choices, _ => [] };
}
