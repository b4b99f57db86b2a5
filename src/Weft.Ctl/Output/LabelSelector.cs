using System.Diagnostics.CodeAnalysis;
using Weft.Model.Selectors;

namespace Weft.Ctl.Output;

/// <summary>The selector of "get -l": Calico's language, or kubectl's short form "app=web,tier!=db".</summary>
internal static class LabelSelector
{
    public static bool TryParse(string text, [NotNullWhen(true)] out Selector? selector, [NotNullWhen(false)] out string? problem) =>
        Selector.TryParse(Translate(text) ?? text, out selector, out problem);

    /// <summary>Null when the text is not of the short form.</summary>
    private static string? Translate(string text)
    {
        List<string> terms = [];
        foreach (string term in text.Split(','))
        {
            int at = term.AsSpan().IndexOfAny('=', '!');
            if (at <= 0 || term.AsSpan().ContainsAny("'\"(){}&| "))
            {
                return null;
            }

            string operation = term[at] == '!' ? "!=" : term.AsSpan(at).StartsWith("==") ? "==" : "=";
            if (!term.AsSpan(at).StartsWith(operation))
            {
                return null;
            }

            terms.Add($"{term[..at]} {(operation == "!=" ? "!=" : "==")} '{term[(at + operation.Length)..]}'");
        }

        return string.Join(" && ", terms);
    }
}
