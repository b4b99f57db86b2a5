using System.Text.Json.Nodes;
using Weft.Policy.Output;
using Weft.Policy.Tests;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Equality;

/// <summary>
/// Kubernetes policies all the way: converted, through the calculation graph, into the kernel, and packets against truth tables that others have computed. A
/// few cases every day; all of them with WEFT_NETPOL_CASES=all (minutes). Where the tables do not lie beside the checkout, the case written here runs.
/// </summary>
public sealed class NetworkPolicyTests
{
    private const int EveryDay = 46;

    private const string Own = """
        {
          "layouts": { "two-node": { "x/a": "10.244.0.11", "x/b": "10.244.0.12", "y/a": "10.244.0.21" } },
          "tokens": { "two-node": {} },
          "environment": {
            "namespaces": [ { "metadata": { "name": "x", "labels": { "ns": "x" } } }, { "metadata": { "name": "y", "labels": { "ns": "y" } } } ],
            "pods": [ POD(x,a), POD(x,b), POD(y,a) ]
          },
          "cases": [ { "id": "own", "steps": [
            { "actions": [ { "action": "createPolicy", "namespace": "x", "name": "deny", "object": { "metadata": { "name": "deny", "namespace": "x" }, "spec": { "podSelector": {}, "policyTypes": [ "Ingress" ] } } } ],
              "expected": { "tables": { "TCP/80": { "x/a": "II.", "y/a": "II." }, "UDP/80": { "x/b": "II." } }, "sctp_tables": {} } },
            { "actions": [ { "action": "createPolicy", "namespace": "x", "name": "allow", "object": { "metadata": { "name": "allow", "namespace": "x" },
                "spec": { "podSelector": { "matchLabels": { "pod": "b" } }, "ingress": [ { "from": [ { "namespaceSelector": {} } ], "ports": [ { "port": "web" }, { "port": 81, "protocol": "SCTP" } ] } ] } } } ],
              "expected": { "tables": { "TCP/80": { "y/a": "I..", "x/a": "I.." }, "TCP/81": { "y/a": "II." } }, "sctp_tables": { "SCTP/80": { "y/a": "II." }, "SCTP/81": { "y/a": "I.." } } } },
            { "actions": [ { "action": "deletePolicy", "namespace": "x", "name": "deny" }, { "action": "deletePolicy", "namespace": "x", "name": "allow" } ],
              "expected": { "tables": { "TCP/81": { "y/a": "...", "x/b": "..." } }, "sctp_tables": {} } } ] } ]
        }
        """;

