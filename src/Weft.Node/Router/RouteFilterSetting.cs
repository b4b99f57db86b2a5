using System.Collections.Immutable;
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

    /// <summary>What a [filter:NAME] section says.</summary>
    Filter,
}

/// <summary>
/// The value of <c>import</c> and <c>export</c>:
/// <code>
///   all | none | pools | filter NAME | ITEM, ITEM ...
///   ITEM = 10.0.0.0/8          exactly this prefix
///          10.0.0.0/8+         this prefix and everything inside it
///          10.0.0.0/8{16,24}   everything inside it that is 16 to 24 bits long
/// </code>
/// Every word that is not a prefix is a keyword, so later ones can be added without changing what a file means today.
/// </summary>
internal sealed class RouteFilterSetting
{
    public const string Form = "all | none | pools | filter NAME | PREFIX[+ or {LOW,HIGH}], ...";

    public static readonly RouteFilterSetting All = new(RouteFilterKind.All, []);

    public static readonly RouteFilterSetting None = new(RouteFilterKind.None, []);

    public static readonly RouteFilterSetting Pools = new(RouteFilterKind.Pools, []);

    private RouteFilterSetting(RouteFilterKind kind, ImmutableArray<PrefixMatch> prefixes, string filter = "") => (Kind, Prefixes, Filter) = (kind, prefixes, filter);

    public RouteFilterKind Kind { get; }

    public ImmutableArray<PrefixMatch> Prefixes { get; }

    /// <summary>Name of the section; empty unless <see cref="RouteFilterKind.Filter"/>.</summary>
    public string Filter { get; }

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

        if (text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [var word, .. var names] && word.Equals("filter", StringComparison.OrdinalIgnoreCase))
        {
            value = new RouteFilterSetting(RouteFilterKind.Filter, [], names.Length == 1 ? names[0] : string.Empty);
            reason = "expected \"filter NAME\", the name of one [filter:NAME] section";
            return names.Length == 1;
        }

        ImmutableArray<PrefixMatch>.Builder prefixes = ImmutableArray.CreateBuilder<PrefixMatch>();
        foreach (string item in Split(text))
        {
            if (!PrefixText.TryParse(item, out PrefixMatch match, out string why))
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
    internal static IEnumerable<string> Split(string text)
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
}
