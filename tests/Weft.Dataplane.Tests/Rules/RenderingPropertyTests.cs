using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Rules.Model;
using Weft.Dataplane.Rules;
using Weft.Dataplane.Tests.Drivers.IpTables;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using IpSetMember = Weft.Policy.Output.IpSetMember;
using IpSetType = Weft.Dataplane.Drivers.IpSets.IpSetType;
using RuleAction = Weft.Policy.Output.RuleAction;

namespace Weft.Dataplane.Tests.Rules;

/// <summary>Random rules: what iptables would do with the rendering is what the rule says, and iptables takes it.</summary>
public sealed class RenderingPropertyTests
{
    private static readonly RuleSettings s_settings = new();

    [Theory]
    [InlineData(IpFamily.IPv4)]
    [InlineData(IpFamily.IPv6)]
    public void Rendering_MeansWhatTheRuleSays(IpFamily family)
    {
        int matched = 0;
        for (int seed = 0; seed < 4000; seed++)
        {
            RandomRules random = new(seed);
            DataplaneRule rule = random.Next();
            List<Rule> rendered = [];
            new RuleRenderer(s_settings, family, id => id).Append(rule, new RuleOwner("default", "gnp", "", "p", true, true), 0, rendered);
            for (int i = 0; i < 40; i++)
            {
                Packet packet = Packet.Random(random, family);
                bool expected = packet.Matches(rule);
                matched += expected ? 1 : 0;
                Verdict actual = IpTablesMachine.Run(rendered, packet, s_settings.Marks);
                Assert.True(
                    actual == (expected ? VerdictOf(rule.Action) : Verdict.None),
                    $"seed {seed}: {packet} should {(expected ? "match" : "not match")} {rule}, and got {actual}:\n{string.Join('\n', rendered.Select(r => r.Text))}");
            }
        }

        Assert.True(matched > 500, $"only {matched} packets matched: the world is too large");
    }

    [Theory]
    [InlineData(IpTablesBackend.Nft, IpFamily.IPv4)]
    [InlineData(IpTablesBackend.Nft, IpFamily.IPv6)]
    [InlineData(IpTablesBackend.Legacy, IpFamily.IPv4)]
    [InlineData(IpTablesBackend.Legacy, IpFamily.IPv6)]
    public async Task Rendering_IsTakenByIptables(IpTablesBackend backend, IpFamily family)
    {
        await using PodNode node = new();
        IpTablesTools tools = IpTablesTools.Detect(node.Tools, family, backend);
        using Weft.Linux.Netfilter.IpSetSocket socket = Weft.Linux.Netfilter.IpSetSocket.Open(node.Space);
        IpSetFamily sets = new(family, socket, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<IpSetFamily>.Instance);
        foreach (string id in RandomRules.NetSets)
        {
            sets.AddOrReplace(new IpSetMetadata(id, IpSetType.Net), []);
        }

        foreach (string id in RandomRules.PortSets)
        {
            sets.AddOrReplace(new IpSetMetadata(id, IpSetType.IpPort), []);
        }

        sets.ApplyUpdates();
        RuleTable table = new(
            new RuleTableSettings("filter"), tools, node.Tools, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<RuleTable>.Instance);
        RandomRules random = new(7);
        PolicyRenderer renderer = new(s_settings, family, sets.NameOf, static _ => false);
        List<Rule> jumps = [];
        for (int i = 0; i < 60; i++)
        {
            ActivePolicyUpdate policy = new(
                new PolicyId("GlobalNetworkPolicy", "", $"p{i}"), "default", [.. Enumerable.Range(0, 5).Select(_ => random.Next())], [], "all()", PolicyTraits.None);
            Chain inbound = renderer.Policy(policy).First();
            table.SetChain(inbound);
            jumps.Add(new Rule(Match.All, Weft.Dataplane.Rules.Model.RuleAction.Jump(inbound.Name)));
        }

        table.SetInserts("FORWARD", [.. jumps]);

        Assert.True(table.Apply().IsDone);
        Assert.Equal(1, table.Writes);
        table.QueueResync();
        table.Apply();
        Assert.Equal(1, table.Writes);
    }

