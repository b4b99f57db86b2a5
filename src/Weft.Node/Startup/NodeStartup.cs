using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;
using NodeResource = Weft.Model.Resources.Node;

namespace Weft.Node.Startup;

/// <summary>
/// What a node does before anything else in the datastore (reference 6.1): the cluster's own objects, default configurations and pools, and its Node
/// resource with its addresses. Every step creates only what is missing, so all nodes may do it at once and at every start. Run by the agent; repeated
/// while the datastore is away, and every minute for addresses that changed.
/// </summary>
internal sealed class NodeStartup(NodeSettings settings, IDatastore datastore, INodeHost host, string version, TimeProvider time, ILogger logger)
{
    /// <summary>How often addresses are looked at again.</summary>
    public static readonly TimeSpan RepeatPeriod = TimeSpan.FromSeconds(60);

    private const int Attempts = 6;

    private bool _initialised;

    /// <summary>What stands in the way of a complete Node resource, in words; empty when all is well.</summary>
    public IReadOnlyList<string> Problems { get; private set; } = [];

    /// <exception cref="DatastoreException">The datastore could not be asked: call again.</exception>
    public async Task RunOnceAsync(CancellationToken stop)
    {
        if (!_initialised)
        {
            await ClusterInitialization.EnsureAsync(datastore, version, string.Empty, time, stop);
            await EnsureDefaultsAsync(stop);
            await EnsurePoolAsync(settings.DefaultIPv4Pool, "default-ipv4-ippool", stop);
            await EnsurePoolAsync(settings.DefaultIPv6Pool, "default-ipv6-ippool", stop);
            WriteNameFile();
            _initialised = true;
        }

        await EnsureNodeAsync(stop);
    }

    /// <summary>Runs for the life of the agent.</summary>
    /// <param name="progress">Called after every round, with the reason when it failed.</param>
    /// <param name="stop">The agent is stopping.</param>
    public async Task RunAsync(Action<string?> progress, CancellationToken stop)
    {
        TimeSpan pause = TimeSpan.FromSeconds(1);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await RunOnceAsync(stop);
                progress(null);
                pause = RepeatPeriod;
            }
            catch (DatastoreException e)
            {
                Log.StartupFailed(logger, e.Message);
                progress(e.Message);
                pause = TimeSpan.FromSeconds(Math.Min(pause.TotalSeconds * 2, 30));
            }
            catch (Linux.KernelException e)
            {
                Log.StartupFailed(logger, e.Message);
                progress(e.Message);
                pause = TimeSpan.FromSeconds(30);
            }

            await Task.Delay(pause, time, stop);
        }
    }

    private async Task EnsureDefaultsAsync(CancellationToken stop)
    {
        await EnsureAsync(new FelixConfiguration { Spec = FelixFields(("reportingInterval", "0s"), ("logSeverityScreen", "Info")) }, "default", stop);
        await EnsureAsync(new FelixConfiguration { Spec = FelixFields(("defaultEndpointToHostAction", "Return")) }, $"node.{settings.Name}", stop);
        await EnsureAsync(new BGPConfiguration(), "default", stop);
        await EnsureAsync(new IPAMConfiguration { Spec = { StrictAffinity = false, AutoAllocateBlocks = true } }, "default", stop);
    }

    private async Task EnsurePoolAsync(IpPrefix? cidr, string name, CancellationToken stop)
    {
        if (cidr is not { } prefix)
        {
            return;
        }

        ListResult pools = await datastore.ListAsync(ModelPrefix.Of(ResourceKind.IPPool), stop);
        if (pools.Items.Any(p => p.Value is IPPool { Spec.Cidr: { } text } && IpPrefix.TryParse(text, out IpPrefix other) && other.Family == prefix.Family))
        {
            return;
        }

        IPPool pool = new()
        {
            Spec =
            {
                Cidr = prefix.ToString(), IpipMode = "Never", VxlanMode = "Never", NatOutgoing = prefix.IsIPv4, NodeSelector = "all()",
                BlockSize = prefix.IsIPv4 ? 26 : 122, AllowedUses = ["Workload", "Tunnel"], AssignmentMode = "Automatic",
            },
        };
        if (await EnsureAsync(pool, name, stop))
        {
            Log.PoolCreated(logger, name, prefix);
        }
    }

    private async Task EnsureNodeAsync(CancellationToken stop)
    {
        IReadOnlyList<HostInterface> interfaces = host.Interfaces();
        ResourceKey key = new(ResourceKind.Node, settings.Name);
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            KeyValue? stored = await datastore.GetAsync(key, stop);
            NodeResource node = stored?.As<NodeResource>() ?? New(new NodeResource(), settings.Name);
            List<string> problems = [];
            bool changed = NodeMerge.Apply(node, settings, interfaces, host.SourceTowards, problems);
            await RefuseTakenAddressAsync(node, problems, stop);
            Problems = problems;
            if (problems.Count > 0)
            {
                problems.ForEach(p => Log.NodeProblem(logger, settings.Name, p));
            }

            if (stored is not null && (!changed || problems.Count > 0))
            {
                return;
            }

            WriteResult result = stored is null
                ? await datastore.CreateAsync(key, node, stop)
                : await datastore.UpdateAsync(key, node, stored.Revision, stop);
            if (result.IsWritten)
            {
                Log.NodeWritten(logger, settings.Name, node.Spec.Bgp?.Ipv4Address ?? "none", node.Spec.Bgp?.Ipv6Address ?? "none");
                return;
            }
        }

        throw new DatastoreException($"write of {key}: changed by somebody else {Attempts} times in a row");
    }

    /// <summary>Two nodes with one address break each other's sessions and routes: the second keeps its address out of the datastore.</summary>
    private async Task RefuseTakenAddressAsync(NodeResource node, List<string> problems, CancellationToken stop)
    {
        ListResult nodes = await datastore.ListAsync(ModelPrefix.Of(ResourceKind.Node), stop);
        foreach (NodeResource other in nodes.Items.Select(n => n.Value).OfType<NodeResource>().Where(n => n.Metadata.Name != settings.Name))
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
        return await datastore.GetAsync(key, stop) is null && (await datastore.CreateAsync(key, New(resource, name), stop)).IsWritten;
    }

    private T New<T>(T resource, string name)
        where T : Resource
    {
        resource.Metadata.Name = name;
        resource.Metadata.Uid = Guid.NewGuid().ToString();
        resource.Metadata.CreationTimestamp = time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ");
        return resource;
    }

    private void WriteNameFile()
    {
        if (settings.NameFile is not { } path)
        {
            return;
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, settings.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.NameFileNotWritten(logger, path, e.Message);
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
