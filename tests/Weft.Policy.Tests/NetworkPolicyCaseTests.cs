using System.Text;
using System.Text.Json.Nodes;
using Weft.Model.Keys;
using Weft.Model.Kubernetes;
using Weft.Model.Resources;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Tests;

/// <summary>
/// Kubernetes policies against truth tables that others have computed: converted, sent through a graph that lives through all steps of a case, and read off
/// its output by <see cref="NaivePackets"/>. The tables lie beside the checkout (shared/data/netpol-cases); where they do not, the cases written here run.
/// </summary>
public sealed class NetworkPolicyCaseTests
{
    private const string Cases = "shared/data/netpol-cases/cases.json";

    [Fact]
    public void DenyAllIngress_AndAllowByLabelAndNamedPort()
    {
        World world = new(new JsonObject { ["x/a"] = "10.0.0.1", ["x/b"] = "10.0.0.2", ["y/a"] = "10.0.0.3" });
        world.Apply(Step("createNamespace", "x"));
        world.Apply(Step("createNamespace", "y"));
        foreach ((string ns, string pod) in new[] { ("x", "a"), ("x", "b"), ("y", "a") })
        {
            world.Apply(Step("createPod", ns, pod, new JsonObject
            {
                ["metadata"] = new JsonObject { ["name"] = pod, ["namespace"] = ns, ["labels"] = new JsonObject { ["pod"] = pod } },
                ["spec"] = new JsonObject { ["containers"] = new JsonArray(new JsonObject { ["ports"] = new JsonArray(new JsonObject { ["containerPort"] = 80, ["name"] = "web", ["protocol"] = "TCP" }) }) },
            }));
        }

        world.Apply(Step("createPolicy", "x", "deny", JsonNode.Parse("""{"metadata":{"name":"deny","namespace":"x"},"spec":{"podSelector":{},"policyTypes":["Ingress"]}}""")!.AsObject()));
        Assert.Equal("II.", world.Row("x/a", 6, 80));

        world.Apply(Step("createPolicy", "x", "allow", JsonNode.Parse(
            """{"metadata":{"name":"allow","namespace":"x"},"spec":{"podSelector":{"matchLabels":{"pod":"b"}},"ingress":[{"from":[{"namespaceSelector":{}}],"ports":[{"port":"web"}]}]}}""")!.AsObject()));
        Assert.Equal("I..", world.Row("y/a", 6, 80));
        Assert.Equal("II.", world.Row("y/a", 6, 81));
        Assert.Equal("II.", world.Row("y/a", 17, 80));
    }

    [Fact]
    public void EveryCase_GivesItsTruthTables()
    {
        if (Find() is not { } path)
        {
            return;
        }

        JsonObject file = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        int cells = 0;
        List<string> wrong = [];
        foreach (JsonNode? item in file["cases"]!.AsArray())
        {
            World world = new(file["layouts"]!["two-node"]!.AsObject());
            world.Begin(file["environment"]!.AsObject());
            int number = 0;
            foreach (JsonNode? step in item!["steps"]!.AsArray())
            {
                foreach (JsonNode? action in step!["actions"]!.AsArray())
                {
                    world.Apply(Resolved(action!, file["tokens"]!["two-node"]!.AsObject()));
                }

                cells += Compare(world, step["expected"]!, $"case {(string?)item["id"]} step {number++}", wrong);
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong.Take(20)));
        Assert.Equal(256 * 6 * 81, cells, 20_000d);
    }

    private static int Compare(World world, JsonNode expected, string where, List<string> wrong)
    {
        int cells = 0;
        foreach ((string table, JsonNode? rows) in expected["tables"]!.AsObject().Concat(expected["sctp_tables"]!.AsObject()))
        {
            (byte protocol, ushort port) = (table.Split('/')[0] switch { "TCP" => (byte)6, "UDP" => (byte)17, _ => (byte)132 }, ushort.Parse(table.Split('/')[1]));
            foreach ((string source, JsonNode? row) in rows!.AsObject())
            {
                string actual = world.Row(source, protocol, port);
                cells += actual.Length;
                if (actual != (string)row!)
                {
                    wrong.Add($"{where} {table} from {source}: {actual}, expected {row}");
                }
            }
        }

        return cells;
    }

    private static string? Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, Cases)))
            {
                return Path.Combine(folder.FullName, Cases);
            }
        }

        return null;
    }

    private static JsonObject Resolved(JsonNode action, JsonObject tokens)
    {
        StringBuilder text = new(action.ToJsonString());
        foreach ((string token, JsonNode? value) in tokens)
        {
            text.Replace(token, (string)value!);
        }

        return JsonNode.Parse(text.ToString())!.AsObject();
    }

    private static JsonObject Step(string action, string ns, string? name = null, JsonObject? value = null) => new()
    {
        ["action"] = action, ["namespace"] = ns, ["name"] = name,
        ["object"] = value ?? new JsonObject { ["metadata"] = new JsonObject { ["name"] = ns, ["labels"] = new JsonObject { ["ns"] = ns } } },
    };

    /// <summary>A small cluster, all of it on one node.</summary>
    private sealed class World(JsonObject addresses)
    {
        private readonly PolicyGraph _graph = Started();
        private readonly Replay _replay = new();
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

        /// <summary>From one pod to every pod, in order of their names.</summary>
        public string Row(string source, byte protocol, ushort port)
        {
            _graph.Flush(_replay);
            NaivePackets packets = new(_replay);
            Dictionary<string, WorkloadEndpointUpdate> pods = _replay.Workloads.Values.ToDictionary(w => w.ResourceName);
            StringBuilder row = new();
            foreach ((_, WorkloadEndpointUpdate to) in pods.OrderBy(p => p.Key, StringComparer.Ordinal))
            {
                Packet packet = new(pods[source].Networks[0].Address, to.Networks[0].Address, protocol, port);
                row.Append((packets.MayLeave(packet, pods[source]), packets.MayEnter(packet, to)) switch { (true, true) => '.', (true, false) => 'I', (false, true) => 'E', _ => 'X' });
            }

            return row.ToString();
        }

        private static PolicyGraph Started()
        {
            PolicyGraph graph = new(Build.ThisNode);
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
                    Orchestrator = "k8s", Node = Build.ThisNode, Pod = metadata.Name, Endpoint = "eth0", InterfaceName = $"cali{metadata.Namespace}{metadata.Name}",
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
}
