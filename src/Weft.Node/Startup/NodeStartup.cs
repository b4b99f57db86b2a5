using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Datastore.Sync;
using Weft.Ipam;
using Weft.Ipam.Tunnels;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;
using NodeResource = Weft.Model.Resources.Node;

namespace Weft.Node.Startup;

/// <summary>
/// What a node does before anything else in the datastore (reference 6.1): the cluster's own objects, default configurations and pools, and its Node
/// resource with its addresses, those of its tunnels too. Every step creates only what is missing, so all nodes may do it at once and at every start. Run
/// by the agent; repeated while the datastore is away, every minute for addresses that changed, and the tunnels at once when a pool or the Node changes.
/// </summary>
internal sealed class NodeStartup
{
    /// <summary>How often addresses are looked at again.</summary>
    public static readonly TimeSpan RepeatPeriod = TimeSpan.FromSeconds(60);

    private const int Attempts = 6;

    private readonly NodeSettings _settings;
    private readonly IDatastore _datastore;
    private readonly INodeHost _host;
    private readonly string _version;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TunnelAddresses _tunnels;
    private readonly ISyncer _changes;
    private IReadOnlyList<string> _nodeProblems = [];
    private bool _initialised;

    public NodeStartup(NodeSettings settings, IDatastore datastore, INodeHost host, string version, TimeProvider time, ILoggerFactory logs)
    {
        (_settings, _datastore, _host, _version, _time, _logger) = (settings, datastore, host, version, time, logs.CreateLogger("startup"));
        _tunnels = new TunnelAddresses(settings.Name, datastore, new AddressAllocator(datastore, logs, time), _logger, time);
        _changes = new EtcdSyncer(datastore, _tunnels.Ranges, logs, time);
    }

    /// <summary>What stands in the way of a complete Node resource, in words; empty when all is well.</summary>
    public IReadOnlyList<string> Problems => [.. _nodeProblems, .. _tunnels.Problems];

    /// <summary>Where each address of the Node comes from, and why this one; told anew only when it changes.</summary>
    public IReadOnlyList<string> Choices { get; private set; } = [];

    /// <exception cref="DatastoreException">The datastore could not be asked: call again.</exception>
    public async Task RunOnceAsync(CancellationToken stop)
    {
        if (!_initialised)
        {
            await ClusterInitialization.EnsureAsync(_datastore, _version, string.Empty, _time, stop);
            await EnsureDefaultsAsync(stop);
            await EnsurePoolAsync(_settings.DefaultIPv4Pool, stop);
            await EnsurePoolAsync(_settings.DefaultIPv6Pool, stop);
            WriteNameFile();
            _initialised = true;
        }

        await EnsureNodeAsync(stop);
        await _tunnels.RunOnceAsync(stop);
    }

    /// <summary>Runs for the life of the agent.</summary>
    /// <param name="progress">Called after every round, with the reason when it failed.</param>
    /// <param name="stop">The agent is stopping.</param>
    public async Task RunAsync(Action<string?> progress, CancellationToken stop)
    {
        ChangeSignal changes = new();
        Task watching = _changes.RunAsync(changes, stop);
        TimeSpan pause = TimeSpan.FromSeconds(1);
        bool onlyTunnels = false;
        while (!watching.IsCompleted)
        {
            try
            {
                if (onlyTunnels)
                {
                    await _tunnels.RunOnceAsync(stop);
                }
                else
                {
                    await RunOnceAsync(stop);
                }

                progress(null);
                pause = RepeatPeriod;
                onlyTunnels = true;
            }
            catch (DatastoreException e)
            {
                Log.StartupFailed(_logger, e.Message);
                progress(e.Message);
                onlyTunnels = false;
                pause = TimeSpan.FromSeconds(Math.Min(pause.TotalSeconds * 2, 30));
            }
            catch (Linux.KernelException e)
            {
                Log.StartupFailed(_logger, e.Message);
                progress(e.Message);
                onlyTunnels = false;
                pause = TimeSpan.FromSeconds(30);
            }

            // After a round that did not come to its end, nothing is left out.
            onlyTunnels = await changes.WaitAsync(pause, _time, stop) && onlyTunnels;
        }

        await watching;
    }

    private async Task EnsureDefaultsAsync(CancellationToken stop)
    {
        await EnsureAsync(new FelixConfiguration { Spec = FelixFields(("reportingInterval", "0s"), ("logSeverityScreen", "Info")) }, "default", stop);
        await EnsureAsync(new FelixConfiguration { Spec = FelixFields(("defaultEndpointToHostAction", "Return")) }, $"node.{_settings.Name}", stop);
        await EnsureAsync(new BGPConfiguration(), "default", stop);
        await EnsureAsync(new IPAMConfiguration { Spec = { StrictAffinity = false, AutoAllocateBlocks = true } }, "default", stop);
    }

