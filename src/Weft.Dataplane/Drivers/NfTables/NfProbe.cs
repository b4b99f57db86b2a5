using Weft.Dataplane.Rules.Model;
using Weft.Linux;
using Weft.Linux.Namespaces;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// Whether the kernel has everything that our rules use of nf_tables: a transaction with one of each is tried and not carried out. Changes nothing.
/// </summary>
internal static class NfProbe
{
    private const string Table = "weft-probe";

    /// <param name="family">Whose rules.</param>
    /// <param name="space">Null for the namespace of the process.</param>
    /// <returns>What is missing, for people; null for nothing.</returns>
    public static string? Missing(IpFamily family, NetNamespace? space)
    {
        try
        {
            using NfTablesSocket socket = NfTablesSocket.Open(family, space);
            NetlinkResult result = socket.Try(Trial(family));
            return result.IsSuccess ? null : $"{family}: {result}";
        }
        catch (KernelException e)
        {
            return $"{family}: {e.Message}";
        }
    }

    private static NfTablesBatch Trial(IpFamily family)
    {
        NfTablesBatch batch = new(family);
        NfSetFamily sets = new(family);
        NfRuleEncoder encoder = new(family, sets);
        IpAddress address = family == IpFamily.IPv4 ? IpAddress.Parse("192.0.2.1") : IpAddress.Parse("2001:db8::1");
        NfSetState addresses = sets.Find("addresses");
        batch.AddTable(Table);
        batch.AddSet(Table, new NfSet(addresses.Name, addresses.KeyLength, NfSetKeys.Type(family, addresses.Metadata.Type)));
        batch.AddSet(Table, new NfSet("interfaces", NfTablesBatch.InterfaceKeyLength, NfSetKeys.InterfaceType, IsVerdictMap: true));
        Match tcp = Match.All.Protocol(IpProtocol.Tcp);
        Write("raw", "PREROUTING", new Rule(Match.All.ReversePathFails(), RuleAction.Drop), new Rule(Match.All, RuleAction.NoTrack));
        Write(
            "filter",
            "FORWARD",
            new Rule(Match.All.ConntrackState(ConntrackStates.Related | ConntrackStates.Established), RuleAction.Accept),
            new Rule(Match.All.NotConntrackState(ConntrackStates.Dnat).MarkSet(1), RuleAction.SetMark(2)),
            new Rule(tcp.DestinationPorts([(1, 2), (4, 4)]).SourceIpSet(addresses.Name), RuleAction.Reject),
            new Rule(tcp.Ports(PacketEnd.Source, [(1, 2)], negated: true).DestinationIsLocal(), RuleAction.Log("probe")),
            new Rule(Match.All.Limit(1, RateUnit.Second), RuleAction.Nflog(1, "probe")));
        Write("nat", "POSTROUTING", new Rule(tcp, RuleAction.Masquerade(new PortSpan(1024, 65535))));
        Write("nat", "PREROUTING", new Rule(tcp, RuleAction.Dnat(address.ToString())));
        return batch;

        void Write(string table, string hook, params Rule[] rules)
        {
            string chain = $"{table}-{hook}";
            batch.AddChain(Table, chain, NfHooks.Of(table, hook));
            encoder.Write(Table, chain, new NfChain(rules, table == "filter" ? new Dispatch("interfaces", InterfaceWay.In, new Dictionary<string, string>(), []) : null), batch);
        }
    }
}
