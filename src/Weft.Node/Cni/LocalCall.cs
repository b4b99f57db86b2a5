using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Datastore.Etcd;
using Weft.Hosting.Logging;
using Weft.Ipam;
using Weft.Node.Startup;

namespace Weft.Node.Cni;

/// <summary>
/// A call in the plugin process itself, because no agent answered: the same verbs on a datastore connection of their own, made from the etcd_ members of
/// the network configuration. Log lines go to standard error, where runtimes collect them.
/// </summary>
internal static class LocalCall
{
    /// <summary>Calls of one machine take turns here, as they do inside an agent; without the file they go ahead all the same, since every write is a
    /// compare-and-swap.</summary>
    private const string LockFileName = "cni.lock";

    private static readonly TimeSpan s_lockPatience = TimeSpan.FromSeconds(30);

    public static async Task<CniOutcome> RunAsync(CniRequest request, PluginCall call, string reason, Stream errors, CancellationToken stop)
    {
        if (request.Verb == CniVerb.Del && request.Config.Datastore.Endpoints.Length == 0)
        {
            return await DeferAsync(request, call, reason, errors, stop);
        }

        DatastoreSettings settings = Settings(request.Config, reason);
        string runDir = Path.GetDirectoryName(request.Config.AgentSocket) ?? "/run/weft";
        using ConsoleLogs logs = new(errors, Level(request.Config.LogLevel), journal: false, TimeProvider.System);
        ILogger logger = logs.CreateLogger("cni");
        Log.WithoutAgent(logger, request.Config.AgentSocket, reason, request.Verb.ToString().ToUpperInvariant());
        await using EtcdDatastore store = EtcdDatastore.Connect(settings, logs, TimeProvider.System);
        CniExecutor executor = new(new CniServices
        {
            Datastore = store,
            Addresses = new AddressAllocator(store, logs, TimeProvider.System),
            Network = new PodNetwork(logger, HostRoutes.Here),
            PolicyWait = NoAgent.Instance,
            Readiness = NoAgent.Instance,
            Node = NodeName(request.Config),
            Time = TimeProvider.System,
            Logger = logger,
        });
        using FileStream? turn = await TakeTurnAsync(runDir, logger, stop);
        return await executor.RunAsync(request, stop);
    }

    /// <summary>The pod is cut off now; what the datastore has of it is the agent's to remove when it is back.</summary>
    private static async Task<CniOutcome> DeferAsync(CniRequest request, PluginCall call, string reason, Stream errors, CancellationToken stop)
    {
        using ConsoleLogs logs = new(errors, Level(request.Config.LogLevel), journal: false, TimeProvider.System);
        ILogger logger = logs.CreateLogger("cni");
        if (!request.IsIpam)
        {
            PodIdentity pod = PodIdentity.Of(request, NodeName(request.Config));
            await DelCommand.CutAsync(new PodNetwork(logger, HostRoutes.Here), request, pod, stop);
        }

        DeferredDels.Write(DeferredDels.FolderBeside(request.Config.AgentSocket), request, call);
        Log.DelDeferred(logger, request.ContainerId, reason);
        return CniOutcome.Done;
    }

    private static DatastoreSettings Settings(NetworkConfig config, string reason)
    {
        DatastoreAccess access = config.Datastore;
        List<Uri> endpoints = [];
        foreach (string text in access.Endpoints.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            endpoints.Add(Uri.TryCreate(text, UriKind.Absolute, out Uri? endpoint) && endpoint.Scheme is "http" or "https"
                ? endpoint
                : throw new CniException(CniErrorCode.InvalidConfiguration, $"network configuration: etcd_endpoints: \"{text}\": expected http://HOST:PORT or https://HOST:PORT"));
        }

        return endpoints.Count > 0
            ? new DatastoreSettings { Endpoints = endpoints, CaFile = OrNull(access.CaFile), CertFile = OrNull(access.CertFile), KeyFile = OrNull(access.KeyFile) }
            : throw new CniException(CniErrorCode.TryAgainLater, $"no agent answers ({reason}), and the network configuration has no etcd_endpoints to work without one");

        static string? OrNull(string path) => path.Length == 0 ? null : path;
    }

    /// <summary>Configuration, then the file an agent or Calico wrote, then the host's name.</summary>
    private static string NodeName(NetworkConfig config)
    {
        try
        {
            return NodeSettings.NodeName(config.NodeName.Length == 0 && File.Exists(config.NodeNameFile) ? File.ReadAllText(config.NodeNameFile) : config.NodeName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CniException(CniErrorCode.Io, $"read {config.NodeNameFile}: {e.Message}");
        }
    }

    /// <summary>Calico knows debug, info and error here; anything else is info.</summary>
    private static LogLevel Level(string text) => text.ToLowerInvariant() switch
    {
        "debug" => LogLevel.Debug,
        "error" => LogLevel.Error,
        _ => LogLevel.Information,
    };

    private static async Task<FileStream?> TakeTurnAsync(string runDir, ILogger logger, CancellationToken stop)
    {
        string path = Path.Combine(runDir, LockFileName);
        long started = TimeProvider.System.GetTimestamp();
        string trouble;
        do
        {
            try
            {
                Directory.CreateDirectory(runDir, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

                // FileShare.None is an exclusive flock, which ends with the process.
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e)
            {
                trouble = e.Message;
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, stop);
            }
            catch (UnauthorizedAccessException e)
            {
                trouble = e.Message;
                break;
            }
        }
        while (TimeProvider.System.GetElapsedTime(started) < s_lockPatience);

        Log.NoTurn(logger, path, trouble);
        return null;
    }
}
