using System.Text;
using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>
/// The input of iptables-restore --noflush: one transaction per table, carried out whole or not at all.
/// <code>
/// *filter
/// :cali-a - -                     created, or emptied if it exists
/// -A cali-a ...  -R cali-a 2 ...  -D cali-a 3  -I INPUT ...
/// --delete-chain cali-old
/// COMMIT
/// </code>
/// </summary>
/// <param name="table">"filter".</param>
/// <param name="writer">Writes the rules.</param>
internal sealed class RestoreScript(string table, IpTablesText writer)
{
    private readonly List<string> _declarations = [];
    private readonly List<string> _edits = [];
    private readonly List<string> _deletions = [];

    public bool IsEmpty => _declarations.Count + _edits.Count + _deletions.Count == 0;

    /// <summary>Creates the chain, or empties it.</summary>
    public void Declare(string chain) => _declarations.Add($":{chain} - -");

    public void Append(string chain, string hash, Rule rule) => _edits.Add(Line("-A", chain, 0, hash, rule));

    public void Insert(string chain, string hash, Rule rule) => _edits.Add(Line("-I", chain, 0, hash, rule));

    /// <param name="number">From 1.</param>
    public void Replace(string chain, int number, string hash, Rule rule) => _edits.Add(Line("-R", chain, number, hash, rule));

    public void Delete(string chain, int number) => _edits.Add($"-D {chain} {number}");

    /// <param name="line">"-A CHAIN ...", as saved or as written by us.</param>
    public void DeleteByText(string line) => _edits.Add(string.Concat("-D", line.AsSpan(2)));

    /// <summary>The chain must be empty and unreferenced by then.</summary>
    public void DeleteChain(string chain) => _deletions.Add($"--delete-chain {chain}");

    /// <summary>The rule as a line that adds it, hash included.</summary>
    public string Line(string command, string chain, int number, string hash, Rule rule) =>
        $"{command} {chain}{(number > 0 ? $" {number}" : string.Empty)} -m comment --comment \"cali:{hash}\" {writer.Of(rule)}".TrimEnd(' ');

    /// <param name="backend">
    /// iptables-nft before 1.8.8 loses track of a chain that is changed and deleted in one transaction: there the deletions get a second one.
    /// </param>
    public byte[] Finish(IpTablesBackend backend)
    {
        StringBuilder text = new();
        Begin(text);
        AppendLines(text, _declarations);
        AppendLines(text, _edits);
        if (backend == IpTablesBackend.Nft && _deletions.Count > 0)
        {
            text.Append("COMMIT\n");
            Begin(text);
        }

        AppendLines(text, _deletions);
        text.Append("COMMIT\n");
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private void Begin(StringBuilder text) => text.Append('*').Append(table).Append('\n');

    private static void AppendLines(StringBuilder text, List<string> lines)
    {
        foreach (string line in lines)
        {
            text.Append(line).Append('\n');
        }
    }
}
