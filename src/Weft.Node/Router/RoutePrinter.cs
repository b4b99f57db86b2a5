using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Weft.Hosting;

namespace Weft.Node.Router;

/// <summary>Prints paths as they come: a table whose widths the first rows decide, a paragraph each, or JSON. Holds at most <see cref="Sample"/> of them.</summary>
internal sealed class RoutePrinter(TextWriter output, bool json, bool why)
{
    private const int Sample = 1000;

    private readonly List<JsonObject> _sample = [];
    private int[]? _widths;
    private string _last = string.Empty;
    private int _count;

    public async Task AddAsync(JsonObject route)
    {
        _count++;
        if (json)
        {
            await output.WriteAsync($"{(_count == 1 ? "{\n  \"routes\": [\n    " : ",\n    ")}{OperatorLine.Json(route, indented: false)}");
        }
        else if (why)
        {
            await output.WriteAsync(ShowTables.Path(route));
        }
        else if (_widths is null && _sample.Count < Sample)
        {
            _sample.Add(route);
        }
        else
        {
            await FlushAsync();
            await WriteAsync(ShowTables.Row(route, ref _last));
        }
    }

    public async Task<ExitStatus> EndAsync(JsonObject end)
    {
        bool cut = end["truncated"]?.GetValue<bool>() ?? false;
        if (json)
        {
            await output.WriteLineAsync($"{(_count == 0 ? "{\n  \"routes\": [" : "\n  ")}],\n  \"truncated\": {(cut ? "true" : "false")}\n}}");
            return ExitStatus.Ok;
        }

        if (_count == 0)
        {
            await output.WriteLineAsync("no such route");
            return ExitStatus.Ok;
        }

        if (!why)
        {
            await FlushAsync();
            await output.WriteLineAsync("\n" + ShowTables.Legend);
        }

        if (cut)
        {
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"only the first {_count} paths are shown: name a prefix, or --limit 0 for all"));
        }

        return ExitStatus.Ok;
    }

    private async Task FlushAsync()
    {
        if (_widths is not null)
        {
            return;
        }

        List<string[]> rows = [ShowTables.RouteHeader, .. _sample.Select(r => ShowTables.Row(r, ref _last))];
        _sample.Clear();
        _widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(r => r[column].Length))];
        foreach (string[] row in rows)
        {
            await WriteAsync(row);
        }
    }

    private Task WriteAsync(string[] row)
    {
        StringBuilder line = new();
        for (int i = 0; i < row.Length; i++)
        {
            line.Append(row[i].PadRight(_widths![i])).Append("  ");
        }

        return output.WriteLineAsync(line.ToString().TrimEnd());
    }
}
