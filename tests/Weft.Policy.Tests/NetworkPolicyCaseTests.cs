using System.Text;
using System.Text.Json.Nodes;
using Weft.Policy.Output;

namespace Weft.Policy.Tests;

/// <summary>
/// Kubernetes policies against truth tables that others have computed: converted, sent through a graph that lives through all steps of a case, and read off
/// its output by <see cref="NaivePackets"/>. The tables lie beside the checkout (shared/data/netpol-cases); where they do not, the cases written here run.
/// </summary>
public sealed class NetworkPolicyCaseTests
{
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
        if (NetworkPolicyCases.Read() is not { } file)
        {
            return;
        }

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
                    world.Apply(NetworkPolicyCases.Resolved(action!, file["tokens"]!["two-node"]!.AsObject()));
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

    private static JsonObject Step(string action, string ns, string? name = null, JsonObject? value = null) => new()
    {
        ["action"] = action, ["namespace"] = ns, ["name"] = name,
        ["object"] = value ?? new JsonObject { ["metadata"] = new JsonObject { ["name"] = ns, ["labels"] = new JsonObject { ["ns"] = ns } } },
    };

    /// <summary>The cluster, and what its node's graph has said so far.</summary>
    private sealed class World(JsonObject addresses)
    {
        private readonly ClusterWorld _cluster = new(addresses);
        private readonly Replay _replay = new();

        public void Begin(JsonObject environment) => _cluster.Begin(environment);

        public void Apply(JsonObject action) => _cluster.Apply(action);

        /// <summary>From one pod to every pod, in order of their names.</summary>
        public string Row(string source, byte protocol, ushort port)
        {
            _cluster.Flush(_replay);
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
    }
}
