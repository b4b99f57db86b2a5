using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Equality;

/// <summary>Endpoints of the host, named, found by address and of all interfaces: the same random policies and packets against every backend and the model.</summary>
public sealed class HostEqualityTests
{
    private const int PodNumber = 1;

    private static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("WEFT_EQUALITY_ROUNDS"), out int rounds) ? rounds : 6;

    [Theory]
    [MemberData(nameof(BackendEqualityTests.Backends), MemberType = typeof(BackendEqualityTests))]
    public async Task RandomHostPolicies_MeanWhatTheModelSays(RuleBackendChoice backend)
    {
        await using PodNode node = new(backend);
        Outside outside = node.AddOutside();
        Pod pod = node.AddPod(PodNumber);
        KnowNeighbors(node, outside, pod);
        foreach (Station station in (Station[])[outside, pod, node.Host])
        {
            foreach (int port in (int[])[.. RandomPolicies.Ports, 22])
            {
                station.Serve(port);
            }

            station.ServeSctp();
        }

        node.Start();
        ushort sourcePort = 29000;
        int allowed = 0, denied = 0;
        for (int seed = 1; seed <= Rounds; seed++)
        {
            PolicyModel policies = new();
            RandomPolicies random = new(seed, outside.IPv4, outside.IPv6, outside.NodeIPv4, outside.NodeIPv6, pod.IPv4, pod.IPv6);
            List<DataplaneUpdate> updates = random.Fill(policies, new Dictionary<int, Pod> { [PodNumber] = pod }, seed);
            HostEndpointUpdate host = random.Host((seed % 3) switch { 0 => "*", 1 => "eth0", _ => "" }, outside.NodeIPv4);
            WorkloadEndpointUpdate workload = policies.Endpoints[PodNumber];
            await node.SendAsync([.. updates.SkipLast(1), host, workload with { Mac = pod.Mac }, new InSync()]);
            await node.Progress.WaitAsync(pod, seed);

            Probe[] probes = [.. AllProbes(outside, pod, () => sourcePort++)];
            HostModel model = new(policies, host);
            (int Allowed, int Denied) seen = await ProbeSender.CompareAsync(
                probes, p => p.From switch { HostModel.Outside => outside, HostModel.Node => node.Host, _ => pod }, model.Allows,
                probe => $"{backend}, seed {seed}: {probe}, {host}\n{node.Rules("-c", probe.Family == IpFamily.IPv4 ? "iptables" : "ip6tables")}");
            (allowed, denied) = (allowed + seen.Allowed, denied + seen.Denied);
        }

        Assert.True(allowed > 50 && denied > 50, $"{allowed} allowed and {denied} denied: the world says too little");
    }

    /// <summary>Neighbours need not ask for one another: a policy that denies ICMPv6 would deny that too.</summary>
    private static void KnowNeighbors(PodNode node, Outside outside, Pod pod)
    {
        string near = Mac(node.Sh("ip -o link show eth0")), far = Mac(PodNode.Run(new(outside.Space), "ip -o link show eth0"));
        node.Sh($"ip -6 neigh replace {outside.IPv6} lladdr {far} dev eth0 nud permanent");
        PodNode.Run(new(outside.Space), $"ip -6 neigh replace {outside.NodeIPv6} lladdr {near} dev eth0 nud permanent");
        PodNode.Run(new(pod.Space), "ip -6 neigh replace fe80::ecee:eeff:feee:eeee lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent");
    }

    private static string Mac(string link)
    {
        string[] words = link.Split(' ');
        return words[Array.IndexOf(words, "link/ether") + 1];
    }

    private static IEnumerable<Probe> AllProbes(Outside outside, Pod pod, Func<ushort> nextPort)
    {
        (int Number, IpAddress V4, IpAddress V6) far = (HostModel.Outside, outside.IPv4, outside.IPv6), near = (HostModel.Node, outside.NodeIPv4, outside.NodeIPv6),
            inside = (PodNumber, pod.IPv4, pod.IPv6);
        foreach (((int Number, IpAddress V4, IpAddress V6) from, (int Number, IpAddress V4, IpAddress V6) to) in (((int, IpAddress, IpAddress), (int, IpAddress, IpAddress))[])[
            (far, near), (near, far), (far, inside), (inside, far), (near, inside)])
        {
            foreach (byte protocol in (byte[])[6, 17, SctpSocket.Protocol])
            {
                foreach (int port in (int[])[.. RandomPolicies.Ports, 22])
                {
                    yield return new Probe(from.Number, to.Number, from.V4, to.V4, protocol, nextPort(), (ushort)port, 0);
                    yield return new Probe(from.Number, to.Number, from.V6, to.V6, protocol, nextPort(), (ushort)port, 0);
                }
            }

            yield return new Probe(from.Number, to.Number, from.V4, to.V4, 1, nextPort(), 0, 8);
            yield return new Probe(from.Number, to.Number, from.V6, to.V6, 58, nextPort(), 0, 128);
        }
    }
}
