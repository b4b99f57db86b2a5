using System.Collections.Immutable;
using System.Globalization;
using Weft.Bgp.Policies;
using Weft.Hosting.Configuration;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>What happens to a route that no rule of a filter decided.</summary>
internal enum FilterDefault : byte
{
    Reject,
    Accept,

    /// <summary>Export only: what a node of the cluster announces, nothing else.</summary>
    Pools,
}

/// <summary>
/// The [filter:NAME] and [prefix-list:NAME] sections, checked and joined: policies by name, ready for the neighbours that name them. Immutable; two readings of one
/// file are equal.
/// </summary>
internal sealed record FilterSettings(string Name, ImmutableArray<PolicyRule> Rules, FilterDefault Default)
{
    /// <summary>For the reference page.</summary>
    public const string Language = """
        A filter is a list of rules, run in the order of their numbers until one accepts or rejects. `continue` keeps the changes and goes on with the next rule, which
        sees them. A route that no rule decides gets `default`. Neighbours name a filter by `import = filter NAME` and `export = filter NAME`.

        ```ini
        [filter:transit-in]
        rule-10 = match rpki invalid then reject
        rule-20 = match prefix 10.0.0.0/8+ 192.168.0.0/16+ @bogons then reject
        rule-30 = match community 65000:666 then community add no-export, local-pref 50, continue
        rule-40 = match prefix 0.0.0.0/0{8,24}, as-path "^65001 .* 65099$" then local-pref 200, community add 65000:1 65000:1:7, accept
        rule-50 = match source bgp, not has-as 64512-65534 then accept
        default = reject

        [prefix-list:bogons]
        prefixes = 0.0.0.0/8+, 127.0.0.0/8+, 224.0.0.0/3+
        file     = /etc/weft/bogons.txt
        ```

        A rule is `match CONDITION, CONDITION ... then CHANGE, CHANGE ..., accept | reject | continue`; without `match ... then` it fits every route. All conditions
        must hold; several words in one condition are alternatives; `not` in front of a condition turns it around.

        | condition | holds when |
        |---|---|
        | `prefix 10.0.0.0/8 10.0.0.0/8+ 10.0.0.0/8{16,24} @LIST` | the prefix is this one; this one or inside it; inside it and 16 to 24 bits long; in a prefix list |
        | `community 65000:100 65000:* 65000:1:2 rt:65000:1 no-export` | the route carries one that fits: standard, large (three numbers) or extended (`rt:`, `soo:`, `ext:0x...`); `*` and `100-199` stand for many |
        | `as-path "^65001 [65010-65020]+ .* 65099$"` | the AS path fits: a regular expression whose letters are AS numbers. `.` is any AS, `[^65001]` any other, `( \| )` either, `* + ? {1,3}` repeat, `^` `$` begin and end |
        | `origin-as 65001 65010-65020`, `first-as ...`, `has-as ...` | the last, the first, any AS of the path is one of these |
        | `path-length <= 5`, `local-pref 100`, `med 10-20`, `weight > 0` | the number compares so |
        | `next-hop 10.0.0.1 10.1.0.0/16` | the next hop is in one of these |
        | `peer spine1 10.0.0.1 10.0.0.0/24` | the route was learnt from one of these neighbours |
        | `source bgp ebgp ibgp local static kernel` | it was learnt from a neighbour (external, internal), is our own (`[router] networks` and the cluster's, or taken from the kernel) |
        | `peer-type ebgp` or `ibgp` | the session it crosses is external or internal |
        | `interface eth0 cali*` | it leads out by such a link |
        | `family ipv4`, `origin igp egp incomplete`, `rpki valid`, `rpki invalid`, `rpki not-found` | as it says; RPKI needs `[router] rpki-file` |

        | change | does |
        |---|---|
        | `local-pref 200`, `weight 10`, `origin igp` | sets it; weight stays on this router and goes before local preference |
        | `med 10`, `med +5`, `med -5`, `med none` | sets, raises, lowers, removes the MED |
        | `community add 65000:1 ...`, `community delete 65000:* ...`, `community replace 65000:1 ...` | adds; removes what fits; removes all of the kinds named and adds these |
        | `next-hop 10.0.0.1`, `next-hop self` (export), `next-hop peer` (import) | sets the next hop |
        | `prepend 2`, `prepend as 65001 65001` | puts our own AS in front twice, or these ASes |
        """;

