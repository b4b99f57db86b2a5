using System.Collections.Immutable;
using System.Globalization;
using Weft.Bgp.Policies;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>What a filter setting says before it names prefixes.</summary>
internal enum RouteFilterKind : byte
{
    All,
    None,

    /// <summary>What a node of the cluster announces: own networks, own blocks, exportable pools.</summary>
    Pools,

    /// <summary>Only the prefixes listed.</summary>
    Prefixes,
}

/// <summary>
/// The value of <c>import</c> and <c>export</c>:
/// <code>
///   all | none | pools | ITEM, ITEM ...
///   ITEM = 10.0.0.0/8          exactly this prefix
///          10.0.0.0/8+         this prefix and everything inside it
///          10.0.0.0/8{16,24}   everything inside it that is 16 to 24 bits long
/// </code>
/// Every word that is not a prefix is a keyword, so later ones can be added without changing what a file means today.
/// </summary>
internal sealed class RouteFilterSetting
{
    public const string Form = "all | none | pools | PREFIX[+ or {LOW,HIGH}], ...";

    public static readonly RouteFilterSetting All = new(RouteFilterKind.All, []);

    public static readonly RouteFilterSetting None = new(RouteFilterKind.None, []);

    public static readonly RouteFilterSetting Pools = new(RouteFilterKind.Pools, []);

    private RouteFilterSetting(RouteFilterKind kind, ImmutableArray<PrefixMatch> prefixes) => (Kind, Prefixes) = (kind, prefixes);

    public RouteFilterKind Kind { get; }

    public ImmutableArray<PrefixMatch> Prefixes { get; }

    public static bool TryParse(string text, out RouteFilterSetting value, out string reason)
    {
        value = All;
        reason = string.Empty;
        switch (text.ToLowerInvariant())
        {
            case "all":
                return true;
            case "none":
                value = None;
                return true;
            case "pools":
                value = Pools;
                return true;
        }

        ImmutableArray<PrefixMatch>.Builder prefixes = ImmutableArray.CreateBuilder<PrefixMatch>();
        foreach (string item in Split(text))
        {
            if (!TryParseItem(item, out PrefixMatch match, out string why))
            {
                reason = $"\"{item}\": {why}";
                return false;
            }

            prefixes.Add(match);
        }

        value = new RouteFilterSetting(RouteFilterKind.Prefixes, prefixes.ToImmutable());
        reason = $"expected {Form}";
        return prefixes.Count > 0;
    }

    /// <summary>At commas and blanks outside of braces.</summary>
    private static IEnumerable<string> Split(string text)
    {
        int start = 0;
        bool inBraces = false;
        for (int i = 0; i <= text.Length; i++)
        {
            char c = i < text.Length ? text[i] : ',';
            inBraces = c == '{' || (inBraces && c != '}');
            if ((c == ',' || char.IsWhiteSpace(c)) && (!inBraces || i == text.Length))
            {
                if (i > start)
                {
                    yield return text[start..i];
                }

                start = i + 1;
            }
        }
    }

    private static bool TryParseItem(string item, out PrefixMatch match, out string reason)
    {
        match = default;
        int suffix = item.AsSpan().IndexOfAny('+', '{');
        ReadOnlySpan<char> net = suffix < 0 ? item : item.AsSpan(0, suffix);
        if (!InterfaceAddress.TryParse(net, out InterfaceAddress parsed) || parsed.Prefix.Address != parsed.Address)
        {
            reason = net.Contains('/') ? "expected a prefix without host bits, such as 10.0.0.0/8" : $"neither a keyword nor a prefix; expected {Form}";
            return false;
        }

        (IpPrefix prefix, int low, int high) = (parsed.Prefix, parsed.Length, parsed.Length);
        reason = $"after the prefix: expected nothing, + or {{LOW,HIGH}} with {low} <= LOW <= HIGH <= {prefix.Address.BitLength}";
        ReadOnlySpan<char> range = suffix < 0 ? [] : item.AsSpan(suffix);
        if (range is "+")
        {
            high = prefix.Address.BitLength;
        }
        else if (range.Length > 0)
        {
            int comma = range.IndexOf(',');
            if (range[^1] != '}' || comma < 0
                || !int.TryParse(range[1..comma].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out low)
                || !int.TryParse(range[(comma + 1)..^1].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out high)
                || low < prefix.Length || high < low || high > prefix.Address.BitLength)
            {
                return false;
            }
        }

        match = new PrefixMatch(prefix, low, high);
        return true;
    }
}
