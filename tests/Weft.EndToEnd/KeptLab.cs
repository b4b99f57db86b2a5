using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Weft.Linux.Namespaces;

namespace Weft.EndToEnd;

/// <summary>The tests that share one rack, one after another.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class KeptLabCollection : ICollectionFixture<KeptLab>
{
    public const string Name = "kept lab";
}

/// <summary>The tests that bring racks up themselves: never beside another.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class OwnLabCollection
{
    public const string Name = "own lab";
}

/// <summary>A rack that stays up for a class of tests: <c>weft lab --keep</c>, driven by what <c>weft lab status -o json</c> says.</summary>
public sealed class KeptLab : IAsyncLifetime
{
    public async ValueTask InitializeAsync()
    {
        await Executable.RunAsync("lab", "down");
        (await Executable.RunAsync("lab", "--keep")).MustSucceed();
    }

    public async ValueTask DisposeAsync() => (await Executable.RunAsync("lab", "down")).MustSucceed();

    internal static async Task<JsonNode> StatusAsync() => JsonNode.Parse((await Executable.RunAsync("lab", "status", "-o", "json")).MustSucceed().Output)!;

    internal static async Task<JsonNode> MemberAsync(string name) =>
        (await StatusAsync())["members"]!.AsArray().Single(m => (string?)m!["name"] == name)!;

    internal static async Task<string> AddressAsync(string pod) => (string)(await MemberAsync(pod))["addresses"]![0]!;

    /// <summary>Runs a command inside a machine or pod.</summary>
    internal static Task<Outcome> ExecAsync(string machine, params string[] command) => Executable.RunAsync(["lab", "exec", machine, "--", .. command]);

    /// <summary>Applies YAML through the datastore's own namespace.</summary>
    internal static async Task ApplyAsync(string yaml) =>
        (await Executable.RunAsync(Executable.Path, ["lab", "exec", "store", "--", "weft", "apply", "-f", "-"], yaml)).MustSucceed();

    internal static async Task<int> PidAsync(string machine, string role) =>
        (int)(await MemberAsync(machine))["processes"]!.AsArray().Single(p => (string?)p!["role"] == role)!["pid"]!;

    /// <summary>True when a TCP connection from one pod to another is answered by that pod.</summary>
    internal static async Task<bool> ReachesAsync(string from, string to, int milliseconds = 1500)
    {
        using Socket? socket = await ConnectAsync(from, to, milliseconds);
        return socket is not null;
    }

    /// <summary>An open TCP connection between two pods, after the greeting; null when it was not answered in time.</summary>
    internal static async Task<Socket?> ConnectAsync(string from, string to, int milliseconds = 1500)
    {
        string netns = (string)(await MemberAsync(from))["netns"]!;
        IPEndPoint target = new(IPAddress.Parse(await AddressAsync(to)), 8080);
        using NetNamespace space = NetNamespace.Open(netns);
        Socket socket = space.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        using CancellationTokenSource limit = new(milliseconds);
        try
        {
            await socket.ConnectAsync(target, limit.Token);
            byte[] greeting = new byte[64];
            int length = await socket.ReceiveAsync(greeting, limit.Token);
            Assert.Equal(to + "\n", System.Text.Encoding.ASCII.GetString(greeting, 0, length));
            return socket;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            socket.Dispose();
            return null;
        }
    }

    /// <summary>Kills a process of the rack with SIGKILL and returns the command line it had.</summary>
    internal static async Task<string[]> KillAsync(int pid)
    {
        string[] command = [.. (await File.ReadAllTextAsync($"/proc/{pid}/cmdline")).Split('\0', StringSplitOptions.RemoveEmptyEntries)];
        using Process process = Process.GetProcessById(pid);
        process.Kill();
        await process.WaitForExitAsync();
        return command;
    }

    /// <summary>Starts a command inside a machine, detached, as the lab does; returns its process id.</summary>
    internal static async Task<int> StartAsync(string machine, string[] command)
    {
        string netns = (string)(await MemberAsync(machine))["netns"]!;
        ProcessStartInfo start = new("/bin/sh", ["-c", "log=$1; shift; exec setsid \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", $"/run/weft-lab/log/{machine}-again.log", .. command]);
        using NetNamespace space = NetNamespace.Open(netns);
        using Process process = space.Start(start, NamespaceView.NetworkAndSys);
        return process.Id;
    }

    /// <summary>The answer of <c>weft node status -o json</c> on a node.</summary>
    internal static async Task<JsonNode?> NodeStatusAsync(string node)
    {
        Outcome outcome = await ExecAsync(node, "weft", "node", "status", "-o", "json");
        return outcome.ExitCode == 0 ? JsonNode.Parse(outcome.Output) : null;
    }
}
