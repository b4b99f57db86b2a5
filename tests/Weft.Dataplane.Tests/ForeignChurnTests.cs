using System.Diagnostics;
using System.Globalization;
using System.Text;
using Weft.Linux.Processes;
using Weft.Policy.Output;

namespace Weft.Dataplane.Tests;

/// <summary>
/// What others do to the kernel costs the dataplane next to nothing. WEFT_FOREIGN_ROUTES sets how many routes there are (tests/Weft.Bench/RESULTS.md has the
/// figure for 100 000); a thousand here, so that the test is short.
/// </summary>
public sealed class ForeignChurnTests
{
    [Fact]
    public async Task RoutesAndLinksOfOthers_AreLookedAtOncePerSecond()
    {
        int routes = int.Parse(Environment.GetEnvironmentVariable("WEFT_FOREIGN_ROUTES") ?? "1000", CultureInfo.InvariantCulture);
        TimeSpan length = TimeSpan.FromSeconds(routes > 10_000 ? 60 : 3);
        await using PodNode node = new();
        Outside outside = node.AddOutside();
        Pod pod = node.AddPod(1);
        Batch(node, routes, i => $"route add 172.{16 + i / 65536}.{i / 256 % 256}.{i % 256}/32 via {outside.IPv4} proto bird");
        (double alone, _) = Churn(node, outside, length);
        node.Start();
        await node.SendAsync(pod.Endpoint(), new InSync());
        await node.Progress.WaitAsync(pod);
        long rounds = node.Reports.Count;

        (double together, double changes) = Churn(node, outside, length);

        rounds = node.Reports.Count - rounds;
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{routes} foreign routes, {changes:f0} changes/s of routes and links: {rounds} rounds in {length.TotalSeconds:f0} s, {together - alone:p2} of a core");

        // Not one round per change: one per second, and a few that refresh or end what was under way.
        Assert.InRange(rounds, 0, length.TotalSeconds * 1.25 + 3);
        Assert.Equal(0, node.Reports.Count(r => r.Problem is not null));
    }

    /// <summary>Changes what belongs to others as fast as one program after another can.</summary>
    /// <returns>This process's share of a core meanwhile, and changes per second.</returns>
    private static (double Share, double Changes) Churn(PodNode node, Outside outside, TimeSpan length)
    {
        using Process self = Process.GetCurrentProcess();
        TimeSpan before = self.TotalProcessorTime;
        long started = Stopwatch.GetTimestamp();
        int changes = 0;
        while (Stopwatch.GetElapsedTime(started) < length)
        {
            Batch(node, 500, i => $"route del 172.16.{i / 256}.{i % 256}/32");
            Batch(node, 500, i => $"route add 172.16.{i / 256}.{i % 256}/32 via {outside.IPv4} proto bird");
            Batch(node, 20, i => $"link add other{i} type veth peer name peer{i}");
            Batch(node, 20, i => $"link del other{i}");
            changes += 1040;
        }

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        self.Refresh();
        return ((self.TotalProcessorTime - before).TotalSeconds / seconds, changes / seconds);
    }

    private static void Batch(PodNode node, int count, Func<int, string> line)
    {
        StringBuilder text = new();
        for (int i = 0; i < count; i++)
        {
            text.Append(line(i)).Append('\n');
        }

        ProcessResult result = node.Tools.Run(new ProcessRequest("ip", "-batch", "-") { Input = Encoding.ASCII.GetBytes(text.ToString()) });
        Assert.True(result.IsSuccess, result.ToString());
    }
}
