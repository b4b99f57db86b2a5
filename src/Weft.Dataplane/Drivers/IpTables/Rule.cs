using System.Text;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>One rule as data. Its text is part of its hash: any change of a blank rewrites the rule on every node.</summary>
/// <param name="Comments">Shown by iptables -L; never needed for the meaning.</param>
public sealed record Rule(Match Match, RuleAction Action, params string[] Comments)
{
    private const int LongestComment = 256;

    /// <summary>Comments, match and action, joined by single blanks.</summary>
    internal string Text
    {
        get
        {
            StringBuilder text = new();
            foreach (string comment in Comments)
            {
                text.Append("-m comment --comment \"").Append(CleanComment(comment)).Append('"');
                text.Append(' ');
            }

            text.Append(Match.Text);
            if (Match.Text.Length > 0 && Action.Text.Length > 0)
            {
                text.Append(' ');
            }

            text.Append(Action.Text);
            return text.ToString().TrimEnd(' ');
        }
    }

    /// <summary>What neither a shell nor iptables-restore could mistake for syntax stays; everything else becomes an underscore.</summary>
    internal static string CleanComment(string comment)
    {
        ReadOnlySpan<char> source = comment.AsSpan(0, Math.Min(comment.Length, LongestComment));
        return string.Create(source.Length, source, static (target, from) =>
        {
            for (int i = 0; i < from.Length; i++)
            {
                target[i] = char.IsAsciiLetterOrDigit(from[i]) || "_ @%+=:,./-".Contains(from[i]) ? from[i] : '_';
            }
        });
    }

    public bool Equals(Rule? other) =>
        other is not null && Match == other.Match && Action == other.Action && Comments.AsSpan().SequenceEqual(other.Comments);

    public override int GetHashCode() => HashCode.Combine(Match, Action, Comments.Length);
}
