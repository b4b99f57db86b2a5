using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Store.Services;
using Weft.Cluster.Store.Storage;
using Weft.Cluster.Store.Transport;
using Weft.Cluster.Store.Watching;
using Weft.Hosting;
using Weft.Hosting.Configuration;
using Weft.Hosting.Monitoring;

namespace Weft.Cluster.Store;

/// <summary>
/// "weft store": the datastore of small sites, etcd's v3 API over one durable file.
/// <code>
///   client --HTTP/2--> StoreServer --> GrpcApplication --> KvService, LeaseService, ... --read--> StoreState (immutable)
///                                                                 | write
///                                                                 v
///                                                             WriteLoop --one transaction per batch--> StoreFile (SQLite)
///                                                                 | published
///                                                                 v
///                                             EventLog --> WatchStream, one per Watch call --> client
/// </code>
/// </summary>
public sealed class StoreRole : IRole
{
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(1);

    public string Name => "store";

    public string Summary => "run the embedded datastore (etcd v3 API over one file)";

    public IReadOnlyList<ISetting> Settings => StoreSettings.All;

    public IReadOnlyList<Metric> Metrics => StoreMetrics.All;

    public IReadOnlyList<RoleOption> Options =>
    [
        new("--listen", StoreSettings.ListenSetting),
        new("--data", StoreSettings.DataSetting),
    ];

    public async Task<ExitStatus> RunAsync(RoleContext context, CancellationToken stop)
    {
        ILogger logger = context.Logs.CreateLogger("store");
        StoreSettings settings = StoreSettings.Read(context.Settings);
        TlsMiddleware? tls = OpenTls(settings, context, logger);
        if (context.Settings.Problems.Count > 0)
        {
            return ExitStatus.Configuration;
        }

        try
        {
            // Opening reads the whole file: not on the thread that handles signals.
            (StoreFile file, StoreState state) = await Task.Run(() => Open(settings), stop);
            using (file)
            {
                return await ServeAsync(settings, tls, file, state, context, logger, stop);
            }
        }
        catch (StoreDamagedException e)
        {
            Log.FileRefused(logger, settings.Data, e.Message);
            return ExitStatus.Configuration; // Starting again would not help.
        }
        catch (Exception e) when (e is StoreBusyException or SqliteException or IOException or UnauthorizedAccessException)
        {
            Log.FileNotOpened(logger, settings.Data, e.Message);
            return ExitStatus.Failed;
        }
    }

    private static (StoreFile File, StoreState State) Open(StoreSettings settings)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(settings.Data)!);
        StoreFile file = StoreFile.Open(settings.Data);
        try
        {
            return (file, file.Load());
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static TlsMiddleware? OpenTls(StoreSettings settings, RoleContext context, ILogger logger)
    {
        if (!settings.HasTls || context.Settings.Problems.Count > 0)
        {
            return null;
        }

        try
        {
            return new TlsMiddleware(settings, context.Time, logger);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            context.Settings.Report(StoreSettings.CertFileSetting, $"read {settings.CertFile}, {settings.KeyFile} {settings.ClientCaFile}: {e.Message}");
            return null;
        }
    }

    private static async Task<ExitStatus> ServeAsync(
        StoreSettings settings, TlsMiddleware? tls, StoreFile file, StoreState state, RoleContext context, ILogger logger, CancellationToken stop)
    {
        using CancellationTokenSource ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        await using WriteLoop loop = new(file, state, settings.Quota, context.Time, logger);
        using HistoryPool history = new(file.Path, () => loop.State.CompactRevision);
        StoreContext store = new(loop, history, new RecentPast(loop.Events, () => loop.State, history), file, settings, context.Time, ending.Token);
        await using StoreServer server = new(settings.Listen, tls, new PlainHttpMiddleware(() => !loop.IsOutOfSpace, () => StoreMetrics.Write(loop.State, loop.FileSize.Size, loop.IsOutOfSpace), StoreContext.EtcdVersion, context.Time), context.Logs);
        GrpcApplication application = new(Route(store), context.Time, logger, ending.Token);
        try
        {
            await server.StartAsync(application, stop);
        }
        catch (Exception e) when (e is IOException or SocketException or AddressInUseException)
        {
            Log.NotListening(logger, string.Join(", ", settings.Listen), e.Message);
            return ExitStatus.Failed;
        }

        foreach (IPEndPoint open in settings.Listen.Where(e => tls is null && !IPAddress.IsLoopback(e.Address)))
        {
            Log.OpenToAll(logger, open.ToString());
        }

        string endPoints = string.Join(", ", settings.Listen);
        Log.Listening(logger, endPoints, file.Path, state.Revision, state.Keys.Count, state.Leases.Count, loop.FileSize.Size);
        context.Systemd.Ready($"listening on {endPoints}, revision {state.Revision}");
        Task compaction = new AutoCompaction(loop, settings.KeepHistory, settings.KeepRevisions, context.Time, logger).RunAsync(ending.Token);
        Task watchdog = FeedWatchdogAsync(context, loop, ending.Token);

        Task stopped = Task.Delay(Timeout.InfiniteTimeSpan, context.Time, stop);
        await Task.WhenAny(stopped, loop.Ended);

        Log.Stopping(logger, loop.State.Revision);
        context.Systemd.Stopping("stopping");
        await ending.CancelAsync(); // Watches and keep-alives end; calls that wait for the disk are answered.
        using CancellationTokenSource hurry = new(DrainTime, context.Time);
        await application.DrainAsync(hurry.Token);
        await server.StopAsync(hurry.Token);
        await compaction;
        await watchdog;
        return loop.Ended.IsFaulted ? ExitStatus.Failed : ExitStatus.Ok;
    }

    private static GrpcRouter Route(StoreContext store)
    {
        GrpcRouter router = new();
        new KvService(store).Register(router);
        new LeaseService(store).Register(router);
        new MaintenanceService(store).Register(router);
        new ClusterService(store).Register(router);
        router.Stream("/etcdserverpb.Watch/Watch", call => new WatchStream(store, call).RunAsync());
        return router;
    }

    /// <summary>Feeds systemd's watchdog only while the write loop answers.</summary>
    private static async Task FeedWatchdogAsync(RoleContext context, WriteLoop loop, CancellationToken stop)
    {
        if (context.Systemd.WatchdogPeriod is not { } period)
        {
            return;
        }

        using PeriodicTimer timer = new(period / 3, context.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                try
                {
                    await loop.RunAsync(static _ => 0, stop);
                }
                catch (GrpcException)
                {
                    // The disk refuses; the loop lives and says so, and restarting would not mend the disk.
                }

                context.Systemd.FeedWatchdog();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The role is stopping.
        }
    }
}
