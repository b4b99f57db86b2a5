using System.Text;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>One rule as iptables-save printed it.</summary>
/// <param name="Hash">Of ours: its hash, or <see cref="SavedTable.OldRule"/>; empty for a rule of somebody else.</param>
/// <param name="Line">The whole line, for our rules only: the text that deletes it.</param>
internal readonly record struct SavedRule(string Hash, string Line)
{
    public bool IsOurs => Hash.Length > 0;
}

/// <summary>What iptables-save says about one table: for every chain its rules in order, ours told from others'.</summary>
internal sealed class SavedTable
{
    /// <summary>Stands for the hash of a rule of ours from before there were hashes. Never equal to a real one: it is longer.</summary>
    public const string OldRule = "OLD INSERT RULE";

    private const string HashMark = "cali:";

    private readonly Dictionary<string, List<SavedRule>> _chains = [];

    public Dictionary<string, List<SavedRule>> Chains => _chains;

    /// <param name="output">Bytes of iptables-save -t TABLE.</param>
    /// <returns>Null when the programs cannot show the table: another tool has put rules there that they do not understand.</returns>
    public static SavedTable? Parse(ReadOnlySpan<byte> output, RuleTableSettings settings)
    {
        SavedTable table = new();
        bool complete = false;
        foreach (ReadOnlySpan<char> line in Encoding.UTF8.GetString(output).AsSpan().EnumerateLines())
        {
            if (line.StartsWith(":"))
            {
                table.RulesOf(UpTo(line[1..], ' '));
            }
            else if (line.StartsWith("-A "))
            {
                table.Add(line, settings);
            }
            else if (line.SequenceEqual("COMMIT"))
            {
                complete = true;
            }
            else if (line.StartsWith("# Table") && line.Contains("is incompatible", StringComparison.Ordinal))
            {
                return null;
            }
        }

        // A table that the nft backend has never touched is printed as nothing at all.
        return complete || table._chains.Count == 0 ? table : null;
    }

    private void Add(ReadOnlySpan<char> line, RuleTableSettings settings)
    {
        string chain = UpTo(line[3..], ' ');
        string hash = FindHash(line, settings);
        RulesOf(chain).Add(new SavedRule(hash, hash.Length > 0 ? line.ToString() : string.Empty));
    }

    private List<SavedRule> RulesOf(string chain)
    {
        if (!_chains.TryGetValue(chain, out List<SavedRule>? rules))
        {
            _chains.Add(chain, rules = []);
        }

        return rules;
    }

    private static string FindHash(ReadOnlySpan<char> line, RuleTableSettings settings)
    {
        int comment = line.IndexOf("--comment ");
        while (comment >= 0)
        {
            ReadOnlySpan<char> text = line[(comment + 10)..].TrimStart('"');
            if (text.StartsWith(HashMark))
            {
                ReadOnlySpan<char> hash = text[HashMark.Length..];
                int end = hash.IndexOfAnyExcept(Base64UrlDigits);
                return (end < 0 ? hash : hash[..end]).ToString();
            }

            int next = text.IndexOf("--comment ");
            comment = next < 0 ? -1 : line.Length - text.Length + next;
        }

        return JumpsToOwnChain(line, settings.OwnPrefixes) || settings.IsLegacyRule(line.ToString()) ? OldRule : string.Empty;
    }

    private static readonly System.Buffers.SearchValues<char> Base64UrlDigits =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    private static bool JumpsToOwnChain(ReadOnlySpan<char> line, IReadOnlyList<string> prefixes)
    {
        foreach (string option in (ReadOnlySpan<string>)[" -j ", " -g ", " --jump ", " --goto "])
        {
            int at = line.IndexOf(option);
            if (at >= 0)
            {
                ReadOnlySpan<char> target = line[(at + option.Length)..];
                foreach (string prefix in prefixes)
                {
                    if (target.StartsWith(prefix))
                    {
                        return true;
                    }
                }
            }
        }

        return false;
    }

    private static string UpTo(ReadOnlySpan<char> text, char end)
    {
        int at = text.IndexOf(end);
        return (at < 0 ? text : text[..at]).ToString();
    }
}
