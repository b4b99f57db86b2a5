using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Model.Selectors;
using Weft.Policy.Conversion;
using Weft.Policy.Output;
using static Weft.Policy.Tests.Build;

namespace Weft.Policy.Tests;

/// <summary>
/// A long random walk over a small world. Wherever it stands, the incremental graph must have told the dataplane exactly what a graph tells that sees
/// only the current state, and the sets must hold what the plainest possible search finds.
/// </summary>
public sealed class RandomWalkTests
{
    private static readonly string[] s_namespaces = ["ns1", "ns2"];
    private static readonly string[] s_labels = ["", "role=web", "role=db", "role=web,env=prod", "env=test", "role=,env=prod"];

    private static readonly string?[] s_selectors =
    [
        null, "all()", "role == 'web'", "role in {'web', 'db'}", "has(env) && role != 'db'", "!has(role)", "env == 'prod' || role == 'db'", "pcns.team == 'red'",
        "role starts with 'w' && env not in {'test'}", "role == 'a' && role == 'b'", "role ==",
    ];

    private static readonly string[] s_accounts = ["", "", "sa1", "sa2"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Graph_EqualsRecomputation_AndNaiveSets(int seed)
    {
        Random random = new(seed);
        Dictionary<ModelKey, ModelUpdate> state = [];
        PolicyGraph graph = new(ThisNode);
        Replay replay = new();
        graph.OnInSync();

        for (int step = 0; step < 1200; step++)
        {
            ModelUpdate update = Step(random, step);
            state[update.Key] = update;
            graph.OnUpdate(update);
            if (random.Next(4) == 0)
            {
                graph.Flush(replay);
            }

            if (step % 60 == 59)
            {
                graph.Flush(replay);
                string expected = States.Play([.. state.Values], Flushing.Once).Dump();
                Assert.True(expected == replay.Dump(), $"seed {seed}, step {step}:\n{replay.Dump()}\nexpected:\n{expected}");
                CheckSets(state.Values, replay);
                NaiveRoutes.Check(state.Values, replay);
            }
        }
    }

    private static ModelUpdate Step(Random random, int step)
    {
        string ns = Pick(random, s_namespaces);
        int n = random.Next(5);
        ModelUpdate update = random.Next(12) switch
        {
            <= 3 => Workload(
                $"w{ns}{n}", Pick(random, s_labels), random.Next(12) == 0 ? "10.0.0.0/24" : $"10.0.0.{random.Next(8)},fd00::{random.Next(4)}",
                Pick(random, ["", $"kns.{ns}", $"kns.{ns},extra", "extra,missing"]), Pick(random, ["", "http:tcp:80", "http:tcp:8080,dns:udp:53"]),
                n < 3 ? ThisNode : "node2", ns, step, s => (s.ServiceAccountName, s.Pod) = (Pick(random, s_accounts), random.Next(6) == 0 ? "shared" : s.Pod)),
            4 => NetworkSet($"s{n}", Pick(random, s_labels), $"10.{random.Next(3)}.0.0/16,10.0.0.{random.Next(8)}", ns),
            5 => random.Next(2) == 0
                ? HostEndpoint(
                    $"h{n}", Pick(random, s_labels), Pick(random, ["eth0", "*", ""]), n < 3 ? ThisNode : "node2", $"172.16.0.{n}", Pick(random, ["", "extra", "kns.ns1,missing"]),
                    Pick(random, ["", "http:tcp:80", "http:icmp:80"]))
                : GlobalNetworkSet($"g{n}", Pick(random, s_labels), random.Next(8) == 0 ? "bad" : "0.0.0.0/0,192.168.0.0/16"),
            6 => random.Next(3) == 0
                ? Profile("extra", Pick(random, ["env=prod", "role=db", ""]), [Rules(random)], random.Next(6) == 0 ? [Rule("Nonsense")] : [])
                : Profile($"kns.{ns}", Pick(random, ["pcns.team=red", "pcns.team=blue", "env=prod", ""]), [Allow()], [Allow()]),
            7 => Tier($"tier{random.Next(2)}", random.Next(3) == 0 ? null : random.Next(3), Pick(random, ["Pass", "Deny", ""])),
            8 or 9 => NamespacedPolicy($"p{n}", Pick(random, s_selectors) ?? "", [Rules(random), Rules(random)], [Rules(random)], ns, Pick(random, ["", "Ingress", "Egress"])),
            10 => random.Next(6) switch
            {
                0 => StagedPolicy($"st{n}", Pick(random, s_selectors) ?? "", Pick(random, [null, "Set", "Delete"])),
                1 => StagedNamespacedPolicy($"st{n}", Pick(random, s_selectors) ?? "", [Rules(random)], ns),
                2 => random.Next(4) == 0 ? Bgp("default", $"10.{random.Next(96, 98)}.0.0/16") : Slice($"slice{n}", Pick(random, ["web", "db"]), $"10.0.0.{random.Next(8)},10.0.0.{n}", 80 + n),
                _ => RoutePart(random),
            },
            _ => GlobalPolicy(
                $"g{n}", Pick(random, s_selectors) ?? "", random.Next(3), Pick(random, ["tier0", "tier1", "default"]), [Rules(random)], [Rules(random)],
                edit: s =>
                {
                    (s.NamespaceSelector, s.ServiceAccountSelector) = (random.Next(3) == 0 ? "team == 'red'" : null, random.Next(6) == 0 ? "all()" : null);
                    (s.DoNotTrack, s.PreDNAT, s.ApplyOnForward) = (random.Next(8) == 0, random.Next(8) == 0, random.Next(2) == 0);
                    s.PerformanceHints = random.Next(6) == 0 ? ["AssumeNeededOnEveryNode"] : null;
                }),
        };
        return random.Next(5) switch
        {
            0 => Gone(update),
            1 when random.Next(4) == 0 && update.Key is ResourceKey { Kind.Name: "Tier" or "NetworkSet" } => Unreadable(update),
            _ => update,
        };
    }

    private static ModelUpdate RoutePart(Random random)
    {
        string node = Pick(random, [ThisNode, "node2", "node3"]);
        int n = random.Next(4);
        return random.Next(5) switch
        {
            0 => Pool($"10.0.0.0/{Pick(random, [8, 16, 24])}", Pick(random, [null, "Always", "CrossSubnet"]), nat: random.Next(2) == 0, name: $"pool{random.Next(3)}"),
            1 => Node(node, Pick(random, [null, $"172.16.{random.Next(2)}.{n + 1}/24"]), Pick(random, [null, $"10.0.0.{random.Next(8)}"]), Pick(random, [null, $"fd01::{n}/64"]),
                labels: Pick(random, ["", "rack=a"])),
            2 => Block(Pick(random, ["10.0.0.0/26", "10.0.0.0/29", "10.0.0.64/26"]), Pick(random, [null, ThisNode, "node2", "node3"]), $"{random.Next(8)}=node{1 + random.Next(3)}"),
            3 => Felix(Pick(random, ["default", $"node.{ThisNode}"]), Pick(random, ["", "routeSource=WorkloadIPs", "vxlanEnabled=true", "programClusterRoutes=Enabled"])),
            _ => Felix($"rack{n}", $"nodeSelector=rack == 'a';vxlanEnabled={Pick(random, ["true", "false"])}", $"2026-01-0{1 + random.Next(3)}T00:00:00Z"),
        };
    }

    private static Rule Rules(Random random)
    {
        Rule rule = Rule(
            Pick(random, ["Allow", "Deny", "Pass", "Log"]), Pick(random, s_selectors[..10]), Pick(random, s_selectors[..10]), Protocol.Tcp,
            Pick(random, ["", "http", "http,80", "80:90"]), Pick(random, ["", "10.0.0.0/8"]));
        if (rule.Source is not null && random.Next(3) == 0)
        {
            rule.Source.NotSelector = "env == 'test'";
        }
        else if (random.Next(6) == 0)
        {
            rule.Source = new EntityRule { ServiceAccounts = new ServiceAccountMatch { Names = [Pick(random, s_accounts[2..])] } };
        }
        else if (random.Next(8) == 0)
        {
            rule.Source = new EntityRule { Services = new ServiceMatch { Name = Pick(random, ["web", "db"]), Namespace = "default" } };
        }

        return rule;
    }

    private static T Pick<T>(Random random, T[] choices) => choices[random.Next(choices.Length)];

    /// <summary>All possible sets of the world by id, then everything against everything.</summary>
    private static void CheckSets(IEnumerable<ModelUpdate> state, Replay replay)
    {
        Dictionary<string, Dictionary<string, string>> profiles = state.Where(u => u.Value is Profile)
            .Select(u => (Profile)u.Value!)
            .Where(p => PolicyConversion.Profile("", p).Problem is null)
            .ToDictionary(p => p.Metadata.Name, p => p.Spec.LabelsToApply ?? []);
        List<SetSource> sources = [.. state.Select(Source).OfType<SetSource>()];
        foreach (PolicyValue policy in state.Where(u => u.Value is NetworkPolicy or GlobalNetworkPolicy or StagedGlobalNetworkPolicy)
            .Select(u => PolicyConversion.Policy((ResourceKey)u.Key, (Resource)u.Value!)).OfType<PolicyValue>())
        {
            foreach (RuleEntity entity in policy.Inbound.Concat(policy.Outbound).SelectMany(r => new[] { r.Source, r.Destination }))
            {
                Selector? selector = entity.NotSelector is null ? entity.Selector
                    : entity.Selector is null ? entity.NotSelector
                    : Selector.Parse($"({entity.Selector.Text}) && (!({entity.NotSelector.Text}))");
                if (selector is null)
                {
                    continue;
                }

                IEnumerable<SetSource> matching = sources.Where(s => selector.Matches(s.Labels, [.. s.Parents.Select(p => profiles.GetValueOrDefault(p) ?? [])]));
                Compare(replay, selector.Id, matching.SelectMany(s => s.Nets.Select(n => new IpSetMember(n))));
                Compare(
                    replay, UniqueId.Make("n", $"{selector.Id},tcp,http"),
                    matching.SelectMany(s => s.Ports.Where(p => p is { Name: "http", Protocol: 6 }).SelectMany(p => s.Nets.Select(n => new IpSetMember(n, 6, p.Number)))));
            }
        }
    }

    private static void Compare(Replay replay, string id, IEnumerable<IpSetMember> expected)
    {
        if (replay.Sets.TryGetValue(id, out HashSet<IpSetMember>? members))
        {
            Assert.Equal(expected.Distinct().Select(m => m.ToString()).Order(StringComparer.Ordinal), members.Select(m => m.ToString()).Order(StringComparer.Ordinal));
        }
    }

    private static SetSource? Source(ModelUpdate update)
    {
        if (update.Key is not ResourceKey key)
        {
            return null;
        }

        Problems problems = new();
        SetSource? source = update.Value switch
        {
            WorkloadEndpoint w => EndpointConversion.Workload(key, w, SourceSpoofing.Disabled, 1) is { Problem: null } valid ? valid.Source : null,
            HostEndpoint h => EndpointConversion.HostEndpoint(key, h, problems).Source,
            NetworkSet n => EndpointConversion.NetworkSet(key, n, n.Spec.Nets, problems),
            GlobalNetworkSet n => EndpointConversion.NetworkSet(key, n, n.Spec.Nets, problems),
            _ => null,
        };
        return problems.Any ? null : source;
    }
}
