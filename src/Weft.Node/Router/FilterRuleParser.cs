using System.Collections.Immutable;
using System.Globalization;
using Weft.Bgp;
using Weft.Bgp.Policies;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>One rule of a [filter:NAME] section: what follows "rule-10 =".</summary>
/// <param name="Lists">Prefix lists named with @, each with the place of its condition; they join when all sections have been read.</param>
internal sealed record FilterRule(
    ImmutableArray<PolicyCondition> Conditions, ImmutableArray<RouteEdit> Edits, PolicyVerdict Verdict, ImmutableArray<(int Condition, string Name)> Lists);

/// <summary>
/// Reads a rule by hand, so that every mistake is named with its place.
/// <code>
///   [match CONDITION, CONDITION, ... then] CHANGE, CHANGE, ..., accept | reject | continue
///   match prefix 10.0.0.0/8{16,24}, community 65000:100, as-path "^65001 .*" then local-pref 200, prepend 2, accept
/// </code>
/// Words within a condition are alternatives and stand apart by blanks; conditions stand apart by commas and must all hold; "not" turns one around. The whole
/// language is in <see cref="FilterSettings.Language"/>, which the reference page prints.
/// </summary>
internal ref struct FilterRuleParser
{
    private static readonly string[] s_conditions =
    [
        "prefix", "community", "as-path", "origin-as", "first-as", "has-as", "path-length", "local-pref", "med", "weight", "next-hop", "peer", "source", "peer-type",
        "interface", "family", "rpki", "origin",
    ];

    private static readonly string[] s_changes = ["local-pref", "med", "weight", "origin", "next-hop", "community", "prepend", "accept", "reject", "continue"];

    private readonly RuleWords _words;
    private readonly List<(int Condition, string Name)> _lists;
    private int _condition;

    private FilterRuleParser(string text)
    {
        _words = new RuleWords(text);
        _lists = [];
        _condition = 0;
    }

    public static bool TryParse(string text, out FilterRule rule, out string reason)
    {
        FilterRuleParser parser = new(text);
        rule = parser.Parse();
        reason = parser._words.Problem;
        return reason.Length == 0;
    }

    private FilterRule Parse()
    {
        ImmutableArray<PolicyCondition>.Builder conditions = ImmutableArray.CreateBuilder<PolicyCondition>();
        List<RouteEdit> edits = [];
        PolicyVerdict? verdict = null;
        if (_words.Peek() == "match")
        {
            _words.Next++;
            do
            {
                if (Condition() is { } condition)
                {
                    conditions.Add(condition);
                    _condition++;
                }
            }
            while (_words.IsGood && _words.Take(","));
            if (_words.IsGood && !_words.Take("then"))
            {
                _words.Fail("expected a comma, or \"then\" and what to do");
            }
        }

        while (_words.IsGood && verdict is null)
        {
            verdict = Change(edits);
            if (verdict is null && !_words.Take(","))
            {
                _words.Fail(!_words.IsAtEnd ? "expected a comma" : "the rule must end with accept, reject or continue");
            }
        }

        if (!_words.IsAtEnd)
        {
            _words.Fail("nothing may follow accept, reject or continue");
        }

        if (verdict == PolicyVerdict.Reject && edits.Count > 0)
        {
            _words.Fail("a route that is rejected cannot be changed");
        }

        return new FilterRule(conditions.ToImmutable(), [.. edits], verdict ?? PolicyVerdict.Reject, [.. _lists]);
    }

    private PolicyCondition? Condition()
    {
        bool negated = _words.Peek() == "not";
        _words.Next += negated ? 1 : 0;
        int start = _words.Next;
        string name = _words.Word("a condition");
        PolicyCondition? condition = name switch
        {
            "prefix" => Prefixes(),
            "community" => Communities() is { Count: > 0 } patterns ? new PolicyCondition.Community([.. patterns]) : null,
            "as-path" => AsPath(),
            "origin-as" => Numbers(RouteNumber.OriginAs, isAs: true),
            "first-as" => Numbers(RouteNumber.FirstAs, isAs: true),
            "has-as" => Numbers(RouteNumber.AnyAs, isAs: true),
            "path-length" => Numbers(RouteNumber.PathLength, isAs: false),
            "local-pref" => Numbers(RouteNumber.LocalPreference, isAs: false),
            "med" => Numbers(RouteNumber.Med, isAs: false),
            "weight" => Numbers(RouteNumber.Weight, isAs: false),
            "next-hop" => NextHops(),
            "peer" => Peers(),
            "source" => Sources(),
            "peer-type" => Choice("ebgp or ibgp", word => word switch { "ebgp" => new PolicyCondition.PeerType(PeerTypeMatch.External), "ibgp" => new PolicyCondition.PeerType(PeerTypeMatch.Internal), _ => null }),
            "interface" => _words.Rest("a link name, with * for any characters") is { Count: > 0 } links ? new PolicyCondition.Interface([.. links.Select(l => l.Text)]) : null,
            "family" => Choice("ipv4 or ipv6", word => word switch { "ipv4" => new PolicyCondition.Family(IpFamily.IPv4), "ipv6" => new PolicyCondition.Family(IpFamily.IPv6), _ => null }),
            "rpki" => Choice("valid, invalid or not-found", word => word switch
            {
                "valid" => new PolicyCondition.Rpki(RpkiState.Valid),
                "invalid" => new PolicyCondition.Rpki(RpkiState.Invalid),
                "not-found" => new PolicyCondition.Rpki(RpkiState.NotFound),
                _ => null,
            }),
            "origin" => Origin() is { } origin ? new PolicyCondition.Origin(origin) : null,
            _ => null,
        };
        if (_words.IsGood && condition is null)
        {
            _words.Next = start;
            _words.Fail($"expected a condition: {string.Join(", ", s_conditions)}");
        }

        return condition is null ? null : condition with { Negated = negated };
    }

    private PolicyVerdict? Change(List<RouteEdit> edits)
    {
        int start = _words.Next;
        switch (_words.Word("a change, or accept, reject or continue"))
        {
            case "accept":
                return PolicyVerdict.Accept;
            case "reject":
                return PolicyVerdict.Reject;
            case "continue":
                return PolicyVerdict.Continue;
            case "local-pref":
                edits.Add(RouteEdit.SetLocalPreference(_words.Number("a number", 0, uint.MaxValue)));
                break;
            case "weight":
                edits.Add(RouteEdit.SetWeight(_words.Number("a number", 0, uint.MaxValue)));
                break;
            case "med":
                edits.Add(Med());
                break;
            case "origin":
                edits.Add(RouteEdit.SetOrigin(Origin() ?? RouteOrigin.Igp));
                break;
            case "next-hop":
                edits.Add(NextHop());
                break;
            case "community":
                ChangeCommunities(edits);
                break;
            case "prepend":
                Prepend(edits);
                break;
            default:
                _words.Next = start;
                _words.Fail(Array.IndexOf(s_conditions, _words.Peek()) >= 0 ? "a condition needs \"match\" in front" : $"expected one of: {string.Join(", ", s_changes)}");
                break;
        }

        return null;
    }

    private PolicyCondition? Prefixes()
    {
        List<PrefixMatch> matches = [];
        foreach ((string text, int at, _) in _words.Rest("a prefix, or @LIST"))
        {
            if (text.StartsWith('@'))
            {
                _lists.Add((_condition, text[1..]));
                continue;
            }

            if (!PrefixText.TryParse(text, out PrefixMatch match, out string why))
            {
                _words.Fail($"\"{text}\": {why}", at);
                return null;
            }

            matches.Add(match);
        }

        return new PolicyCondition.Prefix([.. matches]);
    }

    private List<CommunityPattern> Communities()
    {
        List<CommunityPattern> patterns = [];
        foreach ((string text, int at, _) in _words.Rest("a community"))
        {
            if (!CommunityPattern.TryParse(text, out CommunityPattern pattern))
            {
                _words.Fail($"\"{text}\": expected a community: {CommunityPattern.Form}", at);
                return [];
            }

            patterns.Add(pattern);
        }

        return patterns;
    }

    private PolicyCondition? AsPath()
    {
        if (_words.IsAtEnd || !_words.Current.Quoted)
        {
            _words.Fail("expected a pattern in quotes, such as \"^65001 .* 65099$\"");
            return null;
        }

        (string text, int at, _) = _words.Current;
        _words.Next++;
        if (!AsPathPattern.TryParse(text, out AsPathPattern? pattern, out string why))
        {
            _words.Fail($"\"{text}\": {why}", at);
            return null;
        }

        return new PolicyCondition.AsPath(pattern);
    }

    /// <summary>"200", "100-199 300", or a comparison: "&gt;= 200".</summary>
    private PolicyCondition? Numbers(RouteNumber of, bool isAs)
    {
        string expected = isAs ? "an AS number or a range such as 65001-65010" : "a number, a range such as 100-199, or a comparison such as >= 200";
        string comparison = _words.Peek();
        int sign = comparison.AsSpan().IndexOfAnyExcept("<>=");
        string symbol = sign < 0 ? comparison : comparison[..sign];
        if (!isAs && symbol.Length > 0)
        {
            int at = _words.Current.At;
            uint number = 0;
            bool ok = sign < 0;
            if (ok)
            {
                _words.Next++;
                number = _words.Number("a number", 0, uint.MaxValue);
            }
            else
            {
                ok = uint.TryParse(comparison.AsSpan(sign), NumberStyles.None, CultureInfo.InvariantCulture, out number);
                _words.Next++;
            }

            NumberRange? range = symbol switch
            {
                ">=" => new NumberRange(number, uint.MaxValue),
                "<=" => new NumberRange(0, number),
                ">" when number < uint.MaxValue => new NumberRange(number + 1, uint.MaxValue),
                "<" when number > 0 => new NumberRange(0, number - 1),
                "=" or "==" => NumberRange.Of(number),
                _ => null,
            };
            if (!ok || range is null)
            {
                _words.Fail($"\"{comparison}\": expected {expected}", at);
                return null;
            }

            return new PolicyCondition.Number(of, [range.Value]);
        }

        List<NumberRange> ranges = [];
        foreach ((string text, int at, _) in _words.Rest(expected))
        {
            string[] ends = text.Split('-');
            if (ends.Length > 2 || !TryNumber(ends[0], isAs, out uint low) || !TryNumber(ends[^1], isAs, out uint high) || high < low)
            {
                _words.Fail($"\"{text}\": expected {expected}", at);
                return null;
            }

            ranges.Add(new NumberRange(low, high));
        }

        return new PolicyCondition.Number(of, [.. ranges]);
    }

    private static bool TryNumber(string text, bool isAs, out uint number)
    {
        if (isAs && Weft.Model.Resources.AsNumber.TryParse(text, out Weft.Model.Resources.AsNumber parsed))
        {
            number = parsed.Value;
            return true;
        }

        return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    private PolicyCondition? NextHops()
    {
        List<IpPrefix> prefixes = [];
        foreach ((string text, int at, _) in _words.Rest("an address or a prefix"))
        {
            if (!IpPrefix.TryParseNet(text, out IpPrefix prefix))
            {
                _words.Fail($"\"{text}\": expected an address or a prefix", at);
                return null;
            }

            prefixes.Add(prefix);
        }

        return new PolicyCondition.NextHop([.. prefixes]);
    }

    private PolicyCondition Peers()
    {
        List<string> names = [];
        List<IpPrefix> addresses = [];
        foreach ((string text, _, _) in _words.Rest("the name or the address of a neighbour"))
        {
            if (IpPrefix.TryParseNet(text, out IpPrefix address))
            {
                addresses.Add(address);
            }
            else
            {
                names.Add(text);
            }
        }

        return new PolicyCondition.Peer([.. names], [.. addresses]);
    }

    private PolicyCondition? Sources()
    {
        RouteSources sources = RouteSources.None;
        foreach ((string text, int at, _) in _words.Rest("bgp, ebgp, ibgp, local, static or kernel"))
        {
            RouteSources source = text switch
            {
                "bgp" => RouteSources.Bgp,
                "ebgp" => RouteSources.External,
                "ibgp" => RouteSources.Internal,
                "local" => RouteSources.Local,
                "static" => RouteSources.Static,
                "kernel" => RouteSources.Kernel,
                _ => RouteSources.None,
            };
            if (source == RouteSources.None)
            {
                _words.Fail($"\"{text}\": expected bgp, ebgp, ibgp, local, static or kernel", at);
                return null;
            }

            sources |= source;
        }

        return new PolicyCondition.Source(sources);
    }

    private PolicyCondition? Choice(string expected, Func<string, PolicyCondition?> choose)
    {
        int at = _words.Next;
        PolicyCondition? condition = choose(_words.Word(expected));
        if (condition is null)
        {
            _words.Next = at;
            _words.Fail($"expected {expected}");
        }

        return condition;
    }

    private RouteOrigin? Origin()
    {
        int at = _words.Next;
        RouteOrigin? origin = _words.Word("igp, egp or incomplete") switch { "igp" => RouteOrigin.Igp, "egp" => RouteOrigin.Egp, "incomplete" => RouteOrigin.Incomplete, _ => null };
        if (origin is null)
        {
            _words.Next = at;
            _words.Fail("expected igp, egp or incomplete");
        }

        return origin;
    }

    private RouteEdit Med()
    {
        string text = _words.Peek();
        if (text == "none")
        {
            _words.Next++;
            return RouteEdit.ClearMed();
        }

        uint number = _words.Number("a number, +number, -number or none", 0, uint.MaxValue, signed: true);
        return text.StartsWith('+') ? RouteEdit.AddMed(number) : text.StartsWith('-') ? RouteEdit.SubtractMed(number) : RouteEdit.SetMed(number);
    }

    private RouteEdit NextHop()
    {
        int at = _words.Next;
        string text = _words.Word("an address, self or peer");
        if (text == "self")
        {
            return RouteEdit.NextHopSelf();
        }

        if (text == "peer")
        {
            return RouteEdit.NextHopPeer();
        }

        if (!IpAddress.TryParse(text, out IpAddress address) || address.IsUnspecified || address.IsMulticast)
        {
            _words.Next = at;
            _words.Fail("expected an address, self or peer");
        }

        return RouteEdit.SetNextHop(address);
    }

    private void ChangeCommunities(List<RouteEdit> edits)
    {
        int at = _words.Next;
        string verb = _words.Word("add, delete or replace");
        if (verb is not ("add" or "delete" or "replace"))
        {
            _words.Next = at;
            _words.Fail("expected add, delete or replace");
            return;
        }

        at = _words.Next;
        List<CommunityPattern> patterns = Communities();
        if (verb != "delete" && patterns.FindIndex(p => !p.IsExact) is >= 0 and int vague)
        {
            _words.Fail($"\"{patterns[vague]}\" stands for many communities; {verb} needs single ones", _words[at + vague].At);
        }

        if (verb == "replace")
        {
            edits.AddRange(patterns.Select(p => p.Kind).Distinct().Select(k => RouteEdit.Remove(CommunityPattern.All(k))));
        }

        edits.AddRange(patterns.Select(p => verb == "delete" ? RouteEdit.Remove(p) : RouteEdit.Add(p)));
    }

    private void Prepend(List<RouteEdit> edits)
    {
        if (_words.Peek() != "as")
        {
            edits.Add(RouteEdit.PrependOwnAs((int)_words.Number("how often our own AS is put in front, or \"as\" and a list of ASes", 1, RouteEdit.MaximumPrepends)));
            return;
        }

        _words.Next++;
        List<uint> path = [];
        foreach ((string text, int at, _) in _words.Rest("an AS number"))
        {
            if (!TryNumber(text, isAs: true, out uint number) || number is 0 or uint.MaxValue)
            {
                _words.Fail($"\"{text}\": expected an AS number", at);
                return;
            }

            path.Add(number);
        }

        if (path.Count > RouteEdit.MaximumPrepends)
        {
            _words.Fail($"more than {RouteEdit.MaximumPrepends} ASes");
        }

        // The path shall begin with the list as written, and each edit puts one AS in front.
        edits.AddRange(path.AsEnumerable().Reverse().Select(RouteEdit.PrependAs));
    }
}
