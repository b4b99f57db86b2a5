using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Datastore.Etcd;
using Weft.Datastore.Sync;
using Weft.Hosting;
using Weft.Hosting.Configuration;
using Weft.Hosting.Control;
using Weft.Hosting.Monitoring;
using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Node.Startup;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// <c>weft router</c>: BGP for a node or a switch. Wiring only.
/// <code><![CDATA[
///   weft.conf --RouterSettings--+      datastore --EtcdSyncer--+      (only when [datastore] endpoints is set)
///                               v                              v
///                           RouterLoop: ClusterState --PeerDerivation--> DesiredRouter
///                               |
///                               v              HostWatcher <== kernel: links, addresses, routes of others
///   neighbours --PeerListener-> SpeakerHost        | HostView
///   neighbours <-PeerTransport--   |               +------------------+
///                                  v               v                  v
///                              BgpSpeaker <---- NextHops          FibFeeder --> KernelFib --> Drivers/Routes ==> kernel (protocol 81)
///                                  +------ BestChange ------------->
///   router.sock --RouterControl--> pictures of all of it
/// ]]></code>
/// The kernel keeps forwarding whatever happens here: routes stay when the role stops or dies, and are confirmed or removed by the next one.
/// </summary>
public sealed class RouterRole : IRole
{
    internal const string SocketName = "router.sock";

    public string Name => "router";

    public string Summary => "BGP: sessions with switches and nodes, learnt routes into the kernel";

    public IReadOnlyList<ISetting> Settings { get; } = [.. RouterSettings.All, .. DatastoreSettings.Settings];

    public IReadOnlyList<Metric> Metrics => RouterMetrics.All;

    public IReadOnlyList<RoleOption> Options { get; } = [new("--run-dir", RouterSettings.RunDirectorySetting)];

    public IReadOnlyList<ICommand> Commands { get; } = [new ShowCommand(), OperateCommand.Reset, OperateCommand.Shutdown, OperateCommand.Drain, OperateCommand.Enable];

    public async Task<ExitStatus> RunAsync(RoleContext context, CancellationToken stop)
    {
        ILogger logger = context.Logs.CreateLogger("router");
        bool usesDatastore = DatastoreSettings.IsConfigured(context.Settings);
        RouterSettings settings = RouterSettings.Read(context.Settings, usesDatastore);
        DatastoreSettings datastoreSettings = DatastoreSettings.Parse(context.Settings);
        if (context.Settings.Problems.Count > 0)
        {
            return ExitStatus.Configuration;
        }

        try
        {
            return await RunAsync(settings, datastoreSettings, context, logger, stop);
        }
        catch (Exception e) when (e is KernelException or IOException)
        {
            Log.Failed(logger, e.Message);
            return ExitStatus.Failed;
        }
    }

    /// <exception cref="KernelException">The kernel's tables cannot be read.</exception>
    /// <exception cref="IOException">Another router has the control socket.</exception>
    private static async Task<ExitStatus> RunAsync(RouterSettings settings, DatastoreSettings datastoreSettings, RoleContext context, ILogger logger, CancellationToken stop)
    {
        using CancellationTokenSource ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        RouterLoop? loop = null;
        using FibFeeder fib = new(new KernelFib(RouteSocket.Open(), settings.RouteProtocol, context.Time, context.Logs), context.Time, logger);
        using HostWatcher watcher = new(settings.RouteProtocol, new HostEvents(fib, () => loop?.HostChanged()), logger);
        fib.Host = () => watcher.Current;
        await using SpeakerHost speaker = new(fib, watcher, context.Time, context.Logs);
        loop = new RouterLoop(settings, speaker, () => watcher.Current, context.Systemd, context.Time, logger);
        fib.Recursive.Changed = () =>
        {
            speaker.RecursionChanged();
            loop.HostChanged();
        };
        RouterControl control = new(() => loop.Status, (request, cancel) => loop.PostAsync(new RouterMessage { Operator = request }, cancel), fib, context.Time);
        await using (ControlServer server = ControlServer.ListenForLines(Path.Combine(settings.RunDirectory, SocketName), control.HandleAsync, context.Time))
        {
            MonitoringServer[] monitoring = [.. settings.Monitoring.Select(at => MonitoringServer.Listen(PeerSocket.EndPoint(at.Address, at.Port, scope: 0), control.MonitorAsync, context.Time))];
            List<Task> tasks = [.. monitoring.Select(m => m.RunAsync(ending.Token)), watcher.RunAsync(ending.Token), fib.RunAsync(ending.Token), loop.RunAsync(ending.Token), server.RunAsync(ending.Token), ReloadAsync(context, settings, loop, logger, ending.Token)];
            if (settings.UsesDatastore)
            {
                tasks.Add(SyncAsync(datastoreSettings, ClusterState.Prefixes(settings.NodeName), loop, context, ending.Token));
                tasks.Add(SyncWorkloadsAsync(datastoreSettings, loop, context, ending.Token));
            }

            ExitStatus status = await UntilFirstAsync([.. tasks, speaker.Failure], stop, logger);
            context.Systemd.Stopping("ending sessions; routes stay in the kernel");

            // Sessions first, in silence: neighbours keep our routes for the restart time. Then everything that fed them.
            await speaker.DisposeAsync();
            await ending.CancelAsync();
            await Task.WhenAll(tasks).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Array.ForEach(monitoring, static m => m.Dispose());
            return status;
        }
    }

