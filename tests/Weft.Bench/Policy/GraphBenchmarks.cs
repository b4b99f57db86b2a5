using BenchmarkDotNet.Attributes;
using Weft.Model.Keys;

namespace Weft.Bench.Policy;

/// <summary>One change in a large cluster, from the datastore's update to what the dataplane is sent: it must cost what changed, not what there is.</summary>
public class GraphBenchmarks
{
    // Endpoint 10 is on another node, endpoint 0 here; both versions exist before the measurement, as they would come out of the syncer.
    private static readonly ModelUpdate[] s_remote = [ScaledCluster.Endpoint(10, "canary"), ScaledCluster.Endpoint(10, "stable")];
    private static readonly ModelUpdate[] s_local = [ScaledCluster.Endpoint(0, "canary"), ScaledCluster.Endpoint(0, "stable")];
    private static readonly ModelUpdate[] s_member = [s_remote[0] with { Value = null }, s_remote[0]];
    private static readonly ModelUpdate[] s_policy = [ScaledCluster.Policy(0, 80), ScaledCluster.Policy(0, 8080)];
    private static readonly ModelUpdate[] s_elsewhere = [ScaledCluster.Policy(50, 80), ScaledCluster.Policy(50, 8080)];

    private ScaledCluster _cluster = null!;
    private int _turn;

    [GlobalSetup]
    public void Load()
    {
        long before = GC.GetTotalMemory(forceFullCollection: true);
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        _cluster = new ScaledCluster();
        TimeSpan took = System.Diagnostics.Stopwatch.GetElapsedTime(started);
        Console.WriteLine($"// loaded in {took.TotalSeconds:0.0} s, {_cluster.Emitted} updates; state {(GC.GetTotalMemory(forceFullCollection: true) - before) / 1048576} MiB");
    }

    /// <summary>A policy of an endpoint here gets other ports.</summary>
    [Benchmark]
    public long PolicyChanges() => Apply(s_policy);

    /// <summary>A policy that no endpoint here has.</summary>
    [Benchmark]
    public long PolicyElsewhereChanges() => Apply(s_elsewhere);

    /// <summary>An endpoint of another node gets other labels, of which no selector knows.</summary>
    [Benchmark]
    public long RemoteEndpointChanges() => Apply(s_remote);

    /// <summary>An endpoint of another node comes or goes: a member of a set of 100 000, and of the sets of its labels.</summary>
    [Benchmark]
    public long MemberComesOrGoes() => Apply(s_member);

    /// <summary>An endpoint here gets other labels.</summary>
    [Benchmark]
    public long LocalEndpointChanges() => Apply(s_local);

    private long Apply(ModelUpdate[] versions)
    {
        _cluster.Graph.OnUpdate(versions[_turn++ & 1]);
        _cluster.Graph.Flush(_cluster);
        return _cluster.Emitted;
    }
}
