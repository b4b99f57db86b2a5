using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers;
using Weft.Datastore;
using Weft.Datastore.Etcd;
using Weft.Datastore.Sync;
using Weft.Hosting;
using Weft.Hosting.Configuration;
using Weft.Hosting.Monitoring;
using Weft.Ipam;
using Weft.Linux;
using Weft.Model.Felix;
using Weft.Node.Cni;
using Weft.Node.Startup;

namespace Weft.Node.Agent;

/// <summary>"weft agent": reads the settings, makes the real parts and hands them to <see cref="AgentProcess"/>, where the drawing is.</summary>
public sealed class AgentRole : IRole
{
    public string Name => "agent";

    public string Summary => "run the node agent: CNI, pod routes and policy";

    public IReadOnlyList<ISetting> Settings => [.. AgentSettings.Settings, .. NodeSettings.Settings, .. DatastoreSettings.Settings];

    public IReadOnlyList<Metric> Metrics => AgentMetrics.All;

    public IReadOnlyList<RoleOption> Options => [new RoleOption("--run-dir", AgentSettings.RunDirOption)];

    public IReadOnlyList<ICommand> Commands => [AgentCommand.Status, AgentCommand.Configuration];

    public async Task<ExitStatus> RunAsync(RoleContext context, CancellationToken stop)
    {
        AgentSettings settings = AgentSettings.Parse(context.Settings);
        NodeSettings node = NodeSettings.Parse(context.Settings);
        DatastoreSettings datastore = DatastoreSettings.Parse(context.Settings);
        if (context.Settings.Problems.Count > 0)
        {
            return ExitStatus.Configuration;
        }

        ILogger logger = context.Logs.CreateLogger("agent");
        FelixLocalSettings felix = FelixLocalSettings.Read(
            context.Environment, settings.FelixFile, File.Exists(settings.FelixFile) ? await File.ReadAllLinesAsync(settings.FelixFile, stop) : []);
        await using EtcdDatastore store = EtcdDatastore.Connect(datastore, context.Logs, context.Time);
        ILogger cni = context.Logs.CreateLogger("cni");

        // What an earlier life cut but did not live to delete is still marked.
        LinkReaper reaper = new(space: null, context.Time, cni);
        reaper.Wake();
        AgentParts parts = new()
        {
            Settings = settings,
            Node = node,
            Felix = felix,
            Datastore = store,
            Syncer = new EtcdSyncer(store, PolicyLoop.Ranges, context.Logs, context.Time),
            Addresses = new AddressAllocator(store, context.Logs, context.Time),
            Network = new PodNetwork(cni, HostRoutes.ByDataplane, hostSpace: null, reaper),
            Host = new KernelHost(),
            Dataplane = (progress, state) => new KernelDataplane(settings, node.Name, progress, state, context),
        };
        AgentProcess agent;
        try
        {
            agent = new AgentProcess(parts, context);
        }
        catch (Exception e) when (e is DataplaneException or KernelException)
        {
            Log.NoDataplane(logger, e.Message);
            return ExitStatus.Failed;
        }

        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task<bool> reload = WaitForReloadAsync();
        ExitStatus status = await agent.RunAsync(end.Token);
        await end.CancelAsync();
        return await reload ? ExitStatus.RestartRequested : status;

        // SIGHUP with settings that are right ends this process with 129, and the service manager starts one that has them: the kernel's state stays
        // meanwhile, so a restart costs nothing that a reload would save.
        async Task<bool> WaitForReloadAsync()
        {
            try
            {
                while (true)
                {
                    await context.Reload.WaitAsync(end.Token);
                    if (context.ReadSettingsAgain?.Invoke() is { } fresh && Check(fresh, logger))
                    {
                        await end.CancelAsync();
                        return true;
                    }
                }
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }

    private static bool Check(SettingsReader fresh, ILogger logger)
    {
        AgentSettings.Parse(fresh);
        NodeSettings.Parse(fresh);
        DatastoreSettings.Parse(fresh);
        foreach (string problem in fresh.Problems)
        {
            Log.SettingsRefused(logger, problem);
        }

        return fresh.Problems.Count == 0;
    }
}
