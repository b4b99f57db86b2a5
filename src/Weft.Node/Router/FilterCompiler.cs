using System.Collections.Immutable;
using System.Globalization;
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

    private const int MaximumPriority = 2147483646;

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
            string name = $"BGPFilter {filter} {member}[{i}]";
            if (TryCompile(rule, family, out PolicyRule? compiled, out string reason))
            {
                rules.Add(compiled! with { Name = name });
                continue;
            }

            bool accepts = rule.Action == "Accept";
            problems.Add($"{name}: {reason}; {(accepts ? "the rule is left out" : "everything is rejected from here on")}");
            if (!accepts)
            {
                rules.Add(new PolicyRule { Name = $"{name} (not understood)", Prefixes = [PrefixMatch.Inside(family)], Verdict = PolicyVerdict.Reject });
            }
        }
    }

    private static bool TryCompile(BGPFilterRule rule, IpPrefix family, out PolicyRule? compiled, out string reason)
    {
        compiled = null;
        reason = rule.Action is not ("Accept" or "Reject") ? $"action \"{rule.Action}\": expected Accept or Reject"
            : rule.Source is { Length: > 0 } and not "RemotePeers" ? $"source \"{rule.Source}\": expected RemotePeers"
            : rule.PeerType is { Length: > 0 } and not ("eBGP" or "iBGP") ? $"peerType \"{rule.PeerType}\": expected eBGP or iBGP"
            : rule.Priority is not (null or (>= 1 and <= MaximumPriority)) ? $"priority {rule.Priority}: expected 1 to {MaximumPriority}"
            : string.Empty;
        ImmutableArray<RouteEdit> edits = [];
        ImmutableArray<PolicyCondition>.Builder conditions = ImmutableArray.CreateBuilder<PolicyCondition>();
        if (reason.Length > 0 || !TryPrefix(rule, family, out PrefixMatch prefix, out reason) || !TryCommunities(rule, conditions, out reason)
            || !TryInterface(rule, conditions, out reason) || !TryEdits(rule, out edits, out reason))
        {
            return false;
        }

        AddConditions(rule, conditions);
        compiled = new PolicyRule
        {
            Prefixes = [prefix],
            Conditions = conditions.ToImmutable(),
            Edits = rule.Action == "Accept" ? edits : [],
            Verdict = rule.Action == "Accept" ? PolicyVerdict.Accept : PolicyVerdict.Reject,
        };
        return true;
    }

    private static void AddConditions(BGPFilterRule rule, ImmutableArray<PolicyCondition>.Builder conditions)
    {
        if (rule.Source is { Length: > 0 })
        {
            conditions.Add(new PolicyCondition.Source(RouteSources.Bgp));
        }

        if (rule.PeerType is { Length: > 0 } type)
        {
            conditions.Add(new PolicyCondition.PeerType(type == "eBGP" ? PeerTypeMatch.External : PeerTypeMatch.Internal));
        }

        if (rule.Priority is { } priority)
        {
            conditions.Add(new PolicyCondition.Number(RouteNumber.LocalPreference, [NumberRange.Of(PriorityBase - (uint)priority)]));
        }

        // BIRD's path mask: a set in the path fits when it holds the AS, which is also what the automaton does.
        if (rule.AsPathPrefix is { Count: > 0 } path)
        {
            conditions.Add(new PolicyCondition.AsPath(AsPathPattern.Parse($"^{string.Join(' ', path.Select(a => a.Value.ToString(CultureInfo.InvariantCulture)))} .*$")));
        }
    }

    /// <summary>Without a CIDR: everything of the family the rule stands under.</summary>
    private static bool TryPrefix(BGPFilterRule rule, IpPrefix family, out PrefixMatch match, out string reason)
    {
        match = PrefixMatch.Inside(family);
        reason = string.Empty;
        if (string.IsNullOrEmpty(rule.Cidr))
        {
            reason = rule.MatchOperator is { Length: > 0 } ? "matchOperator: needs a cidr" : rule.PrefixLength is not null ? "prefixLength: needs a cidr" : string.Empty;
            return reason.Length == 0;
        }

        if (!IpPrefix.TryParse(rule.Cidr, out IpPrefix cidr) || cidr.Family != family.Family)
        {
            reason = $"cidr \"{rule.Cidr}\": expected an {family.Family} prefix";
            return false;
        }

        int bits = cidr.Address.BitLength;
        if (rule.PrefixLength is { } length && (length.Min is < 0 || length.Min > bits || length.Max is < 0 || length.Max > bits))
        {
            reason = $"prefixLength {length.Min}..{length.Max}: expected 0 to {bits}";
            return false;
        }

        bool ranged = rule.PrefixLength is { Min: not null } or { Max: not null };
        int low = Math.Max(cidr.Length, rule.PrefixLength?.Min ?? 0);
        int high = Math.Min(bits, rule.PrefixLength?.Max ?? bits);
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

    private static bool TryCommunities(BGPFilterRule rule, ImmutableArray<PolicyCondition>.Builder conditions, out string reason)
    {
        reason = string.Empty;
        switch (rule.Communities?.Values)
        {
            case null or []:
                return true;
            case [var text] when CommunityText.TryParse(text, out CommunityPattern community):
                conditions.Add(new PolicyCondition.Community([community]));
                return true;
            default:
                reason = "communities.values: expected exactly one, aa:nn or aa:nn:mm";
                return false;
        }
    }

    /// <summary>A link name, * for any characters. Routes that lead to no link (own blocks, what is not resolved) never match, as with BIRD's "defined(ifname)".</summary>
    private static bool TryInterface(BGPFilterRule rule, ImmutableArray<PolicyCondition>.Builder conditions, out string reason)
    {
        reason = string.Empty;
        if (string.IsNullOrEmpty(rule.Interface))
        {
            return true;
        }

        if (rule.Interface.Length > 15)
        {
            reason = $"interface \"{rule.Interface}\": expected at most 15 characters";
            return false;
        }

        conditions.Add(new PolicyCondition.Interface([rule.Interface]));
        return true;
    }

    private static bool TryEdits(BGPFilterRule rule, out ImmutableArray<RouteEdit> edits, out string reason)
    {
        List<RouteEdit> list = [];
        edits = [];
        reason = string.Empty;
        foreach (BGPFilterOperation operation in rule.Operations ?? [])
        {
            if (new object?[] { operation.AddCommunity, operation.PrependASPath, operation.SetPriority }.Count(o => o is not null) != 1)
            {
                reason = "operations: expected exactly one of addCommunity, prependASPath and setPriority in each";
            }
            else if (operation.AddCommunity is { } add)
            {
                bool ok = CommunityText.TryEdit(add.Value ?? string.Empty, out RouteEdit edit);
                reason = ok ? string.Empty : $"addCommunity \"{add.Value}\": expected aa:nn or aa:nn:mm";
                list.Add(edit);
            }
            else if (operation.PrependASPath is { } prepend)
            {
                // The path shall begin with the list as written, and each edit puts one AS in front.
                reason = prepend.Prefix is { Count: > 0 } ? string.Empty : "prependASPath: the list of ASes is empty";
                list.AddRange((prepend.Prefix ?? []).AsEnumerable().Reverse().Select(a => RouteEdit.PrependAs(a.Value)));
            }
            else
            {
                int priority = operation.SetPriority!.Value ?? 0;
                reason = priority is >= 1 and <= MaximumPriority ? string.Empty : $"setPriority {priority}: expected 1 to {MaximumPriority}";
                list.Add(RouteEdit.SetLocalPreference(PriorityBase - (uint)priority));
            }

            if (reason.Length > 0)
            {
                return false;
            }
        }

        edits = [.. list];
        return true;
    }
}
