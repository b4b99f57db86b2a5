using Weft.Dataplane.Rules.Model;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Rules;

/// <summary>Masquerading of traffic that leaves the pools.</summary>
internal sealed class NatRenderer(RuleSettings settings, IpFamily family, Func<string, string> setName)
{
    public const string MasqueradePools = "masq-ipam-pools";
    public const string AllPools = "network-ip-pools";
    public const string AllHosts = "all-hosts-net";

    /// <summary>Empty when no pool wants it.</summary>
    public Chain NatOutgoing(bool anyPool)
    {
        if (!anyPool)
        {
            return new Chain(ChainNames.NatOutgoing, []);
        }

        Match match = Match.All.SourceIpSet(setName(MasqueradePools)).NotDestinationIpSet(setName(AllPools));
        if (settings.NatExcludesHosts)
        {
            match = match.NotDestinationIpSet(setName(AllHosts));
        }

        if (settings.NatInterface is { } outInterface)
        {
            match = match.OutInterface(outInterface);
        }

        if (settings.NatPortRange is not { } range)
        {
            return new Chain(ChainNames.NatOutgoing, [new Rule(match, Translate(null))]);
        }

        ushort[] ends = [.. range.Split(':').Select(ushort.Parse)];
        PortSpan ports = new(ends[0], ends[^1]);
        List<Rule> rules = [];
        foreach (byte protocol in (ReadOnlySpan<byte>)[IpProtocol.Tcp, IpProtocol.Udp])
        {
            Match only = Match.All.Protocol(protocol).And(match);
            rules.Add(new Rule(only, Translate(ports)));
            rules.Add(new Rule(only, RuleAction.Return));
        }

        rules.Add(new Rule(match, Translate(null)));
        return new Chain(ChainNames.NatOutgoing, rules);
    }

    private RuleAction Translate(PortSpan? ports) =>
        settings.NatAddress.Family == family ? RuleAction.Snat(settings.NatAddress.ToString(), ports) : RuleAction.Masquerade(ports);
}