    private async Task EnsurePoolAsync(DefaultPool? wanted, CancellationToken stop)
    {
        if (wanted is null)
        {
            return;
        }

        ListResult pools = await _datastore.ListAsync(ModelPrefix.Of(ResourceKind.IPPool), stop);
        if (pools.Items.Any(p => p.Value is IPPool { Spec.Cidr: { } text } && IpPrefix.TryParse(text, out IpPrefix other) && other.Family == wanted.Family))
        {
            return;
        }

        IPPool pool = wanted.Resource(_host.Interfaces());
        if (await EnsureAsync(pool, wanted.Name, stop))
        {
            Log.PoolCreated(_logger, wanted.Name, pool.Spec.Cidr);
        }
    }

    private async Task EnsureNodeAsync(CancellationToken stop)
    {
        IReadOnlyList<HostInterface> interfaces = _host.Interfaces();
        ResourceKey key = new(ResourceKind.Node, _settings.Name);
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            KeyValue? stored = await _datastore.GetAsync(key, stop);
            NodeResource node = stored?.As<NodeResource>() ?? New(new NodeResource(), _settings.Name);
            List<string> problems = [];
            List<string> choices = [];
            bool changed = NodeMerge.Apply(node, _settings, interfaces, _host.SourceTowards, problems, choices);
            Tell(choices);
            await RefuseTakenAddressAsync(node, problems, stop);
            _nodeProblems = problems;
            if (problems.Count > 0)
            {
                problems.ForEach(p => Log.NodeProblem(_logger, _settings.Name, p));
            }

            if (stored is not null && (!changed || problems.Count > 0))
            {
                return;
            }

            WriteResult result = stored is null
                ? await _datastore.CreateAsync(key, node, stop)
                : await _datastore.UpdateAsync(key, node, stored.Revision, stop);
            if (result.IsWritten)
            {
                Log.NodeWritten(_logger, _settings.Name, node.Spec.Bgp?.Ipv4Address ?? "none", node.Spec.Bgp?.Ipv6Address ?? "none");
                return;
            }
        }

        throw new DatastoreException($"write of {key}: changed by somebody else {Attempts} times in a row");
    }

    private void Tell(List<string> choices)
    {
        foreach (string choice in choices.Except(Choices))
        {
            Log.AddressChosen(_logger, _settings.Name, choice);
        }

        Choices = choices;
    }

    /// <summary>Two nodes with one address break each other's sessions and routes: the second keeps its address out of the datastore.</summary>
    private async Task RefuseTakenAddressAsync(NodeResource node, List<string> problems, CancellationToken stop)
    {
        ListResult nodes = await _datastore.ListAsync(ModelPrefix.Of(ResourceKind.Node), stop);
        foreach (NodeResource other in nodes.Items.Select(n => n.Value).OfType<NodeResource>().Where(n => n.Metadata.Name != _settings.Name))
        {
            foreach ((string? mine, string? theirs) in new[] { (node.Spec.Bgp?.Ipv4Address, other.Spec.Bgp?.Ipv4Address), (node.Spec.Bgp?.Ipv6Address, other.Spec.Bgp?.Ipv6Address) })
            {
                if (mine is not null && theirs is not null && mine.Split('/')[0] == theirs.Split('/')[0])
                {
                    problems.Add($"node {other.Metadata.Name} has the address {theirs} already");
                }
            }
        }

        if (problems.Count > 0 && node.Metadata.ResourceVersion is null)
        {
            // A new Node is created all the same, so that its pods get addresses; it has no BGP address until the conflict is gone.
            node.Spec.Bgp = node.Spec.Bgp is { AsNumber: { } number } ? new NodeBgpSpec { AsNumber = number } : null;
            node.Spec.Addresses = null;
        }
    }

    private async Task<bool> EnsureAsync(Resource resource, string name, CancellationToken stop)
    {
        ResourceKey key = new(resource.ResourceKind, name);
        return await _datastore.GetAsync(key, stop) is null && (await _datastore.CreateAsync(key, New(resource, name), stop)).IsWritten;
    }

    private T New<T>(T resource, string name)
        where T : Resource
    {
        resource.Metadata.Name = name;
        resource.Metadata.Uid = Guid.NewGuid().ToString();
        resource.Metadata.CreationTimestamp = _time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ");
        return resource;
    }

    private void WriteNameFile()
    {
        if (_settings.NameFile is not { } path)
        {
            return;
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, _settings.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.NameFileNotWritten(_logger, path, e.Message);
        }
    }

    private static FelixConfigurationSpec FelixFields(params ReadOnlySpan<(string Name, string Value)> fields)
    {
        FelixConfigurationSpec spec = new();
        foreach ((string name, string value) in fields)
        {
            spec.Fields[name] = System.Text.Json.JsonDocument.Parse($"\"{value}\"").RootElement.Clone();
        }

        return spec;
    }
}

/// <summary>What the start-up sees of the machine.</summary>
internal interface INodeHost
{
    IReadOnlyList<HostInterface> Interfaces();

    IpAddress? SourceTowards(IpAddress target);
}

/// <summary>The machine itself.</summary>
internal sealed class KernelHost : INodeHost
{
    public IReadOnlyList<HostInterface> Interfaces() => HostInterfaces.Read();

    public IpAddress? SourceTowards(IpAddress target) => HostInterfaces.SourceTowards(target);
}
