using System.Text;

namespace Weft.Model.Selectors;

/// <summary>The canonical spelling of values in selectors.</summary>
internal static class SelectorText
{
    /// <summary>Double quotes unless the value holds one: the language knows no escapes.</summary>
    public static StringBuilder AppendQuoted(this StringBuilder text, string value)
    {
        char quote = value.Contains('"') ? '\'' : '"';
        return text.Append(quote).Append(value).Append(quote);
    }

    /// <summary>Sorted by UTF-8 bytes and without duplicates, so that equal sets have equal text on every implementation.</summary>
    public static string[] SortedSet(IEnumerable<string> values)
    {
        string[] sorted = [.. values.Distinct(StringComparer.Ordinal)];
        Array.Sort(sorted, CompareBytes);
        return sorted;
    }

    private static int CompareBytes(string a, string b)
    {
        // UTF-16 order differs from byte order only where surrogates are involved; they are rare enough to pay for.
        return Ascii.IsValid(a) && Ascii.IsValid(b)
            ? string.CompareOrdinal(a, b)
            : Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b));
    }
}
