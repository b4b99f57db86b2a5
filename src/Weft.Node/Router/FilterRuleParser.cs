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

    private readonly string _text;
    private readonly List<(string Text, int At, bool Quoted)> _words;
    private readonly List<(int Condition, string Name)> _lists;
    private int _next;
    private int _condition;
    private string _problem;

    private FilterRuleParser(string text)
    {
        _text = text;
        _words = [];
        _lists = [];
        (_next, _condition) = (0, 0);
        _problem = string.Empty;
    }

    public static bool TryParse(string text, out FilterRule rule, out string reason)
    {
        FilterRuleParser parser = new(text);
        rule = parser.Parse();
        reason = parser._problem;
        return reason.Length == 0;
    }

    private FilterRule Parse()
    {
        ImmutableArray<PolicyCondition>.Builder conditions = ImmutableArray.CreateBuilder<PolicyCondition>();
        List<RouteEdit> edits = [];
        PolicyVerdict? verdict = null;
        Split();
        if (Peek() == "match")
        {
            _next++;
            do
            {
                if (Condition() is { } condition)
                {
                    conditions.Add(condition);
                    _condition++;
                }
            }
            while (_problem.Length == 0 && Take(","));
            if (_problem.Length == 0 && !Take("then"))
            {
                Fail("expected a comma, or \"then\" and what to do");
            }
        }

        while (_problem.Length == 0 && verdict is null)
        {
            verdict = Change(edits);
            if (verdict is null && !Take(","))
            {
                Fail(_next < _words.Count ? "expected a comma" : "the rule must end with accept, reject or continue");
            }
        }

        if (_next < _words.Count)
        {
            Fail("nothing may follow accept, reject or continue");
        }

        if (verdict == PolicyVerdict.Reject && edits.Count > 0)
        {
            Fail("a route that is rejected cannot be changed");
        }

        return new FilterRule(conditions.ToImmutable(), [.. edits], verdict ?? PolicyVerdict.Reject, [.. _lists]);
    }

    /// <summary>Words, commas and quoted texts; braces and brackets keep theirs together.</summary>
    private void Split()
    {
        int at = 0;
        while (at < _text.Length)
        {
            char c = _text[at];
            if (char.IsWhiteSpace(c))
            {
                at++;
            }
            else if (c == ',')
            {
                _words.Add((",", at++, false));
            }
            else if (c is '"' or '\'')
            {
                int end = _text.IndexOf(c, at + 1);
                if (end < 0)
                {
                    _next = _words.Count;
                    _words.Add((_text[at..], at, true));
                    Fail("the quotation is never closed");
                    return;
                }

                _words.Add((_text[(at + 1)..end], at, true));
                at = end + 1;
            }
            else
            {
                int start = at;
                bool inBraces = false;
                while (at < _text.Length && (inBraces || (!char.IsWhiteSpace(_text[at]) && _text[at] != ',')))
                {
                    inBraces = _text[at] == '{' || (inBraces && _text[at] != '}');
                    at++;
                }

                _words.Add((_text[start..at], start, false));
            }
        }
    }

    private PolicyCondition? Condition()
    {
        bool negated = Peek() == "not";
        _next += negated ? 1 : 0;
        int start = _next;
        string name = Word("a condition");
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
            "interface" => Rest("a link name, with * for any characters") is { Count: > 0 } links ? new PolicyCondition.Interface([.. links.Select(l => l.Text)]) : null,
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
        if (_problem.Length == 0 && condition is null)
        {
            _next = start;
            Fail($"expected a condition: {string.Join(", ", s_conditions)}");
        }

        return condition is null ? null : condition with { Negated = negated };
    }

    private PolicyVerdict? Change(List<RouteEdit> edits)
    {
        int start = _next;
        switch (Word("a change, or accept, reject or continue"))
        {
            case "accept":
                return PolicyVerdict.Accept;
            case "reject":
                return PolicyVerdict.Reject;
            case "continue":
                return PolicyVerdict.Continue;
            case "local-pref":
                edits.Add(RouteEdit.SetLocalPreference(Number("a number", 0, uint.MaxValue)));
                break;
            case "weight":
                edits.Add(RouteEdit.SetWeight(Number("a number", 0, uint.MaxValue)));
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
                _next = start;
                Fail(Array.IndexOf(s_conditions, Peek()) >= 0 ? "a condition needs \"match\" in front" : $"expected one of: {string.Join(", ", s_changes)}");
                break;
        }

        return null;
    }

    private PolicyCondition? Prefixes()
    {
        List<PrefixMatch> matches = [];
        foreach ((string text, int at, _) in Rest("a prefix, or @LIST"))
        {
            if (text.StartsWith('@'))
            {
                _lists.Add((_condition, text[1..]));
                continue;
            }

            if (!PrefixText.TryParse(text, out PrefixMatch match, out string why))
            {
                Fail($"\"{text}\": {why}", at);
                return null;
            }

            matches.Add(match);
        }

        return new PolicyCondition.Prefix([.. matches]);
    }

    private List<CommunityPattern> Communities()
    {
        List<CommunityPattern> patterns = [];
        foreach ((string text, int at, _) in Rest("a community"))
        {
            if (!CommunityPattern.TryParse(text, out CommunityPattern pattern))
            {
                Fail($"\"{text}\": expected a community: {CommunityPattern.Form}", at);
                return [];
            }

            patterns.Add(pattern);
        }

        return patterns;
    }

    private PolicyCondition? AsPath()
    {
        if (_next >= _words.Count || !_words[_next].Quoted)
        {
            Fail("expected a pattern in quotes, such as \"^65001 .* 65099$\"");
            return null;
        }

        (string text, int at, _) = _words[_next++];
        if (!AsPathPattern.TryParse(text, out AsPathPattern? pattern, out string why))
        {
            Fail($"\"{text}\": {why}", at);
            return null;
        }

        return new PolicyCondition.AsPath(pattern);
    }

    /// <summary>"200", "100-199 300", or a comparison: "&gt;= 200".</summary>
    private PolicyCondition? Numbers(RouteNumber of, bool isAs)
    {
        string expected = isAs ? "an AS number or a range such as 65001-65010" : "a number, a range such as 100-199, or a comparison such as >= 200";
        string comparison = Peek();
        int sign = comparison.AsSpan().IndexOfAnyExcept("<>=");
        string symbol = sign < 0 ? comparison : comparison[..sign];
        if (!isAs && symbol.Length > 0)
        {
            int at = _words[_next].At;
            uint number = 0;
            bool ok = sign < 0;
            if (ok)
            {
                _next++;
                number = Number("a number", 0, uint.MaxValue);
            }
            else
            {
                ok = uint.TryParse(comparison.AsSpan(sign), NumberStyles.None, CultureInfo.InvariantCulture, out number);
                _next++;
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
                Fail($"\"{comparison}\": expected {expected}", at);
                return null;
            }

            return new PolicyCondition.Number(of, [range.Value]);
        }

        List<NumberRange> ranges = [];
        foreach ((string text, int at, _) in Rest(expected))
        {
            string[] ends = text.Split('-');
            if (ends.Length > 2 || !TryNumber(ends[0], isAs, out uint low) || !TryNumber(ends[^1], isAs, out uint high) || high < low)
            {
                Fail($"\"{text}\": expected {expected}", at);
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
        foreach ((string text, int at, _) in Rest("an address or a prefix"))
        {
            if (!IpPrefix.TryParseNet(text, out IpPrefix prefix))
            {
                Fail($"\"{text}\": expected an address or a prefix", at);
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
        foreach ((string text, _, _) in Rest("the name or the address of a neighbour"))
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
        foreach ((string text, int at, _) in Rest("bgp, ebgp, ibgp, local, static or kernel"))
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
                Fail($"\"{text}\": expected bgp, ebgp, ibgp, local, static or kernel", at);
                return null;
            }

            sources |= source;
        }

        return new PolicyCondition.Source(sources);
    }

    private PolicyCondition? Choice(string expected, Func<string, PolicyCondition?> choose)
    {
        int at = _next;
        PolicyCondition? condition = choose(Word(expected));
        if (condition is null)
        {
            _next = at;
            Fail($"expected {expected}");
        }

        return condition;
    }

    private RouteOrigin? Origin()
    {
        int at = _next;
        RouteOrigin? origin = Word("igp, egp or incomplete") switch { "igp" => RouteOrigin.Igp, "egp" => RouteOrigin.Egp, "incomplete" => RouteOrigin.Incomplete, _ => null };
        if (origin is null)
        {
            _next = at;
            Fail("expected igp, egp or incomplete");
        }

        return origin;
    }

    private RouteEdit Med()
    {
        string text = Peek();
        if (text == "none")
        {
            _next++;
            return RouteEdit.ClearMed();
        }

        uint number = Number("a number, +number, -number or none", 0, uint.MaxValue, signed: true);
        return text.StartsWith('+') ? RouteEdit.AddMed(number) : text.StartsWith('-') ? RouteEdit.SubtractMed(number) : RouteEdit.SetMed(number);
    }

    private RouteEdit NextHop()
    {
        int at = _next;
        string text = Word("an address, self or peer");
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
            _next = at;
            Fail("expected an address, self or peer");
        }

        return RouteEdit.SetNextHop(address);
    }

    private void ChangeCommunities(List<RouteEdit> edits)
    {
        int at = _next;
        string verb = Word("add, delete or replace");
        if (verb is not ("add" or "delete" or "replace"))
        {
            _next = at;
            Fail("expected add, delete or replace");
            return;
        }

        at = _next;
        List<CommunityPattern> patterns = Communities();
        if (verb != "delete" && patterns.FindIndex(p => !p.IsExact) is >= 0 and int vague)
        {
            Fail($"\"{patterns[vague]}\" stands for many communities; {verb} needs single ones", _words[at + vague].At);
        }

        if (verb == "replace")
        {
            edits.AddRange(patterns.Select(p => p.Kind).Distinct().Select(k => RouteEdit.Remove(CommunityPattern.All(k))));
        }

        edits.AddRange(patterns.Select(p => verb == "delete" ? RouteEdit.Remove(p) : RouteEdit.Add(p)));
    }

    private void Prepend(List<RouteEdit> edits)
    {
        if (Peek() != "as")
        {
            edits.Add(RouteEdit.PrependOwnAs((int)Number("how often our own AS is put in front, or \"as\" and a list of ASes", 1, RouteEdit.MaximumPrepends)));
            return;
        }

        _next++;
        List<uint> path = [];
        foreach ((string text, int at, _) in Rest("an AS number"))
        {
            if (!TryNumber(text, isAs: true, out uint number) || number is 0 or uint.MaxValue)
            {
                Fail($"\"{text}\": expected an AS number", at);
                return;
            }

            path.Add(number);
        }

        if (path.Count > RouteEdit.MaximumPrepends)
        {
            Fail($"more than {RouteEdit.MaximumPrepends} ASes");
        }

        // The path shall begin with the list as written, and each edit puts one AS in front.
        edits.AddRange(path.AsEnumerable().Reverse().Select(RouteEdit.PrependAs));
    }

    private uint Number(string expected, uint minimum, uint maximum, bool signed = false)
    {
        int at = _next;
        string text = Word(expected);
        ReadOnlySpan<char> digits = signed ? text.AsSpan().TrimStart("+-") : text;
        if (!uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) || number < minimum || number > maximum)
        {
            _next = at;
            Fail(maximum == uint.MaxValue ? $"expected {expected}" : $"expected {expected}, from {minimum} to {maximum}");
        }

        return number;
    }

    /// <summary>The words up to the next comma or "then"; at least one.</summary>
    private List<(string Text, int At, bool Quoted)> Rest(string expected)
    {
        List<(string Text, int At, bool Quoted)> words = [];
        while (_next < _words.Count && (_words[_next].Quoted || _words[_next].Text is not ("," or "then")))
        {
            words.Add(_words[_next++]);
        }

        if (words.Count == 0)
        {
            Fail($"expected {expected}");
        }

        return words;
    }

    private string Word(string expected)
    {
        if (_next >= _words.Count || Peek() is "," or "then")
        {
            Fail($"expected {expected}");
            return string.Empty;
        }

        return _words[_next++].Text.ToLowerInvariant();
    }

    private readonly string Peek() => _next < _words.Count && !_words[_next].Quoted ? _words[_next].Text : string.Empty;

    private bool Take(string word)
    {
        bool found = Peek() == word;
        _next += found ? 1 : 0;
        return found;
    }

    private void Fail(string problem) => Fail(problem, _next < _words.Count ? _words[_next].At : _text.Length);

    /// <summary>The first problem counts: it is where the reader went wrong.</summary>
    private void Fail(string problem, int at) => _problem = _problem.Length > 0 ? _problem : $"at character {at + 1}: {problem}";
}
