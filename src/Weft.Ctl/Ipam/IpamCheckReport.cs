using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using Weft.Ctl.Output;
using Weft.Datastore;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Ipam.Checks;

namespace Weft.Ctl.Ipam;

/// <summary>weft ipam check: what does not fit, why it is thought so and what to do; and the report that release works from.</summary>
internal sealed class IpamCheckReport(IDatastore store, CommandLine line, CommandContext context)
{
    private const int MostNodes = 20;

    private static readonly TimeSpan s_recheck = TimeSpan.FromSeconds(5);

    /// <summary>Of the tool that writes and reads reports.</summary>
    public static string Version =>
        typeof(IpamCheckReport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? string.Empty;

    public async Task<ExitStatus> RunAsync(CancellationToken stop)
    {
        TimeSpan wait = line.Value(IpamCommand.Recheck) is not { } text ? s_recheck
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) ? TimeSpan.FromSeconds(seconds)
            : throw new UsageException($"--recheck {text}: expected a number of seconds");
        IpamCheck check = await IpamCheck.LoadAsync(store, context.Time, stop);
        IReadOnlyList<IpamFinding> findings = check.Findings;
        if (findings.Any(f => f.IsProblem) && wait > TimeSpan.Zero)
        {
            await context.Error.WriteLineAsync($"weft ipam: {findings.Count(f => f.IsProblem)} candidates; looking again in {wait.TotalSeconds:0} s, since a pod that is being set up or removed looks like a leak");
            await Task.Delay(wait, context.Time, stop);
            IpamCheck again = await IpamCheck.LoadAsync(store, context.Time, stop);
            (findings, check) = (again.StillThere(check), again);
        }

        int problems = findings.Count(f => f.IsProblem);
        if (line.Value(IpamCommand.Output) is { } output)
        {
            JsonObject report = Report(check, findings);
            if (output == "json")
            {
                await IpamCommand.PrintAsync(context, report);
                return problems == 0 ? ExitStatus.Ok : ExitStatus.Failed;
            }

            await WriteAsync(output, report, stop);
        }

        await PrintAsync(check, findings);
        await context.Out.WriteLineAsync($"Check complete; found {problems} problems.");
        return problems == 0 ? ExitStatus.Ok : ExitStatus.Failed;
    }

    private async Task PrintAsync(IpamCheck check, IReadOnlyList<IpamFinding> findings)
    {
        await context.Out.WriteLineAsync($"Looked at {check.Blocks} blocks, {check.Held.Count} allocated addresses, {check.Handles} handles, {check.Endpoints} endpoints.");
        foreach (IGrouping<string, HeldAddress> node in check.Held.GroupBy(h => h.Attributes.GetValueOrDefault("node") ?? h.Owner ?? "(no node)").OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).Take(MostNodes))
        {
            await context.Out.WriteLineAsync($"  {node.Key}: {node.Count()} addresses in {node.Select(h => h.Block).Distinct().Count()} blocks");
        }

        if (line.Has(IpamCommand.AllIps))
        {
            TextTable table = new("IP", "BLOCK", "HANDLE", "USED BY");
            foreach (HeldAddress held in check.Held)
            {
                table.Add(held.Address.ToString(), held.Block.ToString(), held.HandleId, held.Users.Count > 0 ? string.Join(", ", held.Users) : held.IsLeaked ? "nobody" : "(cannot be judged)");
            }

            await context.Out.WriteAsync(table.ToString());
        }

        foreach (IGrouping<(bool IsProblem, FindingKind Kind), IpamFinding> kind in findings.GroupBy(f => (f.IsProblem, f.Kind)).OrderByDescending(g => g.Key.IsProblem).ThenBy(g => g.Key.Kind))
        {
            await context.Out.WriteLineAsync($"\n{(kind.Key.IsProblem ? string.Empty : "Note: ")}{Title(kind.Key.Kind)}: {kind.Count()}");
            foreach (IpamFinding finding in kind)
            {
                await context.Out.WriteLineAsync($"  {finding.Subject}: {finding.Explanation}\n      -> {finding.Remedy}");
            }
        }

        await context.Out.WriteLineAsync();
    }

    private static string Title(FindingKind kind) => kind switch
    {
        FindingKind.Leaked => "Allocated addresses that nobody uses (leaks)",
        FindingKind.Duplicate => "Addresses used twice",
        FindingKind.NotAllocated => "Used addresses that are not allocated",
        FindingKind.OutsidePools => "Used addresses in no pool",
        FindingKind.ForeignHolder => "Addresses used by another than their holder",
        FindingKind.EmptyHandle => "Handles that count more than they hold",
        FindingKind.MissingHandle => "Addresses whose handle does not know them",
        FindingKind.InvalidBlock => "Blocks that contradict themselves",
        FindingKind.Affinity => "Affinities and blocks that do not agree",
        FindingKind.StrayBlock => "Blocks without a node or a pool",
        _ => "Values that cannot be read",
    };

    private static JsonObject Report(IpamCheck check, IReadOnlyList<IpamFinding> findings)
    {
        // What was found only the first time is no leak any more.
        HashSet<string> leaked = [.. findings.Where(f => f.Kind == FindingKind.Leaked).Select(f => f.Subject)];
        HashSet<string> empty = [.. findings.Where(f => f is { Kind: FindingKind.EmptyHandle, IsProblem: true }).Select(f => f.Subject)];
        JsonObject allocations = [];
        foreach (HeldAddress held in check.Held)
        {
            allocations[held.Address.ToString()] = new JsonArray(new JsonObject
            {
                ["block"] = held.Block.ToString(), ["affinity"] = held.Owner, ["handle"] = held.HandleId, ["sequenceNumber"] = held.SequenceNumber,
                ["inUse"] = !leaked.Contains(held.Address.ToString()), ["users"] = new JsonArray([.. held.Users.Select(u => (JsonNode)u)]),
                ["attributes"] = new JsonObject([.. held.Attributes.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)a.Value))]),
            });
        }

        return new JsonObject
        {
            ["version"] = Version,
            ["clusterGUID"] = check.Cluster.ClusterGUID,
            ["datastoreLocked"] = check.Cluster.DatastoreReady == false,
            ["clusterInformationRevision"] = check.ClusterRevision,
            ["clusterType"] = check.Cluster.ClusterType,
            ["allocations"] = allocations,
            ["leakedHandles"] = new JsonArray([.. check.EmptyHandles.Where(h => empty.Contains(h.HandleId)).Select(h => (JsonNode)new JsonObject { ["id"] = h.HandleId, ["revision"] = h.Revision.ToString() })]),
            ["findings"] = new JsonArray([.. findings.Select(f => (JsonNode)new JsonObject
            {
                ["kind"] = char.ToLowerInvariant(f.Kind.ToString()[0]) + f.Kind.ToString()[1..], ["subject"] = f.Subject, ["problem"] = f.IsProblem, ["explanation"] = f.Explanation, ["remedy"] = f.Remedy,
            })]),
        };
    }

    private static async Task WriteAsync(string path, JsonObject report, CancellationToken stop)
    {
        try
        {
            await File.WriteAllTextAsync(path, ResourcePrinter.Indented(report) + "\n", stop);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CtlException($"report {path}: {e.Message}");
        }
    }
}