    private const string Section = "filter:*";
    private const string ListSection = "prefix-list:*";

    public static readonly Setting<FilterRule> RuleSetting = Setting.Custom<FilterRule>(
        Section, "rule-*", "", "match CONDITION, ... then CHANGE, ..., accept | reject | continue", FilterRuleParser.TryParse, "A rule; the number behind rule- gives its place.") with
    {
        Notes = Language,
    };

    public static readonly Setting<string> DefaultSetting = Setting.Choice(Section, "default", "reject", ["accept", "reject", "pools"],
        "What happens to a route that no rule decides. \"pools\" (export only): it leaves if a node of the cluster announces it.");

    public static readonly Setting<RouteFilterSetting> ListPrefixesSetting = Setting.Custom<RouteFilterSetting>(
        ListSection, "prefixes", "", "PREFIX[+ or {LOW,HIGH}], ...", TryParsePrefixes, "Prefixes of the list.");

    public static readonly Setting<string> ListFileSetting = Setting.Text(ListSection, "file", "",
        "File with more prefixes, one a line; # begins a remark. Read at start and on reload.", "path");

    public static readonly IReadOnlyList<ISetting> All = [RuleSetting, DefaultSetting, ListPrefixesSetting, ListFileSetting];

    public bool Equals(FilterSettings? other) => other is not null && Name == other.Name && Default == other.Default && Rules.SequenceEqual(other.Rules);

    public override int GetHashCode() => HashCode.Combine(Name, Default, Rules.Length);

    /// <summary>All filters by name. Problems are reported to the reader.</summary>
    public static ImmutableSortedDictionary<string, FilterSettings> ReadAll(SettingsReader reader)
    {
        Dictionary<string, ImmutableArray<PrefixMatch>> lists = reader.Instances("prefix-list").ToDictionary(name => name, name => ReadList(reader, name), StringComparer.OrdinalIgnoreCase);
        return reader.Instances("filter").ToImmutableSortedDictionary(name => name, name => Read(reader, name, lists), StringComparer.OrdinalIgnoreCase);
    }

    // One object for all neighbours and for as long as the settings stay: comparing it with itself is free, however long its prefix lists are.
    private readonly RoutePolicy _alone = new() { Rules = Rules, Default = Default == FilterDefault.Accept ? PolicyVerdict.Accept : PolicyVerdict.Reject };

    /// <summary>The policy as a neighbour runs it.</summary>
    /// <param name="pools">What a node of the cluster announces.</param>
    public RoutePolicy ToPolicy(RoutePolicy pools) => Default == FilterDefault.Pools ? new RoutePolicy { Rules = [.. Rules, .. pools.Rules], Default = pools.Default } : _alone;

    /// <summary>Reports what the filter cannot do in a direction.</summary>
    public static void Check(SettingsReader reader, Setting<RouteFilterSetting> setting, string neighbor, RouteFilterSetting value, IReadOnlyDictionary<string, FilterSettings> filters)
    {
        if (value.Kind != RouteFilterKind.Filter)
        {
            return;
        }

        if (!filters.TryGetValue(value.Filter, out FilterSettings? filter))
        {
            string known = filters.Count == 0 ? "there is no [filter:NAME] section" : $"there are {string.Join(", ", filters.Keys)}";
            reader.Report(setting, $"filter {value.Filter}: no section [filter:{value.Filter}]; {known}", neighbor);
            return;
        }

        bool import = setting.Key == "import";
        RouteEditKind wrong = import ? RouteEditKind.NextHopSelf : RouteEditKind.NextHopPeer;
        if (filter.Rules.FirstOrDefault(r => r.Edits.Any(e => e.Kind == wrong)) is { } rule)
        {
            reader.Report(setting, $"{rule.Name}: next-hop {(import ? "self works in export" : "peer works in import")} only", neighbor);
        }

        if (import && filter.Default == FilterDefault.Pools)
        {
            reader.Report(setting, $"filter {filter.Name}: default = pools works in export only", neighbor);
        }
    }

