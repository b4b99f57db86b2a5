using Weft.Hosting;
using Weft.Primitives.Net;

namespace Weft.Lab;

/// <summary>
/// The main job as a show: builds the rack, proves that pods reach each other, applies a policy and proves what it closed, deletes it, deletes the pods,
/// and leaves nothing behind.
/// </summary>
internal sealed class LabUp(Topology topology, LabConsole console, string executable, TimeProvider time)
{
    /// <summary>How long the answers may take to become the expected ones: half a minute, and more for a large rack, where the questions alone take long.</summary>
    private readonly TimeSpan _convergence = TimeSpan.FromSeconds(30 + (topology.Pods.Count * topology.Pods.Count / 500));

    private readonly RackBuilder _rack = new(topology, console, executable, time);

    /// <summary>True when every proof held.</summary>
    public async Task<ExitStatus> RunAsync(CancellationToken stop)
    {
        _rack.WriteState();
        console.Title($"A rack: {topology.Switches.Count} switches, {topology.Nodes.Count} nodes, {topology.Pods.Count} pods");
        console.Text(TopologyDrawing.Draw(topology));

        console.Title("Machines");
        await _rack.StoreAsync(stop);
        await _rack.SwitchesAsync(stop);
        await _rack.ResourcesAsync(stop);
        await _rack.NodesAsync(stop);

        console.Title("BGP sessions");
        await _rack.SessionsAsync(stop);

        console.Title("Pods, by CNI");
        IReadOnlyList<RunningPod> pods = await _rack.PodsAsync(stop);

        bool proven = await ProveAsync(pods, stop);
        if (topology.Options.Keep)
        {
            PrintHowToLookAround();
            return proven ? ExitStatus.Ok : ExitStatus.Failed;
        }

        console.Title("Deleting the pods");
        await _rack.DeletePodsAsync(pods, stop);
        console.Text(await _rack.CommandAsync(string.Empty, stop, "ipam", "show"));
        return proven ? ExitStatus.Ok : ExitStatus.Failed;
    }

    private async Task<bool> ProveAsync(IReadOnlyList<RunningPod> pods, CancellationToken stop)
    {
        console.Title("Who reaches whom (T: TCP, U: UDP, port 8080)");
        LabPod[] plans = [.. pods.Select(p => p.Plan)];
        ConnectivityMatrix open = ConnectivityMatrix.Expect(plans, (_, _) => Reach.Both);
        bool proven = true;
        (ConnectivityMatrix before, bool allOpen) = await CheckAsync(pods, open, null, stop);
        proven &= allOpen;

        foreach (LabSwitch self in topology.Switches.Take(1))
        {
            console.Title($"The table of {self.Name}");
            console.Text(await RouterView.TableAsync(self, stop));
        }

        console.Title($"A policy: {LabPod.Namespace}/{ClusterResources.PolicyName}");
        console.Text(Indent(ClusterResources.Policy()));
        console.Text(Indent(await _rack.ApplyAsync(ClusterResources.Policy(), stop)));
        ConnectivityMatrix expected = ConnectivityMatrix.Expect(plans, UnderPolicy);
        (ConnectivityMatrix after, bool asExpected) = await CheckAsync(pods, expected, before, stop);
        proven &= asExpected;
        PrintChanges(before, after);

        console.Title("The policy deleted");
        console.Text(Indent(await _rack.CommandAsync(string.Empty, stop, "delete", "networkpolicy", ClusterResources.PolicyName, "-n", LabPod.Namespace)));
        (_, bool openAgain) = await CheckAsync(pods, open, after, stop);
        return proven && openAgain;
    }

    /// <summary>Measures the matrix (both families under --ipv6), prints it, and says whether it is the expected one.</summary>
    private async Task<(ConnectivityMatrix Matrix, bool AsExpected)> CheckAsync(
        IReadOnlyList<RunningPod> pods, ConnectivityMatrix expected, ConnectivityMatrix? before, CancellationToken stop)
    {
        TimeSpan start = console.Elapsed;
        ConnectivityMatrix v4 = await new ConnectivityProbe(pods, IpFamily.IPv4).ConvergeAsync(expected, _convergence, time, stop);
        console.Text(v4.Render(console, before));
        bool good = Report(v4, expected, "IPv4", start);
        if (topology.Options.IPv6)
        {
            start = console.Elapsed;
            ConnectivityMatrix v6 = await new ConnectivityProbe(pods, IpFamily.IPv6).ConvergeAsync(expected, _convergence, time, stop);
            good &= Report(v6, expected, "IPv6", start);
        }

        return (v4, good);
    }

    private bool Report(ConnectivityMatrix actual, ConnectivityMatrix expected, string family, TimeSpan start)
    {
        (int From, int To)[] wrong = [.. actual.Differences(expected)];
        string took = $"{(console.Elapsed - start).TotalSeconds:0.00} s";
        if (wrong.Length == 0)
        {
            console.Good("matrix", $"{family}: all {expected.Pairs().Count()} pairs as expected, after {took}");
            return true;
        }

        console.Bad("matrix", $"{family}: {wrong.Length} pairs are not as expected after {took}");
        foreach ((int from, int to) in wrong.Take(10))
        {
            console.Text($"    {actual.Pods[from].FullName} -> {actual.Pods[to].FullName}: {actual[from, to]}, expected {expected[from, to]}\n");
        }

        return false;
    }

    private static Reach UnderPolicy(LabPod from, LabPod to) =>
        to.App != ClusterResources.PolicyTarget ? Reach.Both : from.App == ClusterResources.PolicySource ? Reach.Tcp : Reach.None;

    private void PrintChanges(ConnectivityMatrix before, ConnectivityMatrix after)
    {
        (int From, int To)[] changes = [.. after.Differences(before)];
        string policy = $"{LabPod.Namespace}/{ClusterResources.PolicyName}";
        foreach (IGrouping<LabPod, (int From, int To)> target in changes.GroupBy(c => after.Pods[c.To]).Take(6))
        {
            string[] closed = [.. target.Where(c => after[c.From, c.To] == Reach.None).Select(c => after.Pods[c.From].Name)];
            string[] tcpOnly = [.. target.Where(c => after[c.From, c.To] == Reach.Tcp).Select(c => after.Pods[c.From].Name)];
            console.Text($"  {target.Key.FullName}, selected by {policy}: closed to {Names(closed)}; TCP only for {Names(tcpOnly)}\n");
        }

        console.Text($"  {changes.Length} pairs changed, all by {policy}\n");
    }

    private void PrintHowToLookAround()
    {
        string node = topology.Nodes[0].Name;
        string pod = topology.Pods[0].Name;
        console.Title("The rack stays up");
        console.Text(
            $"""
              weft lab status                                    every machine and pod, with processes and namespaces
              weft lab exec {node} -- weft node status             a node's endpoints, sessions and problems
              weft lab exec {topology.Switches[0].Name} -- ip route                    a switch's kernel routes
              weft lab exec {pod} -- ping -c1 {Topology.StoreAddress}      from inside a pod
              weft lab exec store -- weft get nodes -o wide      the datastore
              weft lab down                                      takes it all down

            """);
    }

    private static string Names(string[] names) => names.Length switch
    {
        0 => "nobody",
        <= 4 => string.Join(", ", names),
        _ => $"{string.Join(", ", names.Take(3))} and {names.Length - 3} more",
    };

    private static string Indent(string text) => string.Concat(text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => $"    {line}\n"));
}
