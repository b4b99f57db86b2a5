using System.Collections.Immutable;
using Weft.Bgp;
using Weft.Bgp.Policies;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>Which rules of a BGPFilter are meant.</summary>
internal enum FilterDirection : byte
{
    Import,
    Export,
}

/// <summary>
/// BGPFilter resources -> instructions of the speaker. A rule that cannot be expressed is reported; when it would have accepted it is left out, when it would
/// have rejected it becomes a rejection of everything of its family: a filter never lets through more than it says.
/// </summary>
internal static class FilterCompiler
{
    /// <summary>Calico carries a route's priority as LOCAL_PREF, turned around so that the lower priority wins.</summary>
    public const uint PriorityBase = 2147483647;

    private static readonly IpPrefix s_allIPv4 = new(IpAddress.FromIPv4(0), 0);
    private static readonly IpPrefix s_allIPv6 = new(IpAddress.FromIPv6(0), 0);

    /// <summary>The rules of the filters named, one after the other; both families. Null when a filter is missing: nothing may pass then.</summary>
    public static ImmutableArray<PolicyRule>? Compile(
        IReadOnlyList<string> names, IReadOnlyDictionary<string, BGPFilter> filters, FilterDirection direction, ICollection<string> problems)
    {
        ImmutableArray<PolicyRule>.Builder rules = ImmutableArray.CreateBuilder<PolicyRule>();
        bool complete = true;
        foreach (string name in names)
        {
            if (!filters.TryGetValue(name, out BGPFilter? filter))
            {
                complete = false;
                problems.Add($"BGPFilter {name}: does not exist; peers that name it exchange no routes");
                continue;
            }

            BGPFilterSpec spec = filter.Spec;
            bool import = direction == FilterDirection.Import;
            Add(rules, name, import ? "importV4" : "exportV4", import ? spec.ImportV4 : spec.ExportV4, s_allIPv4, problems);
            Add(rules, name, import ? "importV6" : "exportV6", import ? spec.ImportV6 : spec.ExportV6, s_allIPv6, problems);
        }

        return complete ? rules.ToImmutable() : null;
    }

    private static void Add(
        ImmutableArray<PolicyRule>.Builder rules, string filter, string member, List<BGPFilterRule>? source, IpPrefix family, ICollection<string> problems)
    {
        for (int i = 0; i < (source?.Count ?? 0); i++)
        {
            BGPFilterRule rule = source![i];
            if (TryCompile(rule, family, out PolicyRule? compiled, out string reason))
            {
                rules.Add(compiled!);
                continue;
            }

            bool accepts = rule.Action == "Accept";
            problems.Add($"BGPFilter {filter} {member}[{i}]: {reason}; {(accepts ? "the rule is left out" : "everything is rejected from here on")}");
            if (!accepts)
            {
                rules.Add(new PolicyRule { Prefixes = [PrefixMatch.Inside(family)], Verdict = PolicyVerdict.Reject });
            }
        }
    }

    private static bool TryCompile(BGPFilterRule rule, IpPrefix family, out PolicyRule? compiled, out string reason)
    {
        compiled = null;
        if (rule.Action is not ("Accept" or "Reject"))
        {
            reason = $"action \"{rule.Action}\": expected Accept or Reject";
            return false;
        }

        if (rule.Interface is { Length: > 0 })
        {
            reason = "interface: routes learnt by BGP have none";
            return false;
        }

        if (rule.Source is { Length: > 0 } and not "RemotePeers")
        {
            reason = $"source \"{rule.Source}\": expected RemotePeers";
            return false;
        }

        if (!TryPrefix(rule, family, out PrefixMatch prefix, out reason) || !TryCommunities(rule, out uint? community, out LargeCommunity? large, out reason)
            || !TryEdits(rule, out ImmutableArray<RouteEdit> edits, out reason))
        {
            return false;
        }

        compiled = new PolicyRule
        {
            Prefixes = [prefix],
            Source = rule.Source is { Length: > 0 } ? RouteSourceMatch.Peer : RouteSourceMatch.Any,
            PeerType = rule.PeerType switch { "eBGP" => PeerTypeMatch.External, "iBGP" => PeerTypeMatch.Internal, _ => PeerTypeMatch.Any },
            Community = community,
            LargeCommunity = large,
            AsPathPrefix = [.. (rule.AsPathPrefix ?? []).Select(a => a.Value)],
            LocalPreference = rule.Priority is { } priority ? PriorityBase - (uint)priority : null,
            Edits = edits,
            Verdict = rule.Action == "Accept" ? PolicyVerdict.Accept : PolicyVerdict.Reject,
        };
        return true;
    }

