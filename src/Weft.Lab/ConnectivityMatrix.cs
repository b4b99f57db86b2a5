using System.Text;

namespace Weft.Lab;

/// <summary>What one pod can reach on another.</summary>
[Flags]
internal enum Reach : byte
{
    None = 0,
    Tcp = 1,
    Udp = 2,
    Both = Tcp | Udp,
}

/// <summary>Who reaches whom: one cell per ordered pair of pods. Pure data with its table.</summary>
internal sealed class ConnectivityMatrix(IReadOnlyList<LabPod> pods)
{
    private const int MaxPrinted = 12;

    private readonly Reach[,] _cells = new Reach[pods.Count, pods.Count];

    public IReadOnlyList<LabPod> Pods => pods;

    public Reach this[int from, int to]
    {
        get => _cells[from, to];
        set => _cells[from, to] = value;
    }

    /// <summary>How many of the ordered pairs of different pods satisfy the condition.</summary>
    public int Count(Func<int, int, bool> condition) => Pairs().Count(p => condition(p.From, p.To));

    public IEnumerable<(int From, int To)> Pairs()
    {
        for (int from = 0; from < pods.Count; from++)
        {
            for (int to = 0; to < pods.Count; to++)
            {
                if (from != to)
                {
                    yield return (from, to);
                }
            }
        }
    }

    /// <summary>The expected matrix for a rule of who may reach whom.</summary>
    public static ConnectivityMatrix Expect(IReadOnlyList<LabPod> pods, Func<LabPod, LabPod, Reach> rule)
    {
        ConnectivityMatrix matrix = new(pods);
        foreach ((int from, int to) in matrix.Pairs())
        {
            matrix[from, to] = rule(pods[from], pods[to]);
        }

        return matrix;
    }

    /// <summary>The pairs in which this matrix differs from another over the same pods.</summary>
    public IEnumerable<(int From, int To)> Differences(ConnectivityMatrix other) => Pairs().Where(p => this[p.From, p.To] != other[p.From, p.To]);

    /// <summary>"same node 6 of 6, same rack 8 of 8, across racks 16 of 16" for fully open pairs.</summary>
    public string Summary()
    {
        List<string> parts = [];
        foreach ((string name, Func<LabPod, LabPod, bool> scope) in Scopes)
        {
            int all = Count((a, b) => scope(pods[a], pods[b]));
            if (all > 0)
            {
                int tcp = Count((a, b) => scope(pods[a], pods[b]) && this[a, b].HasFlag(Reach.Tcp));
                int udp = Count((a, b) => scope(pods[a], pods[b]) && this[a, b].HasFlag(Reach.Udp));
                parts.Add($"{name}: TCP {tcp} of {all}, UDP {udp} of {all}");
            }
        }

        return string.Join("; ", parts);
    }

    private static IEnumerable<(string, Func<LabPod, LabPod, bool>)> Scopes =>
    [
        ("same node", (a, b) => a.Node == b.Node),
        ("same rack", (a, b) => a.Node != b.Node && a.Node.Switch == b.Node.Switch),
        ("across racks", (a, b) => a.Node.Switch != b.Node.Switch),
    ];

    /// <summary>The table, "T" for TCP and "U" for UDP; cells that differ from <paramref name="before"/> are marked with "*".</summary>
    public string Render(LabConsole console, ConnectivityMatrix? before)
    {
        StringBuilder text = new();
        int shown = Math.Min(pods.Count, MaxPrinted);
        int width = Math.Max(4, pods.Take(shown).Max(p => p.Name.Length));
        text.Append($"  {"from \\ to",-24}").AppendJoin(' ', pods.Take(shown).Select(p => p.Name.PadRight(width))).Append('\n');
        for (int from = 0; from < shown; from++)
        {
            text.Append($"  {pods[from].Name + " (" + pods[from].Node.Name + ")",-24}");
            for (int to = 0; to < shown; to++)
            {
                Reach cell = this[from, to];
                string mark = before is not null && before[from, to] != cell ? "*" : string.Empty;
                string letters = from == to ? "-" : (cell.HasFlag(Reach.Tcp) ? "T" : ".") + (cell.HasFlag(Reach.Udp) ? "U" : ".") + mark;
                string padded = letters.PadRight(width + 1);
                text.Append(from == to ? console.Dim(padded) : cell == Reach.Both ? console.Green(padded) : console.Red(padded));
            }

            text.Append('\n');
        }

        if (pods.Count > shown)
        {
            text.Append($"  (the first {shown} of {pods.Count} pods; the sums below count all)\n");
        }

        text.Append($"  {Summary()}\n");
        return text.ToString();
    }
}