    /// <summary>Waits for the stop, or for a part that failed: one part cannot do without another, and systemd starts them all anew.</summary>
    private static async Task<ExitStatus> UntilFirstAsync(Task[] tasks, CancellationToken stop, ILogger logger)
    {
        Task stopping = Task.Delay(Timeout.InfiniteTimeSpan, stop);
        Task first = await Task.WhenAny([stopping, .. tasks]);
        if (first == stopping || stop.IsCancellationRequested)
        {
            return ExitStatus.Ok;
        }

        Log.Failed(logger, first.Exception?.InnerException?.ToString() ?? "a part of the router ended by itself");
        return ExitStatus.Failed;
    }

    /// <summary>Endpoints of workloads are many, and only sessions with local workloads need them: nothing is read until a BGPPeer asks for such.</summary>
    private static async Task SyncWorkloadsAsync(DatastoreSettings settings, RouterLoop loop, RoleContext context, CancellationToken stop)
    {
        await Task.WhenAny(loop.NeedsWorkloads, Task.Delay(Timeout.InfiniteTimeSpan, stop));
        if (!stop.IsCancellationRequested)
        {
            await SyncAsync(settings, [ModelPrefix.Of(ResourceKind.WorkloadEndpoint)], new UpdatesOnly(loop), context, stop);
        }
    }

    /// <summary>The state of the datastore is told by the first syncer.</summary>
    private sealed class UpdatesOnly(ISyncSink sink) : ISyncSink
    {
        public ValueTask OnStatusAsync(SyncStatus status, string detail, CancellationToken stop) => ValueTask.CompletedTask;

        public ValueTask OnUpdatesAsync(IReadOnlyList<ModelUpdate> updates, CancellationToken stop) => sink.OnUpdatesAsync(updates, stop);
    }

    private static async Task SyncAsync(DatastoreSettings settings, IReadOnlyList<ModelPrefix> prefixes, ISyncSink sink, RoleContext context, CancellationToken stop)
    {
        await using EtcdDatastore store = EtcdDatastore.Connect(settings, context.Logs, context.Time);
        EtcdSyncer syncer = new(store, prefixes, context.Logs, context.Time);
        try
        {
            await syncer.RunAsync(sink, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Stopping is the only way out.
        }
    }

    /// <summary>SIGHUP: a file with problems changes nothing.</summary>
    private static async Task ReloadAsync(RoleContext context, RouterSettings running, RouterLoop loop, ILogger logger, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await context.Reload.WaitAsync(stop);
                if (context.ReadSettingsAgain?.Invoke() is not { } reader)
                {
                    continue;
                }

                context.Systemd.Reloading();
                RouterSettings next = RouterSettings.Read(reader, running.UsesDatastore);
                if (reader.Problems.Count == 0)
                {
                    WarnOfRestartOnly(running, next, DatastoreSettings.IsConfigured(reader), logger);
                    next = next with { RunDirectory = running.RunDirectory, RouteProtocol = running.RouteProtocol, NodeName = running.NodeName };
                    await loop.PostAsync(new RouterMessage { Settings = next }, stop);
                    Log.Reloaded(logger, reader.Path);
                }

                foreach (string problem in reader.Problems)
                {
                    Log.ReloadRefused(logger, problem);
                }

                context.Systemd.Ready(reader.Problems.Count == 0 ? "settings read again" : $"settings not taken over: {reader.Problems[0]}");
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The role is ending.
        }
    }

    private static void WarnOfRestartOnly(RouterSettings running, RouterSettings next, bool usesDatastore, ILogger logger)
    {
        foreach ((string section, string key, bool changed) in ((string, string, bool)[])
        [
            ("router", RouterSettings.RunDirectorySetting.Key, running.RunDirectory != next.RunDirectory),
            ("router", RouterSettings.MonitoringSetting.Key, !running.Monitoring.AsSpan().SequenceEqual(next.Monitoring.AsSpan())),
            ("router", RouterSettings.RouteProtocolSetting.Key, running.RouteProtocol != next.RouteProtocol),
            ("node", NodeSettings.NameSetting.Key, running.NodeName != next.NodeName),
            ("datastore", "endpoints", running.UsesDatastore != usesDatastore),
        ])
        {
            if (changed)
            {
                Log.NeedsRestart(logger, section, key);
            }
        }
    }

    /// <summary>The watcher's news for everybody who lives by them.</summary>
    private sealed class HostEvents(FibFeeder fib, Action changed) : IHostListener
    {
        public void OnHostChanged()
        {
            fib.TryPost(new FibMessage(FibEvent.Host));
            changed();
        }

        public void OnOwnRouteRemoved(IpPrefix prefix, uint metric)
        {
            if (!fib.TryPost(new FibMessage(FibEvent.OwnRouteRemoved, (prefix, metric))))
            {
                fib.DoubtKernel();
            }
        }

        public void OnOwnRoutesInDoubt() => fib.DoubtKernel();
    }
}
