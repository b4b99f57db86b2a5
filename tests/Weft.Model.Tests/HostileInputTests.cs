using System.Text;
using System.Text.Json.Nodes;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Model.Validation;
using Weft.Model.Yaml;

namespace Weft.Model.Tests;

/// <summary>Whatever lies in the store or in a file: a value or problems, never an exception. What is accepted is valid and keeps its meaning.</summary>
public sealed class HostileInputTests
{
    private const string Seed = """
        apiVersion: projectcalico.org/v3
        kind: KIND
        metadata: {name: n-k8s-p-eth0, namespace: ns, labels: {a: b}, annotations: {c: d}}
        spec:
          tier: default
          order: 5
          selector: app == 'web'
          types: [Ingress, Egress]
          ingress: [{action: Allow, protocol: TCP, icmp: {type: 8}, source: {nets: [10.0.0.0/8], ports: [80, 'x', '1:2'], services: {name: x}}, http: {methods: [GET], paths: [{exact: /}]}}]
          egress: [{action: Deny, notProtocol: 6, destination: {notNets: ['fd00::/8'], selector: has(x), serviceAccounts: {names: [a]}}}]
          cidr: 10.1.0.0/16
          blockSize: 26
          ipipMode: Always
          allowedUses: [Workload]
          node: n
          interfaceName: eth0
          expectedIPs: [10.0.0.1]
          orchestrator: k8s
          pod: p
          endpoint: eth0
          ipNetworks: [10.0.0.1/32]
          ipNATs: [{internalIP: 10.0.0.1, externalIP: 1.1.1.1}]
          ports: [{name: http, protocol: TCP, port: 80}]
          peerIP: 10.0.0.1
          asNumber: 64512
          importV4: [{action: Accept, cidr: 10.0.0.0/8, matchOperator: In, prefixLength: {min: 8, max: 32}, operations: [{setPriority: {value: 1}}]}]
          communities: [{name: a, value: '1:1'}]
          prefixAdvertisements: [{cidr: 10.0.0.0/8, communities: [a]}]
          podSelector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [x]}]}
          nets: [10.0.0.0/8]
          bgp: {ipv4Address: 10.0.0.1/24, asNumber: 1}
          routeTableRange: {min: 1, max: 250}
        """;

    private static readonly string[] s_strange = ["null", "[]", "{}", "''", "0", "-1", "99999999999999999999", "1e400", "true", "text", "[null]", "[[]]", "[{}]", "{a: null}", "'global()'", "'::/0'", "'\\ud800'", "10.0.0.1"];

    [Fact]
    public void MutatedObject_IsReadAndChecked_WithoutAnException()
    {
        Gen<(ResourceKind Kind, int Field, string Value, int Second, string Other)> change = Gen.Select(
            Gen.OneOf(ResourceKind.All.Select(Gen.Const).ToArray()), Gen.Int[0, 200], Strange(), Gen.Int[0, 200], Strange());

        change.Sample(
            c =>
            {
                JsonNode tree = YamlReader.Read(Seed.Replace("KIND", c.Kind.Name))[0].Root!;
                Prune(tree, c.Kind);
                Replace(tree, c.Field, c.Value);
                Replace(tree, c.Second, c.Other);

                foreach (ResourceDocument document in ResourceReader.Read(YamlWriter.Write(tree), "-"))
                {
                    if (document.Resource is { } resource)
                    {
                        Resource complete = ResourceDefaults.Apply(resource);
                        if (ResourceValidator.Validate(complete, resource).All(p => p.ToString().Length == 0))
                        {
                            CheckStored(complete);
                        }
                    }
                }
            },
            iter: 4_000);
    }

