using Weft.Dataplane.Drivers.IpTables;

namespace Weft.Dataplane.Rules;

/// <summary>Masquerading of traffic that leaves the pools.</summary>
internal sealed class NatRenderer(RuleSettings settings, IpTablesFeatures features, Func<string, string> setName)
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
            return new Chain(ChainNames.NatOutgoing, [new Rule(match, RuleAction.Masquerade(features))]);
        }

        string ports = range.Replace(':', '-');
        List<Rule> rules = [];
        foreach (string protocol in (ReadOnlySpan<string>)["tcp", "udp"])
        {
            Match only = Match.All.Protocol(protocol).Fragment(match.ToString());
            rules.Add(new Rule(only, RuleAction.Masquerade(features, ports)));
            rules.Add(new Rule(only, RuleAction.Return));
        }

        rules.Add(new Rule(match, RuleAction.Masquerade(features)));
        return new Chain(ChainNames.NatOutgoing, rules);
    }
}