    private static Verdict VerdictOf(RuleAction action) => action switch
    {
        RuleAction.Allow => Verdict.Accepted,
        RuleAction.Pass => Verdict.Passed,
        RuleAction.Deny => Verdict.Dropped,
        _ => Verdict.Logged,
    };
}

internal enum Verdict
{
    None,
    Accepted,
    Passed,
    Dropped,
    Logged,
}

/// <summary>A packet, and what a rule says of it, read as plainly as possible.</summary>
internal sealed record Packet(IpFamily Family, byte Protocol, IpAddress Source, IpAddress Destination, ushort SourcePort, ushort DestinationPort, byte IcmpType, byte IcmpCode)
{
    private bool HasPorts => Protocol is 6 or 17 or 132;

    public static Packet Random(RandomRules random, IpFamily family) => new(
        family, random.Pick<byte>(6, 6, 17, 132, family == IpFamily.IPv4 ? (byte)1 : (byte)58, 47), Address(random, family), Address(random, family),
        (ushort)random.Random.Next(1, 45), (ushort)random.Random.Next(1, 45), random.Pick<byte>(8, 3), random.Pick<byte>(0, 1));

    /// <summary>Membership of the world's sets: any fixed rule will do.</summary>
    public static bool InNetSet(string set, IpAddress address) => ((int)(uint)address.Value & 1) == (set == "s:one" ? 0 : 1) || (uint)address.Value % 5 == 0;

    public bool InPortSet(string set, bool source) =>
        HasPorts && ((source ? SourcePort : DestinationPort) + (int)((uint)(source ? Source : Destination).Value % 3)) % 2 == (set == "n:web" ? 0 : 1);

    public bool Matches(DataplaneRule r)
    {
        byte ownIcmp = Family == IpFamily.IPv4 ? (byte)1 : (byte)58;
        return (r.IpVersion == IpFamily.None || r.IpVersion == Family)
            && (r.Protocol is null || r.Protocol == Protocol)
            && (r.NotProtocol is null || r.NotProtocol != Protocol)
            && (r.Icmp is not { } icmp || (Protocol == ownIcmp && IsIcmp(icmp)))
            && !(r.NotIcmp is { } notIcmp && Protocol == ownIcmp && IsIcmp(notIcmp))
            && Positive(r.SrcNets, Source) && Positive(r.DstNets, Destination)
            && Negative(r.NotSrcNets, Source) && Negative(r.NotDstNets, Destination)
            && Ports(r.SrcPorts, r.SrcNamedPortIpSetIds, true) && Ports(r.DstPorts, r.DstNamedPortIpSetIds, false)
            && !r.NotSrcPorts.Any(p => In(p, SourcePort)) && !r.NotDstPorts.Any(p => In(p, DestinationPort))
            && !r.NotSrcNamedPortIpSetIds.Any(s => InPortSet(s, true)) && !r.NotDstNamedPortIpSetIds.Any(s => InPortSet(s, false))
            && r.SrcIpSetIds.All(s => InNetSet(s, Source)) && r.DstIpSetIds.All(s => InNetSet(s, Destination))
            && !r.NotSrcIpSetIds.Any(s => InNetSet(s, Source)) && !r.NotDstIpSetIds.Any(s => InNetSet(s, Destination))
            && r.DstIpPortSetIds.All(s => InPortSet(s, false));
    }

    private static IpAddress Address(RandomRules random, IpFamily family) =>
        family == IpFamily.IPv4 ? IpAddress.FromIPv4(0x0a000000u + (uint)random.Random.Next(10)) : IpAddress.Parse($"fd00::{random.Random.Next(10):x}");

