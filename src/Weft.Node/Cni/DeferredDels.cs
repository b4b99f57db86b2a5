using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;

namespace Weft.Node.Cni;

/// <summary>
/// DELs that came while no agent was there to do them. The plugin process cuts the pod's traffic itself and leaves the call in this folder, one file each; the agent carries
/// them out when it is back, so that pods can go while it is being replaced. The folder lies beside the agent's socket: after a reboot there are no pods left
/// to delete, and what they had in the datastore is for GC.
/// </summary>
internal sealed class DeferredDels(string folder, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_startPeriod = TimeSpan.FromMilliseconds(100);

    /// <param name="agentSocket">The socket whose agent is to carry them out.</param>
    public static string FolderBeside(string agentSocket) => Path.Combine(Path.GetDirectoryName(agentSocket) ?? "/", "deferred");

    /// <summary>Whole or not at all: the agent may look at any moment.</summary>
    /// <exception cref="CniException">The folder cannot be written.</exception>
    public static void Write(string folder, CniRequest request, PluginCall call)
    {
        string name = $"{request.Config.Name}.{request.ContainerId}.{request.InterfaceName}{(request.IsIpam ? ".ipam" : string.Empty)}";
        string file = Path.Combine(folder, name + ".json");
        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            string draft = $"{file}.{System.Environment.ProcessId}.new";
            using (FileStream stream = new(draft, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
                stream.Write(call.ToLine().Span);
            }

            File.Move(draft, file, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CniException(CniErrorCode.TryAgainLater, $"no agent answers, and DEL cannot be left for it: {file}: {e.Message}");
        }
    }

    /// <summary>Runs for the life of the agent.</summary>
    /// <param name="executor">Carries the calls out.</param>
    /// <param name="readiness">Nothing is tried before the node is in the datastore.</param>
    /// <param name="stop">The agent is stopping.</param>
    public async Task RunAsync(CniExecutor executor, INodeReadiness readiness, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            bool started = readiness.NotStarted is null;
            if (started)
            {
                await RunOnceAsync(executor, stop);
            }

            await Task.Delay(started ? s_period : s_startPeriod, time, stop);
        }
    }

    /// <summary>What fails stays for the next time.</summary>
    public async Task RunOnceAsync(CniExecutor executor, CancellationToken stop)
    {
        foreach (string file in Directory.Exists(folder) ? Directory.GetFiles(folder, "*.json") : [])
        {
            try
            {
                JsonObject line = JsonNode.Parse(await File.ReadAllBytesAsync(file, stop)) as JsonObject ?? throw new JsonException("not an object");
                CniOutcome outcome = await executor.RunAsync(CniRequest.Parse(CniRequest.ReadEnvironment(line), line["config"] as JsonObject ?? []), stop);
                if (outcome.ExitCode != 0)
                {
                    Log.DeferredDelFailed(logger, file, (string?)outcome.Body?["msg"] ?? string.Empty);
                    continue;
                }

                File.Delete(file);
                Log.DeferredDelDone(logger, file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or CniException)
            {
                Log.DeferredDelFailed(logger, file, e.Message);
            }
        }
    }
}
