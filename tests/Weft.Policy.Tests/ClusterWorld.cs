using System.Text;
using System.Text.Json.Nodes;
using Weft.Model.Keys;
using Weft.Model.Kubernetes;
using Weft.Model.Resources;
using Weft.Policy.Output;

namespace Weft.Policy.Tests;

/// <summary>A small cluster of Kubernetes objects, all of its pods on one node, before the calculation graph of that node.</summary>
/// <param name="addresses">By "namespace/pod".</param>
internal sealed class ClusterWorld(JsonObject addresses)
{
    private const string ThisNode = "node1";

    private readonly PolicyGraph _graph = Started();
    private readonly HashSet<ModelKey> _present = [];

    public void Begin(JsonObject environment)
    {
        foreach (JsonNode? ns in environment["namespaces"]!.AsArray())
        {
            Put(NamespaceKey((string)ns!["metadata"]!["name"]!), ProfileConversion.Namespace(Metadata(ns)));
        }

        foreach (JsonNode? pod in environment["pods"]!.AsArray())
        {
            PutPod(pod!);
        }
    }

    /// <summary>As before <see cref="Begin"/>.</summary>
    public void Clear()
    {
        foreach (ResourceKey key in _present.OfType<ResourceKey>().ToArray())
        {
            Put(key, null);
        }
    }

    public void Flush(IDataplaneSink sink) => _graph.Flush(sink);

    public void Apply(JsonObject action)
    {
        string ns = (string)action["namespace"]!;
        string? name = (string?)action["name"];
        switch ((string)action["action"]!)
        {
            case "createPolicy" or "updatePolicy":
                Assert.True(KubernetesJson.TryRead(Encoding.UTF8.GetBytes(action["object"]!.ToJsonString()), out KubernetesNetworkPolicy? policy, out string? problem), problem);
                ConvertedPolicy<NetworkPolicy> converted = NetworkPolicyConversion.Convert(policy);
                Assert.Empty(converted.Problems);
                Put(PolicyKey(ns, name!), converted.Policy);
                break;
            case "deletePolicy":
                Put(PolicyKey(ns, name!), null);
                break;
            case "createNamespace" or "setNamespaceLabels":
                Put(NamespaceKey(ns), ProfileConversion.Namespace(Metadata(action["object"]!)));
                break;
            case "deleteNamespace":
                foreach (ResourceKey gone in _present.OfType<ResourceKey>().Where(k => k.Namespace == ns).ToArray())
                {
                    Put(gone, null);
                }

                Put(NamespaceKey(ns), null);
                break;
            case "createPod" or "setPodLabels":
                PutPod(action["object"]!);
                break;
            case "deletePod":
                Put(PodKey(ns, name!), null);
                break;
            default:
                Assert.Fail($"unknown action {action["action"]}");
                break;
        }
    }

    private static PolicyGraph Started()
    {
        PolicyGraph graph = new(ThisNode);
        graph.OnInSync();
        return graph;
    }

    private void PutPod(JsonNode pod)
    {
        ObjectMeta metadata = Metadata(pod);
        WorkloadEndpoint endpoint = new()
        {
            Metadata = metadata,
            Spec = new WorkloadEndpointSpec
            {
                Orchestrator = "k8s", Node = ThisNode, Pod = metadata.Name, Endpoint = "eth0", InterfaceName = $"cali{metadata.Namespace}{metadata.Name}",
                IpNetworks = [(string)addresses[$"{metadata.Namespace}/{metadata.Name}"]!],
                Profiles = [ProfileConversion.NamespaceProfileName(metadata.Namespace!)],
                Ports =
                [
                    .. pod["spec"]!["containers"]!.AsArray().SelectMany(c => c!["ports"]!.AsArray()).Select(p => new WorkloadEndpointPort
                    {
                        Name = (string?)p!["name"], Protocol = Protocol.FromText((string)p["protocol"]!), Port = (int)p["containerPort"]!,
                    }),
                ],
            },
        };
        Put(PodKey(metadata.Namespace!, metadata.Name), endpoint);
    }

    private void Put(ResourceKey key, Resource? value)
    {
        if (value is null)
        {
            _present.Remove(key);
        }
        else
        {
            _present.Add(key);
        }

        _graph.OnUpdate(new ModelUpdate(key, value, 1));
    }

    private static ObjectMeta Metadata(JsonNode item) => new()
    {
        Name = (string)item["metadata"]!["name"]!, Namespace = (string?)item["metadata"]!["namespace"],
        Labels = (item["metadata"]!["labels"] as JsonObject ?? []).ToDictionary(l => l.Key, l => (string)l.Value!),
    };

    private static ResourceKey NamespaceKey(string name) => new(ResourceKind.Profile, ProfileConversion.NamespaceProfileName(name));

    private static ResourceKey PodKey(string ns, string name) => new(ResourceKind.WorkloadEndpoint, ns, name);

    private static ResourceKey PolicyKey(string ns, string name) => new(ResourceKind.KubernetesNetworkPolicy, ns, name);
}
