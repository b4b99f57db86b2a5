using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Policy;
using Weft.Policy.Output;

namespace Weft.Bench.Policy;

/// <summary>100 000 endpoints on 100 nodes, 1 000 of them here; 10 000 policies with five rules each; one set that holds everybody.</summary>
internal sealed class ScaledCluster : IDataplaneSink
{
    public const int Endpoints = 100_000;
    public const int Policies = 10_000;

    private const int Nodes = 100;
    private const int Namespaces = 100;
    private const int Apps = 100;
    private const int Rules = 5;

    public ScaledCluster()
    {
        Graph = new PolicyGraph("node0");
        for (int i = 0; i < Namespaces; i++)
        {
            Graph.OnUpdate(new ModelUpdate(
                new ResourceKey(ResourceKind.Profile, $"kns.ns{i}"),
                new Profile { Metadata = { Name = $"kns.ns{i}" }, Spec = { Ingress = [new Rule { Action = "Allow" }], Egress = [new Rule { Action = "Allow" }], LabelsToApply = new() { ["pcns.name"] = $"ns{i}" } } },
                1));
        }

        for (int i = 0; i < Endpoints; i++)
        {
            Graph.OnUpdate(Endpoint(i, "stable"));
        }

        for (int i = 0; i < Policies; i++)
        {
            Graph.OnUpdate(Policy(i, 80));
        }

        Graph.OnUpdate(Everybody);
        Graph.OnInSync();
        Graph.Flush(this);
    }

    public PolicyGraph Graph { get; }

    /// <summary>Updates that reached the dataplane.</summary>
    public long Emitted { get; private set; }

    public void Emit(DataplaneUpdate update) => Emitted++;

    public static ModelUpdate Endpoint(int i, string track)
    {
        string ns = $"ns{i % Namespaces}";
        string name = $"pod{i}";
        return new ModelUpdate(
            new ResourceKey(ResourceKind.WorkloadEndpoint, ns, name),
            new WorkloadEndpoint
            {
                Metadata = { Name = name, Namespace = ns, Labels = new() { ["app"] = $"app{i / Namespaces % Apps}", ["track"] = track } },
                Spec = new WorkloadEndpointSpec
                {
                    Orchestrator = "k8s", Node = $"node{i / 10 % Nodes}", Pod = name, Endpoint = "eth0", InterfaceName = $"cali{i}", Profiles = [$"kns.{ns}"],
                    IpNetworks = [$"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}/32"],
                },
            },
            1);
    }

    public static ModelUpdate Policy(int i, int port)
    {
        string ns = $"ns{i % Namespaces}";
        int app = i / Namespaces % Apps;
        return new ModelUpdate(
            new ResourceKey(ResourceKind.NetworkPolicy, ns, $"policy{i}"),
            new NetworkPolicy
            {
                Metadata = { Name = $"policy{i}", Namespace = ns },
                Spec = new NetworkPolicySpec
                {
                    Selector = $"app == 'app{app}'", Order = i, Types = ["Ingress"],
                    Ingress =
                    [
                        .. Enumerable.Range(0, Rules).Select(r => new Rule
                        {
                            Action = "Allow", Protocol = Protocol.Tcp, Source = new EntityRule { Selector = $"app == 'app{(app + r) % Apps}'" },
                            Destination = new EntityRule { Ports = [new Port((ushort)(port + r))] },
                        }),
                    ],
                },
            },
            1);
    }

    private static ModelUpdate Everybody => new(
        new ResourceKey(ResourceKind.GlobalNetworkPolicy, "everybody"),
        new GlobalNetworkPolicy { Metadata = { Name = "everybody" }, Spec = new GlobalNetworkPolicySpec { Order = 1, Ingress = [new Rule { Action = "Log", Source = new EntityRule { Selector = "all()" } }] } },
        1);
}
