namespace Weft.Dataplane.Rules.Model;

/// <summary>Comments as the kernel may hold them.</summary>
internal static class RuleComment
{
    private const int Longest = 256;

    /// <summary>What neither a shell nor a restore program could mistake for syntax stays; everything else becomes an underscore.</summary>
    public static string Clean(string comment)
    {
        ReadOnlySpan<char> source = comment.AsSpan(0, Math.Min(comment.Length, Longest));
        return string.Create(source.Length, source, static (target, from) =>
        {
            for (int i = 0; i < from.Length; i++)
            {
                target[i] = char.IsAsciiLetterOrDigit(from[i]) || "_ @%+=:,./-".Contains(from[i]) ? from[i] : '_';
            }
        });
    }
}
