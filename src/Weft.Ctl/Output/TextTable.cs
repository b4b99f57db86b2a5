using System.Text;

namespace Weft.Ctl.Output;

/// <summary>Columns as wide as their widest cell and three blanks between them; nothing behind the last.</summary>
internal sealed class TextTable(params string[] headings)
{
    private const int Gap = 3;

    // calicoctl's columns are never narrower, the gap included.
    private const int MinWidth = 5;

    private readonly List<string[]> _rows = [];

    public int Count => _rows.Count;

    /// <summary>Empty cells are printed as "-", so that columns can be counted by scripts and eyes.</summary>
    public void Add(params string?[] cells) => _rows.Add([.. cells.Select(c => string.IsNullOrEmpty(c) ? "-" : c)]);

    public override string ToString()
    {
        StringBuilder text = new();
        int[] widths = [.. headings.Select((h, i) => Math.Max(MinWidth, _rows.Select(r => r[i].Length).Append(h.Length).Max() + Gap))];
        foreach (string[] row in _rows.Prepend(headings))
        {
            for (int i = 0; i < row.Length; i++)
            {
                text.Append(i == row.Length - 1 ? row[i] : row[i].PadRight(widths[i]));
            }

            text.Append('\n');
        }

        return text.ToString();
    }
}
