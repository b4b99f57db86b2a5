using System.Reflection;
using Microsoft.Extensions.Logging;
using Weft.Dataplane;
using Weft.Dataplane.Drivers;
using Weft.Datastore;
using Weft.Datastore.Sync;
using Weft.Hosting;
using Weft.Hosting.Control;
using Weft.Ipam;
using Weft.Model.Felix;
using Weft.Node.Cni;
using Weft.Node.Startup;

namespace Weft.Node.Agent;

/// <summary>The dataplane as the agent runs it.</summary>
internal interface IDataplane : IDataplaneIntake, IBeatingLoop, IDisposable
{
    /// <summary>Runs until stopped; the kernel stays as it is then.</summary>
    Task RunAsync(CancellationToken stop);

    /// <inheritdoc cref="DataplaneLoop.ReadHitsAsync"/>
    Task<IReadOnlyList<RuleHits>> ReadHitsAsync(CancellationToken stop);
}

/// <summary>What the agent is made of, besides what it makes itself; the role fills it with the real ones.</summary>
internal sealed class AgentParts
{
    public required AgentSettings Settings { get; init; }

    public required NodeSettings Node { get; init; }

    /// <summary>What environment and file of this node say in place of FelixConfiguration.</summary>
    public FelixLocalSettings Felix { get; init; } = FelixLocalSettings.None;

    public required IDatastore Datastore { get; init; }

    public required ISyncer Syncer { get; init; }

    public required IAddressAllocator Addresses { get; init; }

    public required IPodNetwork Network { get; init; }

    public required INodeHost Host { get; init; }

    /// <summary>Given what it reports to.</summary>
    public required Func<EndpointProgress, AgentState, IDataplane> Dataplane { get; init; }
}

/// <summary>
/// The agent while it runs:
/// <code>
///   etcd --watch--> EtcdSyncer --updates--> PolicyLoop (PolicyGraph) --DataplaneUpdate--> DataplaneLoop --netlink, iptables-restore--> kernel
///     ^ ^ ^                                     | wanted                                      | programmed
///     | | |                                     v                                             v
///     | | +-- NodeStartup (Node, tunnels)   EndpointProgress &lt;-----------------------------+
///     | +---- LifeSign (twin detection)         | wakes
///     |                                         v
///     +------ CniExecutor (IPAM, endpoints) &lt;-- CniServer on RUN-DIR/agent.sock &lt;-- weft as CNI plugin, weft node status
/// </code>
/// Nothing is written to the kernel before the first in-sync. A datastore that is absent or lost leaves the kernel as it is; stopping does so too.
/// </summary>
internal sealed class AgentProcess
{
    /// <summary>How often the status line is renewed and, without a watchdog, the loops are looked at.</summary>
    private static readonly TimeSpan s_lookPeriod = TimeSpan.FromSeconds(5);

    private readonly AgentParts _parts;
    private readonly RoleContext _context;
    private readonly ILogger _logger;
    private readonly AgentState _state;
    private readonly EndpointProgress _progress;
    private readonly IDataplane _dataplane;
    private readonly PolicyLoop _policy;
    private readonly LifeSign _lifeSign;
    private readonly NodeStartup _startup;
    private readonly CniExecutor _executor;
    private readonly DeferredDels _deferred;
    private readonly CniServer _server;
    private readonly StatusReport _status;
    private readonly LoopHealth _health;
    private readonly AgentMonitor _monitor;

