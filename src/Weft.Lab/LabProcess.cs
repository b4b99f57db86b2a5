using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Weft.Linux.Namespaces;

namespace Weft.Lab;

/// <summary>
/// Starts the processes of the rack, each inside its namespace, in a session of its own (Ctrl-C on the terminal reaches the lab alone) and with a log
/// file, so that they can outlive the lab under --keep. Readiness is systemd's protocol: a datagram READY=1 to NOTIFY_SOCKET.
/// </summary>
internal static class LabProcess
{
    private static readonly TimeSpan s_readyLimit = TimeSpan.FromSeconds(30);

    /// <summary>Starts the command and waits until it reports READY=1.</summary>
    /// <param name="name">Unique among the lab's processes; names log and socket.</param>
    /// <param name="role">For the state file.</param>
    /// <param name="machine">Whose namespace.</param>
    /// <param name="command">Program and arguments.</param>
    /// <param name="stop">Gives up waiting.</param>
    /// <exception cref="LabException">It ended or did not become ready; the end of its log is in the text.</exception>
    public static async Task<LabProcessRecord> StartAsync(string name, string role, string machine, IReadOnlyList<string> command, CancellationToken stop)
    {
        string socketPath = $"{LabFiles.Root}/notify/{name}";
        Directory.CreateDirectory($"{LabFiles.Root}/notify");
        using Socket notify = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        notify.Bind(new UnixDomainSocketEndPoint(socketPath));
        try
        {
            return await StartAsync(name, role, machine, command, socketPath, limit => NotifiedAsync(notify, limit), stop);
        }
        finally
        {
            File.Delete(socketPath);
        }
    }

    /// <summary>Starts a foreign program that says it is ready by making a file (BIRD's control socket).</summary>
    public static Task<LabProcessRecord> StartUntilFileAsync(
        string name, string role, string machine, IReadOnlyList<string> command, string file, CancellationToken stop) =>
        StartAsync(name, role, machine, command, string.Empty, limit => AppearsAsync(file, limit), stop);

    /// <summary>Runs a command inside a namespace to its end.</summary>
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(
        string machine, IReadOnlyList<string> command, string input, IReadOnlyDictionary<string, string> environment, CancellationToken stop)
    {
        ProcessStartInfo start = new(command[0], command.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string key, string value) in environment)
        {
            start.Environment[key] = value;
        }

        using NetNamespace space = NetNamespace.Open(LabFiles.NamespacePath(machine));
        using Process process = space.Start(start);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(stop);
        Task<string> error = process.StandardError.ReadToEndAsync(stop);
        try
        {
            await process.WaitForExitAsync(stop);
            return (process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>True while the very process of the record runs.</summary>
    public static bool IsAlive(LabProcessRecord record) => StartTicks(record.Pid) == record.StartTicks;

    /// <summary>Start time of a process in clock ticks since boot (proc(5), field 22 of stat); null when there is none.</summary>
    public static long? StartTicks(int pid)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            // The command name stands in parentheses and may hold blanks; fields are counted after it.
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : long.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static async Task<LabProcessRecord> StartAsync(
        string name, string role, string machine, IReadOnlyList<string> command, string notifySocket, Func<CancellationToken, Task> whenReady, CancellationToken stop)
    {
        Directory.CreateDirectory($"{LabFiles.Root}/log");
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(s_readyLimit);
        Task ready = whenReady(limit.Token);
        using Process process = Launch(name, machine, command, notifySocket);
        LabProcessRecord record = new(role, process.Id, StartTicks(process.Id) ?? 0);
        Task ended = process.WaitForExitAsync(limit.Token);
        Task first = await Task.WhenAny(ready, ended);
        stop.ThrowIfCancellationRequested();
        if (first == ready && ready.IsCompletedSuccessfully)
        {
            return record;
        }

        string what = ended.IsCompletedSuccessfully ? $"ended with exit code {process.ExitCode} before it was ready" : $"was not ready after {s_readyLimit.TotalSeconds} s";
        throw new LabException($"{name} {what}\n{LogTail(name)}");
    }

    private static async Task NotifiedAsync(Socket notify, CancellationToken limit)
    {
        byte[] buffer = new byte[4096];
        int length;
        do
        {
            length = await notify.ReceiveAsync(buffer, limit);
        }
        while (!Encoding.UTF8.GetString(buffer, 0, length).Split('\n').Contains("READY=1"));
    }

    private static async Task AppearsAsync(string file, CancellationToken limit)
    {
        while (!File.Exists(file))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), limit);
        }
    }

    private static Process Launch(string name, string machine, IReadOnlyList<string> command, string notifySocket)
    {
        // The shell only redirects and replaces itself; setsid too. The process id stays the one that is returned.
        ProcessStartInfo start = new("/bin/sh", ["-c", "log=$1; shift; exec setsid \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", LabFiles.Log(name), .. command]);
        start.Environment["NOTIFY_SOCKET"] = notifySocket;
        start.Environment.Remove("JOURNAL_STREAM");
        using NetNamespace space = NetNamespace.Open(LabFiles.NamespacePath(machine));
        return space.Start(start, NamespaceView.NetworkAndSys);
    }

    private static string LogTail(string name)
    {
        try
        {
            return string.Join('\n', File.ReadLines(LabFiles.Log(name)).TakeLast(8).Select(line => "    " + line));
        }
        catch (IOException)
        {
            return "    (no log)";
        }
    }
}
