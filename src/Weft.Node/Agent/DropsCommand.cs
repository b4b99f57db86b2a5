using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Hosting.Control;
using Weft.Linux;
using Weft.Linux.Netfilter;

namespace Weft.Node.Agent;

/// <summary>
/// <c>weft drops</c>: what policy denies on this node just now, read from the kernel directly. The agent is asked only for the names of its endpoints.
/// </summary>
public sealed class DropsCommand : ICommand
{
    private static readonly CommandOption s_follow = new("--follow", "-f", null, "Go on until interrupted; equal packets of a second are one line.");
    private static readonly CommandOption s_for = new("--for", null, "SECONDS", "Without --follow: how long to listen before the table is printed (default 5).");
    private static readonly CommandOption s_output = new("--output", "-o", "json", "One JSON object per line.");

    /// <summary>Those of NflogPrefix.Group: ingress and egress.</summary>
    private static readonly ushort[] s_groups = [1, 2];

    public string Name => "drops";

    public string Summary => "show which packets policy denies on this node, and by which rule";

    public CommandSyntax Syntax => new(
        "drops", "",
        """
        Shows the packets that policy denies on this node: how many, from and to whom, and by which rule of which policy. Reads NFLOG groups 1 and 2, which
        only one program can read at a time; needs root, and [agent] log-drops (on by default).
        """,
        [s_follow, s_for, s_output, AgentCommand.RunDir, AgentCommand.Config]);

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        if (!CommandLine.TryParse(arguments, Syntax, out CommandLine? line, out string? problem) || (problem = Complaint(line)) is not null)
        {
            await context.Error.WriteLineAsync($"weft drops: {problem}\n\n{Syntax.Help()}");
            return ExitStatus.Usage;
        }

        if (line.WantsHelp)
        {
            await context.Out.WriteAsync(Syntax.Help());
            return ExitStatus.Ok;
        }

        try
        {
            using PacketLog log = PacketLog.Open(s_groups);
            await ShowAsync(log, line, context, stop);
            return ExitStatus.Ok;
        }
        catch (KernelException e)
        {
            await context.Error.WriteLineAsync(e.Errno is Errno.EBUSY or Errno.EPERM
                ? $"weft drops: {e.Message}; run it as root, and only once: another program may be reading these groups"
                : $"weft drops: {e.Message}");
            return ExitStatus.Failed;
        }
    }

    private static string? Complaint(CommandLine line) =>
        line.Value(s_output) is not (null or "json") ? $"-o {line.Value(s_output)}: expected json"
        : line.Arguments.Count > 0 ? $"unknown argument \"{line.Arguments[0]}\""
        : line.Value(s_for) is { } text && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds is > 0 and <= 3600)
            ? $"--for {text}: expected seconds, 1 to 3600"
            : null;

    private static async Task ShowAsync(PacketLog log, CommandLine line, CommandContext context, CancellationToken stop)
    {
        string socket = Path.Combine(AgentCommand.FolderOf(line, context), AgentSettings.SocketName);
        Dictionary<string, string> names = await NamesAsync(socket, stop);
        DropTable table = new(address => names.GetValueOrDefault(address));
        Lock gate = new(); // The table is filled by the reader and emptied here.
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task reading = log.RunAsync(
            packet =>
            {
                lock (gate)
                {
                    table.Add(packet);
                }
            },
            end.Token);
        bool follows = line.Has(s_follow);
        TimeSpan pause = follows ? TimeSpan.FromSeconds(1) : TimeSpan.FromSeconds(int.Parse(line.Value(s_for) ?? "5", CultureInfo.InvariantCulture));
        do
        {
            await Task.Delay(pause, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            IReadOnlyList<JsonObject> rows;
            long notShown;
            lock (gate)
            {
                (notShown, rows) = (table.NotShown, table.Take());
            }

            await PrintAsync(rows, notShown, line.Has(s_output), follows, context);
            names = rows.Count > 0 && follows ? await NamesAsync(socket, stop) : names;
        }
        while (follows && !stop.IsCancellationRequested);

        await end.CancelAsync();
        await reading;
        if (log.Overruns > 0)
        {
            await context.Error.WriteLineAsync("weft drops: there were more packets than could be read; the numbers are too small");
        }
    }

    private static async Task PrintAsync(IReadOnlyList<JsonObject> rows, long notShown, bool asJson, bool follows, CommandContext context)
    {
        if (!asJson && !follows)
        {
            await context.Out.WriteLineAsync(rows.Count == 0 ? "nothing was denied meanwhile" : "PACKETS  WAY      FROM -> TO  WHAT  DENIED BY");
        }

        foreach (JsonObject row in rows)
        {
            string prefix = follows && !asJson ? $"{TimeProvider.System.GetLocalNow():HH:mm:ss}" : string.Empty;
            await context.Out.WriteLineAsync(asJson ? row.ToJsonString() : prefix + DropTable.Line(row));
        }

        if (notShown > 0)
        {
            await context.Error.WriteLineAsync($"weft drops: {notShown} packets of more flows are not shown");
        }

        await context.Out.FlushAsync();
    }

    /// <summary>Endpoints by their addresses; nothing when no agent answers.</summary>
    private static async Task<Dictionary<string, string>> NamesAsync(string socket, CancellationToken stop)
    {
        Dictionary<string, string> names = new(StringComparer.Ordinal);
        try
        {
            JsonNode answer = await ControlClient.RequestAsync(socket, new JsonObject { ["command"] = "status" }, stop);
            foreach (JsonObject endpoint in (answer["endpoints"] as JsonArray ?? []).OfType<JsonObject>())
            {
                foreach (JsonNode? network in endpoint["addresses"] as JsonArray ?? [])
                {
                    names[((string?)network ?? string.Empty).Split('/')[0]] = (string?)endpoint["name"] ?? string.Empty;
                }
            }
        }
        catch (Exception e) when (e is IOException or JsonException or InvalidOperationException or OperationCanceledException)
        {
            // Drops are worth showing without names.
        }

        return names;
    }
}