    public AgentProcess(AgentParts parts, RoleContext context)
    {
        (_parts, _context, _logger) = (parts, context, context.Logs.CreateLogger("agent"));
        string node = parts.Node.Name;
        _state = new AgentState(context.Time) { LocalProblems = parts.Felix.Problems };
        _progress = new EndpointProgress(parts.Settings.PolicyWait, context.Time);
        _dataplane = parts.Dataplane(_progress, _state);
        NodeMtu mtu = new(parts.Settings.Mtu, NodeMtu.DefaultFile, context.Time);
        _policy = new PolicyLoop(node, parts.Felix, _dataplane, _progress, _state, mtu, context.Time, _logger);
        _lifeSign = new LifeSign(node, parts.Settings.StatusPeriod, parts.Datastore, context.Time, _logger);
        _startup = new NodeStartup(parts.Node, parts.Datastore, parts.Host, Version, context.Time, context.Logs);
        _status = new StatusReport(node, _state, _progress, _lifeSign, context.Time.GetUtcNow());
        _health = new LoopHealth([_policy, _dataplane], context.Time, _logger);
        _monitor = new AgentMonitor(_state, _progress, _health, context.Time, _logger);
        ILogger cni = context.Logs.CreateLogger("cni");
        _executor = new CniExecutor(new CniServices
            {
                Datastore = parts.Datastore, Addresses = parts.Addresses, Network = parts.Network, PolicyWait = _progress, Readiness = _state, Node = node,
                DefaultMtu = () => mtu.Value, PodsStartWithoutPolicy = parts.Settings.PodsStartWithoutPolicy, Time = context.Time, Logger = cni,
            });
        _deferred = new DeferredDels(DeferredDels.FolderBeside(parts.Settings.SocketPath), context.Time, cni);
        _server = new CniServer(_executor, _status.Write, () => FelixView.Write(node, _state.Config, parts.Felix), _dataplane.ReadHitsAsync, parts.Settings.PolicyOnly);
        foreach (string problem in parts.Felix.Problems)
        {
            Log.NotInEffect(_logger, problem);
        }
    }

    private static string Version => typeof(AgentProcess).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? string.Empty;

    public async Task<ExitStatus> RunAsync(CancellationToken stop)
    {
        using IDataplane dataplane = _dataplane;
        ControlServer control;
        try
        {
            control = ControlServer.Listen(_parts.Settings.SocketPath, _server.AnswerAsync, _context.Time, inherited: _context.Sockets.Take(_parts.Settings.SocketPath));
        }
        catch (IOException e)
        {
            Log.CannotListen(_logger, e.Message);
            return ExitStatus.Failed;
        }

        await using ControlServer listening = control;
        Log.Listening(_logger, _parts.Node.Name, control.Path);

        // Ready means: calls are answered. Whether the datastore answers is told by STATUS= and by the CNI verb STATUS: a machine must come up without its
        // datastore, with the routes and policy it had.
        _context.Systemd.Ready(_status.Line());
        bool failed = await RunPartsAsync(control, stop);
        _context.Systemd.Stopping("stopped; routes and policy stay in the kernel");
        Log.Stopped(_logger);
        return failed ? ExitStatus.Failed : ExitStatus.Ok;
    }

    /// <summary>All parts end together; one that ends by itself takes the process with it, and the service manager starts it anew.</summary>
    private async Task<bool> RunPartsAsync(ControlServer control, CancellationToken stop)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        bool failed = false;
        await Task.WhenAll(
            Guard("control socket", control.RunAsync(end.Token)),
            Guard("syncer", _parts.Syncer.RunAsync(_policy, end.Token)),
            Guard("policy loop", _policy.RunAsync(end.Token)),
            Guard("dataplane loop", _dataplane.RunAsync(end.Token)),
            Guard("start-up", _startup.RunAsync(OnStartup, end.Token)),
            Guard("deferred DELs", _deferred.RunAsync(_executor, _state, end.Token)),
            Guard("life sign", _lifeSign.RunAsync(end.Token)),
            Guard("monitoring", _monitor.RunAsync(end.Token)),
            Guard("watchdog", WatchAsync(end.Token)));
        return failed;

        async Task Guard(string part, Task running)
        {
            try
            {
                await running;
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                // Stopping, or another part has ended.
            }
            catch (Exception e)
            {
                failed = true;
                Log.PartEnded(_logger, e, part);
            }

            await end.CancelAsync();
        }
    }

    private void OnStartup(string? problem)
    {
        _state.SetStartupProblem(problem ?? (_startup.Problems.Count > 0 ? string.Join("; ", _startup.Problems) : null));
        if (problem is null)
        {
            _state.SetStarted();
        }
    }

    /// <summary>Feeds systemd's watchdog as long as both loops come round, and renews the status line.</summary>
    private async Task WatchAsync(CancellationToken stop)
    {
        TimeSpan period = _context.Systemd.WatchdogPeriod is { } limit && limit / 2 < s_lookPeriod ? limit / 2 : s_lookPeriod;
        while (!stop.IsCancellationRequested)
        {
            _health.Beat();
            await Task.Delay(period, _context.Time, stop);
            _context.Systemd.Status(_status.Line());
            if (_health.AllAlive())
            {
                _context.Systemd.FeedWatchdog();
            }
        }
    }
}