    private static bool In(PortRange range, ushort port) => port >= range.Min && port <= range.Max;

    private bool IsIcmp(IcmpMatch match) => match.Type == IcmpType && (match.Code is null || match.Code == IcmpCode);

    private bool Positive(IReadOnlyList<IpPrefix> nets, IpAddress address) => nets.Count == 0 || nets.Any(n => n.Contains(address));

    /// <summary>Excluding nets of the other family only says that the rule is about that family.</summary>
    private bool Negative(IReadOnlyList<IpPrefix> nets, IpAddress address) => nets.Count == 0 || (nets.Any(n => n.Family == Family) && !nets.Any(n => n.Contains(address)));

    private bool Ports(IReadOnlyList<PortRange> ports, IReadOnlyList<string> sets, bool source) =>
        (ports.Count == 0 && sets.Count == 0) || ports.Any(p => In(p, source ? SourcePort : DestinationPort)) || sets.Any(s => InPortSet(s, source));
}

/// <summary>Carries out the text of rules as iptables documents it.</summary>
internal static class IpTablesMachine
{
    public static Verdict Run(IReadOnlyList<Rule> rules, Packet packet, MarkBits marks)
    {
        uint mark = 0xffffffff & ~(marks.Accept | marks.Pass | marks.Drop); // Whatever was left in the scratch bits must not matter.
        foreach (Rule rule in rules)
        {
            Queue<string> words = new(rule.Match.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries));
            bool matches = true;
            while (words.Count > 0)
            {
                matches &= One(words, packet, mark);
            }

            if (!matches)
            {
                continue;
            }

            string[] action = rule.Action.Text.Split(' ');
            switch (action[1])
            {
                case "MARK":
                    uint[] parts = [.. action[3].Split('/').Select(Hex)];
                    mark = (mark & ~parts[1]) ^ parts[0];
                    break;
                case "RETURN":
                    return (mark & marks.Accept) != 0 ? Verdict.Accepted : Verdict.Passed;
                case "DROP":
                    return Verdict.Dropped;
                case "LOG":
                    return Verdict.Logged;
                default:
                    throw new InvalidOperationException(rule.Text);
            }
        }

        return Verdict.None;
    }

    private static bool One(Queue<string> words, Packet packet, uint mark)
    {
        string word = words.Dequeue();
        bool negated = word == "!";
        word = negated ? words.Dequeue() : word;
        if (word == "-m")
        {
            words.Dequeue();
            return true;
        }

        string value = words.Dequeue();
        bool matches = word switch
        {
            "-p" => (value switch { "tcp" => "6", "udp" => "17", "sctp" => "132", _ => value }) == packet.Protocol.ToString(),
            "--source" => IpPrefix.Parse(value).Contains(packet.Source),
            "--destination" => IpPrefix.Parse(value).Contains(packet.Destination),
            "--source-ports" => Ports(value, packet.SourcePort),
            "--destination-ports" => Ports(value, packet.DestinationPort),
            "--match-set" => words.Dequeue() switch
            {
                "src" => Packet.InNetSet(value, packet.Source),
                "dst" => Packet.InNetSet(value, packet.Destination),
                "src,src" => packet.InPortSet(value, source: true),
                _ => packet.InPortSet(value, source: false),
            },
            "--mark" => (mark & Hex(value.Split('/')[1])) == Hex(value.Split('/')[0]),
            "--icmp-type" or "--icmpv6-type" => value == $"{packet.IcmpType}" || value == $"{packet.IcmpType}/{packet.IcmpCode}",
            _ => throw new InvalidOperationException(word),
        };
        return matches != negated;
    }

    private static bool Ports(string list, ushort port) => list.Split(',').Select(p => p.Split(':')).Any(p => port >= int.Parse(p[0]) && port <= int.Parse(p[^1]));

    private static uint Hex(string text) => text == "0" ? 0 : Convert.ToUInt32(text[2..], 16);
}