    [Fact]
    public void AnyBytesInTheStore_AreAValueOrAProblem()
    {
        ModelKey[] keys = [.. ResourceKind.All.Select(k => k.IsNamespaced ? new ResourceKey(k, "ns", "x") : new ResourceKey(k, "x")), new HandleKey("h"), new IpamConfigKey(), ModelKey.TryParse("/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26")!];
        string json = YamlReader.Read(Seed.Replace("kind: KIND", "x: y"))[0].Root!.ToJsonString();

        Gen.Select(Gen.OneOf(keys.Select(Gen.Const).ToArray()), Gen.Int[0, json.Length - 1], Gen.Int[0, 30], Gen.String[Gen.Char["{}[],:\"0an\\ \u0000é"], 0, 8]).Sample(
            (key, at, cut, insert) =>
            {
                string broken = string.Concat(json.AsSpan(0, at), insert, json.AsSpan(Math.Min(json.Length, at + cut)));

                bool ok = ModelJson.TryDeserialize(key, Encoding.UTF8.GetBytes(broken), out object? value, out string? problem);

                return ok ? problem is null && ModelJson.Serialize(key, value).Length > 0 : value is null && problem!.Length > 0;
            },
            iter: 4_000);
    }

    [Fact]
    public void AnyText_IsReadAsDocumentsOrProblems()
    {
        Gen.String[Gen.Char["ab:-?[]{},&*!|>'\"%@`#\n\t \u0000\ufeff~0.é"], 0, 60].Sample(text => YamlReader.Read(text).All(d => d.Root is not null || d.Problems.Count > 0), iter: 10_000);
    }

    private static Gen<string> Strange() => Gen.OneOf(s_strange.Select(Gen.Const).ToArray());

    /// <summary>What was accepted is stored and read back as it was.</summary>
    private static void CheckStored(Resource resource)
    {
        ResourceKey key = new(resource.ResourceKind, resource.Metadata.Namespace ?? string.Empty, resource.Metadata.Name);
        byte[] stored = ModelJson.Serialize(key, resource);
        if (!ModelJson.TryDeserialize(key, stored, out object? back, out string? problem))
        {
            throw new InvalidOperationException($"{Encoding.UTF8.GetString(stored)}: {problem}");
        }

        if (!ModelJson.Serialize(key, back).AsSpan().SequenceEqual(stored))
        {
            throw new InvalidOperationException($"{Encoding.UTF8.GetString(stored)} became {Encoding.UTF8.GetString(ModelJson.Serialize(key, back))}");
        }
    }

    /// <summary>Leaves of the seed what the kind knows, so that mutations are seen by the rules and not only by the check for unknown fields.</summary>
    private static void Prune(JsonNode tree, ResourceKind kind)
    {
        if (!kind.IsNamespaced)
        {
            tree["metadata"]!.AsObject().Remove("namespace");
        }

        JsonObject spec = tree["spec"]!.AsObject();
        SchemaNode known = SchemaCatalog.Of(kind).Members["spec"];
        foreach (string name in spec.Select(m => m.Key).Where(n => !known.Members.ContainsKey(n)).ToArray())
        {
            spec.Remove(name);
        }
    }

    private static void Replace(JsonNode root, int index, string value)
    {
        List<(JsonNode Parent, string? Name, int At)> places = [];
        Collect(root, places);
        (JsonNode parent, string? name, int at) = places[index % places.Count];
        JsonNode? replacement = YamlReader.Read($"a: {value}")[0].Root!["a"]?.DeepClone();
        if (parent is JsonObject members)
        {
            members[name!] = replacement;
        }
        else
        {
            ((JsonArray)parent)[at] = replacement;
        }
    }

    private static void Collect(JsonNode node, List<(JsonNode, string?, int)> places)
    {
        switch (node)
        {
            case JsonObject members:
                foreach ((string name, JsonNode? member) in members.Where(m => m.Key is not ("kind" or "apiVersion")))
                {
                    places.Add((node, name, 0));
                    if (member is not null)
                    {
                        Collect(member, places);
                    }
                }

                break;
            case JsonArray items:
                for (int i = 0; i < items.Count; i++)
                {
                    places.Add((node, null, i));
                    if (items[i] is { } item)
                    {
                        Collect(item, places);
                    }
                }

                break;
        }
    }
}
