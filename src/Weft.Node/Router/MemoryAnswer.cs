using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Weft.Bgp;

namespace Weft.Node.Router;

/// <summary>Where the memory of the process is, as JSON; octets throughout.</summary>
internal static class MemoryAnswer
{
    /// <summary>Of one block that a session has not taken yet.</summary>
    private const int BlockBytes = 64 * 1024;

    public static async Task<JsonObject> MakeAsync(RouterStatus now, ImmutableArray<PeerSnapshot> peers, FibAnswer kernel, CancellationToken stop)
    {
        GCMemoryInfo heap = GC.GetGCMemoryInfo(GCKind.Any);
        IReadOnlyDictionary<string, long> process = ProcessStatus();
        JsonObject answer = new()
        {
            ["process"] = new JsonObject
            {
                ["resident"] = process.GetValueOrDefault("VmRSS"),
                ["residentPeak"] = process.GetValueOrDefault("VmHWM"),
                ["swapped"] = process.GetValueOrDefault("VmSwap"),
                ["threads"] = process.GetValueOrDefault("Threads"),
            },
            ["heap"] = new JsonObject
            {
                ["live"] = GC.GetTotalMemory(forceFullCollection: false),
                ["committed"] = heap.TotalCommittedBytes,
                ["fragmented"] = heap.FragmentedBytes,
                ["collections"] = new JsonArray(GC.CollectionCount(0), GC.CollectionCount(1), GC.CollectionCount(2)),
                ["pause"] = GC.GetTotalPauseDuration().TotalMilliseconds,
            },
            ["kernelRoutes"] = kernel.Count,
        };
        if (now.Speaker is { } speaker)
        {
            answer["tables"] = new JsonArray([.. (await speaker.GetMemoryAsync(stop)).Select(t => (JsonNode)Table(t))]);
        }

        answer["sessions"] = new JsonArray([.. peers.Where(p => p.Negotiated is not null).Select(p => (JsonNode)new JsonObject
        {
            ["name"] = p.Settings.Name,
            ["blocksUnderWay"] = p.Families.Sum(f => f.BlocksUnderWay),
            ["sendBytesAtMost"] = (long)BlockBytes * p.Families.Sum(f => f.BlocksUnderWay),
        })]);
        return answer;
    }

    private static JsonObject Table(RibMemory table) => new()
    {
        ["family"] = table.Family.ToString().ToLowerInvariant(),
        ["prefixes"] = table.Prefixes,
        ["prefixBytes"] = table.PrefixBytes,
        ["paths"] = table.Paths,
        ["pathBytes"] = table.PathBytes,
        ["attributeSets"] = table.AttributeSets,
        ["attributeBytes"] = table.AttributeBytes,
        ["nextHops"] = table.NextHops,
        ["updateGroups"] = table.UpdateGroups,
        ["groupBytes"] = table.GroupBytes,
    };

    /// <summary>/proc/self/status: what it counts in kB is returned in octets.</summary>
    private static Dictionary<string, long> ProcessStatus()
    {
        Dictionary<string, long> values = [];
        foreach (string line in File.ReadLines("/proc/self/status"))
        {
            string[] words = line.Split([':', '\t', ' '], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 2 && long.TryParse(words[1], out long number))
            {
                values[words[0]] = words is [_, _, "kB", ..] ? number * 1024 : number;
            }
        }

        return values;
    }
}