    private static FilterSettings Read(SettingsReader reader, string name, Dictionary<string, ImmutableArray<PrefixMatch>> lists)
    {
        SortedDictionary<uint, PolicyRule> rules = [];
        foreach (string key in reader.KeysOf(RuleSetting, name))
        {
            Setting<FilterRule> setting = RuleSetting with { Key = key };
            if (!uint.TryParse(key.AsSpan(key.IndexOf('-') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out uint number))
            {
                reader.Report(setting, "expected a number behind \"rule-\": it gives the rule its place", name);
            }
            else if (reader.Get(setting, name) is { } rule)
            {
                PolicyRule compiled = Join(reader, setting, name, rule, lists) with { Name = $"filter {name} {key}" };
                if (!rules.TryAdd(number, compiled))
                {
                    reader.Report(setting, $"{rules[number].Name} has the same number", name);
                }
            }
        }

        if (rules.Count == 0 && reader.KeysOf(RuleSetting, name).Count == 0 && !reader.IsSet(DefaultSetting, name))
        {
            reader.Report(RuleSetting with { Key = "rule-10" }, "missing; a filter needs rules, or a default", name);
        }

        FilterSettings filter = new(name, [.. rules.Values], reader.Get(DefaultSetting, name) switch { "accept" => FilterDefault.Accept, "pools" => FilterDefault.Pools, _ => FilterDefault.Reject });
        if (filter.ToPolicy(RoutePolicy.RejectAll).Problem() is { } problem)
        {
            reader.Report(RuleSetting, problem, name);
        }

        return filter;
    }

    private static PolicyRule Join(SettingsReader reader, Setting<FilterRule> setting, string name, FilterRule rule, Dictionary<string, ImmutableArray<PrefixMatch>> lists)
    {
        PolicyCondition[] conditions = [.. rule.Conditions];
        foreach ((int place, string list) in rule.Lists)
        {
            if (!lists.TryGetValue(list, out ImmutableArray<PrefixMatch> prefixes))
            {
                reader.Report(setting, $"@{list}: no section [prefix-list:{list}]", name);
            }
            else if (conditions[place] is PolicyCondition.Prefix condition)
            {
                conditions[place] = condition with { Matches = condition.Matches.AddRange(prefixes) };
            }
        }

        return new PolicyRule { Conditions = [.. conditions], Edits = rule.Edits, Verdict = rule.Verdict };
    }

    private static ImmutableArray<PrefixMatch> ReadList(SettingsReader reader, string name)
    {
        ImmutableArray<PrefixMatch>.Builder prefixes = ImmutableArray.CreateBuilder<PrefixMatch>();
        prefixes.AddRange(reader.Get(ListPrefixesSetting, name) is { } listed ? listed.Prefixes : []);
        string path = reader.Get(ListFileSetting, name);
        if (path.Length == 0)
        {
            if (!reader.IsSet(ListPrefixesSetting, name))
            {
                reader.Report(ListPrefixesSetting, "missing; a prefix list needs prefixes or a file", name);
            }

            return prefixes.ToImmutable();
        }

        try
        {
            int number = 0;
            foreach (string line in File.ReadLines(path))
            {
                number++;
                foreach (string item in RouteFilterSetting.Split(line.Split('#')[0]))
                {
                    if (!PrefixText.TryParse(item, out PrefixMatch match, out string why))
                    {
                        reader.Report(ListFileSetting, $"{path}: line {number}: \"{item}\": {why}", name);
                        return [];
                    }

                    prefixes.Add(match);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reader.Report(ListFileSetting, $"cannot be read: {e.Message}", name);
        }

        return prefixes.ToImmutable();
    }

    private static bool TryParsePrefixes(string text, out RouteFilterSetting value, out string reason)
    {
        bool ok = RouteFilterSetting.TryParse(text, out value, out reason);
        reason = ok ? "expected prefixes" : reason;
        return ok && value.Kind == RouteFilterKind.Prefixes;
    }
}