    [Theory]
    [InlineData(RuleBackendChoice.NfTables)]
    [InlineData(RuleBackendChoice.IpTablesNft)]
    public async Task Cases_GiveTheirTruthTables_InTheKernel(RuleBackendChoice backend)
    {
        JsonObject file = NetworkPolicyCases.Read() ?? JsonNode.Parse(OwnCase())!.AsObject();
        JsonObject layout = file["layouts"]!["two-node"]!.AsObject();
        await using PodNode node = new(backend);
        Dictionary<string, Pod> pods = [];
        foreach ((string name, JsonNode? address) in layout)
        {
            Pod pod = node.AddPod(pods.Count + 1, $"cali{name.Replace("/", "", StringComparison.Ordinal)}", IpAddress.Parse((string)address!));
            pod.Serve(80);
            pod.Serve(81);
            pod.ServeSctp();
            pods.Add(name, pod);
        }

        // Its revision tells which state is in the kernel.
        Pod marker = node.AddPod(99);
        node.Start();
        ClusterWorld world = new(layout);
        Listener heard = new();
        ushort sourcePort = 20000;
        long revision = 0;
        int number = 0, allowed = 0, denied = 0;
        foreach (JsonNode? item in file["cases"]!.AsArray())
        {
            if (number++ % EveryDay != 0 && Environment.GetEnvironmentVariable("WEFT_NETPOL_CASES") != "all")
            {
                continue;
            }

            world.Clear();
            world.Begin(file["environment"]!.AsObject());
            foreach (JsonNode? step in item!["steps"]!.AsArray())
            {
                foreach (JsonNode? action in step!["actions"]!.AsArray())
                {
                    world.Apply(NetworkPolicyCases.Resolved(action!, file["tokens"]!["two-node"]!.AsObject()));
                }

                world.Flush(heard);
                await node.SendAsync([.. heard.Take(), marker.Endpoint(revision: ++revision)]);
                await node.Progress.WaitAsync(marker, revision);
                (Probe Probe, bool Allowed)[] expected = [.. Probes(step["expected"]!, [.. heard.Pods.Order(StringComparer.Ordinal)], pods, () => sourcePort = (ushort)(sourcePort < 30000 ? sourcePort + 1 : 20000))];
                Dictionary<Probe, bool> verdicts = expected.ToDictionary(e => e.Probe, e => e.Allowed);
                Dictionary<int, Pod> byNumber = pods.Values.ToDictionary(p => p.Number);
                (int Allowed, int Denied) seen = await ProbeSender.CompareAsync(
                    [.. verdicts.Keys], p => byNumber[p.From], p => verdicts[p], probe => $"{backend}, case {(string?)item["id"]}: {probe}\n{node.Rules("-c")}");
                (allowed, denied) = (allowed + seen.Allowed, denied + seen.Denied);
            }
        }

        Assert.True(allowed > 5 && denied > 5, $"{allowed} allowed and {denied} denied");
    }

    private static string OwnCase()
    {
        string text = Own;
        foreach ((string ns, string pod) in new[] { ("x", "a"), ("x", "b"), ("y", "a") })
        {
            text = text.Replace(
                $"POD({ns},{pod})",
                $$"""{"metadata":{"name":"{{pod}}","namespace":"{{ns}}","labels":{"pod":"{{pod}}"} },"spec":{"containers":[{"ports":[{"containerPort":80,"name":"web","protocol":"TCP"}]}]} }""",
                StringComparison.Ordinal);
        }

        return text;
    }

    /// <summary>A row of a table has a letter for every pod in order of names: "." for what both ends allow. A pod's packets to itself never leave it.</summary>
    private static IEnumerable<(Probe Probe, bool Allowed)> Probes(JsonNode expected, string[] present, Dictionary<string, Pod> pods, Func<ushort> nextPort)
    {
        foreach ((string table, JsonNode? rows) in expected["tables"]!.AsObject().Concat(expected["sctp_tables"]!.AsObject()))
        {
            string[] parts = table.Split('/');
            byte protocol = parts[0] switch { "TCP" => 6, "UDP" => 17, _ => SctpSocket.Protocol };
            foreach ((string source, JsonNode? row) in rows!.AsObject())
            {
                for (int i = 0; i < present.Length; i++)
                {
                    if (present[i] != source)
                    {
                        (Pod from, Pod to) = (pods[source], pods[present[i]]);
                        yield return (new Probe(from.Number, to.Number, from.IPv4, to.IPv4, protocol, nextPort(), ushort.Parse(parts[1]), 0), ((string)row!)[i] == '.');
                    }
                }
            }
        }
    }

    /// <summary>What the graph says until the dataplane takes it.</summary>
    private sealed class Listener : IDataplaneSink
    {
        private readonly Dictionary<WorkloadEndpointId, string> _pods = [];
        private List<DataplaneUpdate> _updates = [];

        public IEnumerable<string> Pods => _pods.Values;

        public void Emit(DataplaneUpdate update)
        {
            _updates.Add(update);
            if (update is WorkloadEndpointUpdate endpoint)
            {
                _pods[endpoint.Id] = endpoint.ResourceName;
            }
            else if (update is WorkloadEndpointRemove gone)
            {
                _pods.Remove(gone.Id);
            }
        }

        public List<DataplaneUpdate> Take()
        {
            List<DataplaneUpdate> taken = _updates;
            _updates = [];
            return taken;
        }
    }
}