    /// <summary>Without a CIDR: everything of the family the rule stands under.</summary>
    private static bool TryPrefix(BGPFilterRule rule, IpPrefix family, out PrefixMatch match, out string reason)
    {
        match = PrefixMatch.Inside(family);
        reason = string.Empty;
        if (string.IsNullOrEmpty(rule.Cidr))
        {
            return true;
        }

        if (!IpPrefix.TryParse(rule.Cidr, out IpPrefix cidr) || cidr.Family != family.Family)
        {
            reason = $"cidr \"{rule.Cidr}\": expected an {family.Family} prefix";
            return false;
        }

        bool ranged = rule.PrefixLength is { Min: not null } or { Max: not null };
        int low = Math.Max(cidr.Length, rule.PrefixLength?.Min ?? 0);
        int high = Math.Min(cidr.Address.BitLength, rule.PrefixLength?.Max ?? cidr.Address.BitLength);
        switch (rule.MatchOperator)
        {
            case "Equal" or "NotEqual":
                match = ranged ? new PrefixMatch(cidr, low, high) : PrefixMatch.Exactly(cidr);
                break;
            case "In" or "NotIn":
                match = new PrefixMatch(cidr, low, high);
                break;
            default:
                reason = $"matchOperator \"{rule.MatchOperator}\": expected Equal, NotEqual, In or NotIn";
                return false;
        }

        match = match with { Negated = rule.MatchOperator.StartsWith("Not", StringComparison.Ordinal) };
        return true;
    }

    private static bool TryCommunities(BGPFilterRule rule, out uint? community, out LargeCommunity? large, out string reason)
    {
        (community, large, reason) = (null, null, string.Empty);
        switch (rule.Communities?.Values)
        {
            case null or []:
                return true;
            case [var text] when CommunityText.TryParse(text, out community, out large):
                return true;
            default:
                reason = "communities.values: expected exactly one, aa:nn or aa:nn:mm";
                return false;
        }
    }

    private static bool TryEdits(BGPFilterRule rule, out ImmutableArray<RouteEdit> edits, out string reason)
    {
        List<RouteEdit> list = [];
        edits = [];
        reason = string.Empty;
        foreach (BGPFilterOperation operation in rule.Operations ?? [])
        {
            if (operation.AddCommunity?.Value is { } text)
            {
                if (!CommunityText.TryEdit(text, out RouteEdit edit))
                {
                    reason = $"addCommunity \"{text}\": expected aa:nn or aa:nn:mm";
                    return false;
                }

                list.Add(edit);
            }
            else if (operation.PrependASPath?.Prefix is { Count: > 0 } path)
            {
                // The path shall begin with the list as written, and each edit puts one AS in front.
                list.AddRange(path.AsEnumerable().Reverse().Select(a => RouteEdit.PrependAs(a.Value)));
            }
            else if (operation.SetPriority?.Value is { } priority)
            {
                list.Add(RouteEdit.SetLocalPreference(PriorityBase - (uint)priority));
            }
            else
            {
                reason = "operations: expected addCommunity, prependASPath or setPriority";
                return false;
            }
        }

        edits = [.. list];
        return true;
    }
}
