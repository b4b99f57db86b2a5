using Weft.Model.Resources;

namespace Weft.Model.Kubernetes;

/// <summary>Kubernetes label selectors as Calico selectors. The texts are not canonical, as Calico's are not: ids come from what they parse to.</summary>
public static class LabelSelectorConversion
{
    private const string IsPod = "projectcalico.org/orchestrator == 'k8s'";

    /// <summary>Of pods; null is every pod.</summary>
    public static string Pods(KubernetesLabelSelector? selector) => string.Join(" && ", Conditions(selector).Prepend(IsPod));

    /// <summary>Of namespaces: null says nothing, an empty one is every namespace.</summary>
    public static string Namespaces(KubernetesLabelSelector? selector)
    {
        if (selector is null)
        {
            return string.Empty;
        }

        string text = string.Join(" && ", Conditions(selector));
        return text.Length == 0 ? "all()" : text;
    }

    private static IEnumerable<string> Conditions(KubernetesLabelSelector? selector)
    {
        foreach ((string key, string value) in (selector?.MatchLabels ?? []).OrderBy(l => l.Key, StringComparer.Ordinal))
        {
            yield return $"{key} == '{value}'";
        }

        foreach (KubernetesSelectorExpression expression in selector?.MatchExpressions ?? [])
        {
            string values = string.Join(", ", (expression.Values ?? []).Select(v => $"'{v}'"));
            yield return expression.Operator switch
            {
                "In" => $"{expression.Key} in {{ {values} }}",
                "NotIn" => $"{expression.Key} not in {{ {values} }}",
                "Exists" => $"has({expression.Key})",
                "DoesNotExist" => $"! has({expression.Key})",

                // No such operator exists; a selector that matches nothing denies.
                _ => $"{expression.Key} in {{}}",
            };
        }
    }
}
