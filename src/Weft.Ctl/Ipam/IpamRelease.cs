using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ctl.Ipam;

/// <summary>
/// weft ipam release. One address by hand, or from reports of check what every one of them calls leaked: each address with the handle and sequence number
/// it had then, so that one which has been handed out anew since is left alone.
/// </summary>
internal sealed class IpamRelease(IDatastore store, CommandLine line, CommandContext context)
{
    private const int PerCall = 1000;

    private readonly AddressAllocator _allocator = new(store, NullLoggerFactory.Instance, context.Time);

    public async Task<ExitStatus> RunAsync(CancellationToken stop) => (line.Value(IpamCommand.Ip), line.Values(IpamCommand.FromReport)) switch
    {
        ({ } ip, []) => await OneAsync(ip, stop),
        (null, { Count: > 0 } reports) => await FromReportsAsync(reports, stop),
        _ => throw new UsageException("release: expected either --ip or --from-report"),
    };

    private async Task<ExitStatus> OneAsync(string text, CancellationToken stop)
    {
        IpAddress address = IpAddress.TryParse(text, out IpAddress parsed) ? parsed : throw new CtlException($"invalid IP address specified: {text}");
        ReleaseResult result = await _allocator.ReleaseAddressesAsync([new AddressRelease(address)], stop);
        if (result.Refusals.Count > 0)
        {
            throw new CtlException(result.Refusals[0]);
        }

        if (result.Released.Count == 0)
        {
            throw new CtlException($"IP address {address} is not assigned");
        }

        await context.Out.WriteLineAsync($"Successfully released IP address {address}");
        return ExitStatus.Ok;
    }

    private async Task<ExitStatus> FromReportsAsync(IReadOnlyList<string> paths, CancellationToken stop)
    {
        LeakReport[] reports = [.. paths.Select(LeakReport.Read)];
        ClusterInformation cluster = (await store.GetAsync(new ResourceKey(ResourceKind.ClusterInformation, "default"), stop))?.As<ClusterInformation>() ?? new ClusterInformation();
        Refuse(reports, cluster);

        Dictionary<IpAddress, LeakedAddress> leaked = reports[0].Leaked.ToDictionary(l => l.Address);
        foreach (LeakReport report in reports.Skip(1))
        {
            HashSet<LeakedAddress> others = [.. report.Leaked];
            leaked = leaked.Where(l => others.Contains(l.Value)).ToDictionary();
        }

        int released = 0;
        List<string> refusals = [];
        foreach (LeakedAddress[] some in leaked.Values.OrderBy(l => l.Address).Chunk(PerCall))
        {
            // One by one: a refusal stops everything of its block, and one address handed out anew must not keep the others.
            foreach (LeakedAddress one in some)
            {
                ReleaseResult result = await _allocator.ReleaseAddressesAsync([new AddressRelease(one.Address, one.Handle, one.SequenceNumber)], stop);
                released += result.Released.Count;
                refusals.AddRange(result.Refusals);
            }

            await context.Error.WriteAsync('.');
        }

        int handles = 0;
        HashSet<(string, string)> empty = [.. reports[0].Handles];
        foreach ((string id, string revision) in empty.Where(h => reports.All(r => r.Handles.Contains(h))))
        {
            // Only as it was: a handle that somebody has counted in since is no longer empty.
            handles += (await store.DeleteAsync(new HandleKey(id), new Revision(long.Parse(revision, System.Globalization.CultureInfo.InvariantCulture)), stop)).IsWritten ? 1 : 0;
        }

        await context.Error.WriteLineAsync();
        foreach (string refusal in refusals)
        {
            await context.Error.WriteLineAsync($"weft ipam: left alone: {refusal}");
        }

        await context.Out.WriteLineAsync($"Released {released} of {leaked.Count} leaked addresses and {handles} of {empty.Count} empty handles; {leaked.Count - released} have been released or handed out anew since");
        return ExitStatus.Ok;
    }

    private void Refuse(LeakReport[] reports, ClusterInformation cluster)
    {
        foreach (LeakReport report in reports)
        {
            if (report.ClusterGuid != (cluster.Spec.ClusterGUID ?? string.Empty))
            {
                throw new CtlException($"report {report.Path} is of another cluster: its clusterGUID is \"{report.ClusterGuid}\", this one's \"{cluster.Spec.ClusterGUID}\"");
            }

            if (report.Version != IpamCheckReport.Version && !line.Has(IpamCommand.Force))
            {
                throw new CtlException($"report {report.Path} was made by version {report.Version}, this is {IpamCheckReport.Version}: make a new one, or use --force");
            }
        }

        if (line.Has(IpamCommand.Force))
        {
            return;
        }

        if (cluster.Spec.DatastoreReady != false)
        {
            throw new CtlException("the datastore is not locked: pods that start meanwhile are not in the report; set ClusterInformation default datastoreReady to false, make a new report and release from it, or use --force");
        }

        if (!reports.Any(r => r.ClusterRevision == cluster.Metadata.ResourceVersion))
        {
            throw new CtlException("no report was made since the datastore was locked: make one now, or use --force");
        }
    }
}

/// <param name="Handle">Held by this handle then.</param>
/// <param name="SequenceNumber">Of the allocation that was meant.</param>
internal readonly record struct LeakedAddress(IpAddress Address, string? Handle, ulong? SequenceNumber);

/// <summary>What release needs of a report.</summary>
internal sealed record LeakReport(
    string Path, string Version, string ClusterGuid, string ClusterRevision, IReadOnlyList<LeakedAddress> Leaked, IReadOnlyList<(string Id, string Revision)> Handles)
{
    public static LeakReport Read(string path)
    {
        try
        {
            JsonObject report = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
            return new LeakReport(
                path, Text(report, "version"), Text(report, "clusterGUID"), Text(report, "clusterInformationRevision"),
                [.. report["allocations"]!.AsObject().SelectMany(a => a.Value!.AsArray().Where(e => !(bool)e!["inUse"]!)
                    .Select(e => new LeakedAddress(IpAddress.Parse(a.Key), (string?)e!["handle"], (ulong?)e["sequenceNumber"])))],
                [.. report["leakedHandles"]!.AsArray().Select(h => (Text(h!.AsObject(), "id"), Text(h.AsObject(), "revision")))]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or FormatException or InvalidOperationException or NullReferenceException)
        {
            throw new CtlException($"report {path} cannot be read: {e.Message}");
        }
    }

    private static string Text(JsonObject from, string name) => (string?)from[name] ?? string.Empty;
}
