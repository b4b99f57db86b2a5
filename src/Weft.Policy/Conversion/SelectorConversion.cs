using Weft.Model.Resources;
using Weft.Model.Selectors;

namespace Weft.Policy.Conversion;

/// <summary>
/// Joins the several selectors of a v3 object into the one that is evaluated (libcalico-go/lib/backend/syncersv1/updateprocessors). The texts are not
/// canonical on purpose: they become so when parsed.
/// </summary>
internal static class SelectorConversion
{
    public const string NamespaceLabel = "projectcalico.org/namespace";
    public const string OrchestratorLabel = "projectcalico.org/orchestrator";
    public const string ServiceAccountLabel = "projectcalico.org/serviceaccount";

    /// <summary>Labels of a namespace, inherited through the profile kns.NAMESPACE, carry this prefix.</summary>
    public const string NamespacePrefix = "pcns.";

    /// <summary>Labels of a service account, inherited through the profile ksa.NAMESPACE.NAME, carry this prefix.</summary>
    public const string ServiceAccountPrefix = "pcsa.";

    /// <summary>Which endpoints a policy applies to.</summary>
    public static string PolicySelector(string? selector, string @namespace, string? namespaceSelector, string? serviceAccountSelector)
    {
        string text = IsEmpty(selector) ? string.Empty : selector!.Trim();
        if (@namespace.Length > 0)
        {
            string inNamespace = $"{NamespaceLabel} == '{@namespace}'";
            text = text.Length == 0 ? inNamespace : $"({text}) && {inNamespace}";
        }
        else if (!IsEmpty(namespaceSelector))
        {
            text = Join(text, Prefixed(namespaceSelector!, NamespacePrefix)).Replace("all()", $"has({NamespaceLabel})", StringComparison.Ordinal);
        }

        if (!IsEmpty(serviceAccountSelector))
        {
            text = Join(text, Prefixed(serviceAccountSelector!, ServiceAccountPrefix));
            if (@namespace.Length == 0)
            {
                text = text.Replace("all()", $"has({ServiceAccountLabel})", StringComparison.Ordinal);
            }
        }

        return text;
    }

    /// <summary>What one end of a rule must match; empty for anything.</summary>
    public static string EntitySelector(EntityRule entity, string policyNamespace)
    {
        string accounts = ServiceAccounts(entity.ServiceAccounts);
        string inNamespace = !IsEmpty(entity.NamespaceSelector)
            ? Prefixed(entity.NamespaceSelector!, NamespacePrefix)
                .Replace("all()", $"has({NamespaceLabel})", StringComparison.Ordinal)
                .Replace("global()", $"!has({NamespaceLabel})", StringComparison.Ordinal)
            : policyNamespace.Length > 0 ? $"{NamespaceLabel} == '{policyNamespace}'" : string.Empty;

        string own = IsEmpty(entity.Selector) ? string.Empty : entity.Selector!.Trim();
        string text = accounts.Length == 0 ? own : own.Length == 0 ? accounts : $"({accounts}) && ({own})";

        // A rule with nets or ports alone is not confined to the policy's namespace; one with any selector is.
        bool confined = inNamespace.Length > 0 && (text.Length > 0 || !IsEmpty(entity.NotSelector) || !IsEmpty(entity.NamespaceSelector));
        return !confined ? text : text.Length == 0 ? inNamespace : $"({inNamespace}) && ({text})";
    }

    public static bool IsEmpty(string? selector) => string.IsNullOrWhiteSpace(selector);

    private static string ServiceAccounts(ServiceAccountMatch? match)
    {
        if (match is null)
        {
            return string.Empty;
        }

        string selector = IsEmpty(match.Selector) ? string.Empty : Prefixed(match.Selector!, ServiceAccountPrefix);
        if (match.Names is not { Count: > 0 } names)
        {
            return selector;
        }

        string quoted = $"{ServiceAccountLabel} in {{{string.Join(",", names.Select(n => $"'{n}'"))}}}";
        string byName = Selector.TryParse(quoted, out Selector? parsed, out _) ? parsed.Text : quoted;
        return selector.Length == 0 ? byName : $"({selector}) && ({byName})";
    }

    private static string Join(string first, string second) => first.Length == 0 ? second : $"({first}) && {second}";

    /// <summary>A text that is no selector is handed through: parsing of the whole then reports it.</summary>
    private static string Prefixed(string selector, string prefix) =>
        Selector.TryParse(selector.Trim(), out Selector? parsed, out _) ? parsed.WithPrefix(prefix).Text : selector;
}
