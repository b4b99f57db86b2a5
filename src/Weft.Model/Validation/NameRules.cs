namespace Weft.Model.Validation;

/// <summary>Rules for names and labels: RFC 1123 and the Kubernetes API conventions.</summary>
internal static class NameRules
{
    public const int MaxSubdomain = 253;
    public const int MaxLabel = 63;

    /// <summary>All keys and values of an object's annotations together.</summary>
    public const int MaxAnnotations = 262_144;

    /// <summary>[a-z0-9]([-a-z0-9]*[a-z0-9])?.</summary>
    public static bool IsLabel(ReadOnlySpan<char> text, int maxLength = MaxLabel)
    {
        if (text.Length == 0 || text.Length > maxLength || text[0] == '-' || text[^1] == '-')
        {
            return false;
        }

        foreach (char c in text)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '-')
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Labels joined by dots; here a label may be as long as the whole, as in Kubernetes.</summary>
    public static bool IsSubdomain(string text, int maxLength = MaxSubdomain)
    {
        if (text.Length > maxLength)
        {
            return false;
        }

        foreach (string part in text.Split('.'))
        {
            if (!IsLabel(part, maxLength))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>[PREFIX/]NAME: the prefix a subdomain, the name 1..63 of letters, digits, '-', '_', '.', with an alphanumeric at both ends.</summary>
    public static bool IsQualifiedName(string text)
    {
        int slash = text.IndexOf('/');
        return (slash < 0 || (slash > 0 && IsSubdomain(text[..slash]))) && text.Length > slash + 1 && IsLabelText(text.AsSpan(slash + 1));
    }

    /// <summary>Empty, or as the name of a label key.</summary>
    public static bool IsLabelValue(string text) => text.Length == 0 || IsLabelText(text);

    /// <summary>1..15 of letters, digits, '_', '.', '-'.</summary>
    public static bool IsInterface(string text) => text.Length is > 0 and <= 15 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');

    public static bool IsContainerId(string text) =>
        text.Length > 0 && char.IsAsciiLetterOrDigit(text[0]) && char.IsAsciiLetterOrDigit(text[^1]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');

    /// <summary>RFC 6335 5.1: up to 15 of lower-case letters, digits and single '-' inside, at least one letter.</summary>
    public static bool IsPortName(string text) => IsLabel(text, 15) && text.Any(char.IsAsciiLetterLower) && !text.Contains("--", StringComparison.Ordinal);

    private static bool IsLabelText(ReadOnlySpan<char> text)
    {
        if (text.Length > MaxLabel || !char.IsAsciiLetterOrDigit(text[0]) || !char.IsAsciiLetterOrDigit(text[^1]))
        {
            return false;
        }

        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.'))
            {
                return false;
            }
        }

        return true;
    }
}
