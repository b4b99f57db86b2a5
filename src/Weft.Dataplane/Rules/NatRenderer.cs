using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Rules;

/// <summary>Masquerading of traffic that leaves the pools.</summary>
internal sealed class NatRenderer(RuleSettings settings, Func<string, string> setName)
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

        if (settings.NatPortRange is not { } range)
        {
            return new Chain(ChainNames.NatOutgoing, [new Rule(match, RuleAction.Masquerade())]);
        }

        ushort[] ends = [.. range.Split(':').Select(ushort.Parse)];
        PortSpan ports = new(ends[0], ends[^1]);
        List<Rule> rules = [];
        foreach (byte protocol in (ReadOnlySpan<byte>)[IpProtocol.Tcp, IpProtocol.Udp])
        {
            Match only = Match.All.Protocol(protocol).And(match);
            rules.Add(new Rule(only, RuleAction.Masquerade(ports)));
            rules.Add(new Rule(only, RuleAction.Return));
        }

        rules.Add(new Rule(match, RuleAction.Masquerade()));
        return new Chain(ChainNames.NatOutgoing, rules);
    }
}
