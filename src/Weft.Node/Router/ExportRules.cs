using System.Collections.Immutable;
using Weft.Bgp.Policies;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>What a node of the cluster announces, before any BGPFilter (Calico's calico_export_to_bgp_peers, in its order).</summary>
internal static class ExportRules
{
    /// <param name="pools">Pools with a valid CIDR.</param>
    /// <param name="ownBlocks">Confirmed blocks of this node.</param>
    /// <param name="metricIPv4">Normal priority: a longer prefix of an own block leaves only with a better one (a workload that moves).</param>
    /// <param name="metricIPv6">The same for IPv6.</param>
    /// <param name="serviceRoutes">Static service routes.</param>
    /// <param name="reflectedRanges">Service ranges that a route reflector passes on.</param>
    /// <param name="advertisements">Communities by prefix.</param>
    /// <param name="agentProgramsIpip">Routes through tunl0 are the agent's, and lead to other nodes.</param>
    public static RoutePolicy Build(
        IReadOnlyList<(IpPrefix Cidr, IPPoolSpec Spec)> pools,
        IReadOnlyList<IpPrefix> ownBlocks,
        uint metricIPv4,
        uint metricIPv6,
        IReadOnlyList<IpPrefix> serviceRoutes,
        IReadOnlyList<IpPrefix> reflectedRanges,
        IReadOnlyList<(IpPrefix Cidr, ImmutableArray<RouteEdit> Edits)> advertisements,
        bool agentProgramsIpip)
    {
        ImmutableArray<PolicyRule>.Builder rules = ImmutableArray.CreateBuilder<PolicyRule>();
        rules.AddRange(pools.Where(p => p.Spec.DisableBGPExport == true).Select(p => Inside("pool without export", p.Cidr, PolicyVerdict.Reject)));


        // What leads into a tunnel belongs to another node, which tells of it itself; links of the agent's own programs are nobody else's business.
        rules.Add(Through("tunnel of the cluster", agentProgramsIpip ? ["*.cali", "*.calico", "tunl0"] : ["*.cali", "*.calico"], new PolicyCondition.PeerType(PeerTypeMatch.Internal)));
        rules.Add(Through("link of the agent", ["bpf*.cali"]));
        rules.AddRange(advertisements.Select(a => Inside("prefix advertisement", a.Cidr, PolicyVerdict.Continue) with { Edits = a.Edits }));
        foreach (IpPrefix block in ownBlocks)
        {
            rules.Add(new PolicyRule { Name = $"own block {block}", Prefixes = [PrefixMatch.Exactly(block)], Verdict = PolicyVerdict.Accept });
            uint normal = FilterCompiler.PriorityBase - (block.IsIPv6 ? metricIPv6 : metricIPv4);
            rules.Add(Inside("moving workload of own block", block, PolicyVerdict.Accept) with { Conditions = [new PolicyCondition.Number(RouteNumber.LocalPreference, [new NumberRange(normal + 1, FilterCompiler.PriorityBase)])] });
            rules.Add(Inside("inside own block", block, PolicyVerdict.Reject));
        }

        rules.AddRange(serviceRoutes.Select(p => Inside("service range", p, PolicyVerdict.Accept)));
        rules.AddRange(reflectedRanges.Select(p => Inside("reflected service range", p, PolicyVerdict.Accept)));
        rules.AddRange(pools.Where(p => p.Spec.DisableBGPExport != true).Select(p => Inside("pool", p.Cidr, PolicyVerdict.Accept)));
        return new RoutePolicy { Rules = rules.ToImmutable(), Default = PolicyVerdict.Reject };
    }

    private static PolicyRule Through(string what, string[] links, params PolicyCondition[] conditions) =>
        new() { Name = what, Conditions = [.. conditions, new PolicyCondition.Interface([.. links])], Verdict = PolicyVerdict.Reject };

    private static PolicyRule Inside(string what, IpPrefix prefix, PolicyVerdict verdict) => new() { Name = $"{what} {prefix}", Prefixes = [PrefixMatch.Inside(prefix)], Verdict = verdict };
}
