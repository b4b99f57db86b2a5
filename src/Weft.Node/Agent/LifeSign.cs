using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weft.Datastore;
using Weft.Model.Keys;
using Weft.Model.Status;

namespace Weft.Node.Agent;

/// <summary>
/// The agent's sign of life: Felix' status key of this node, on a lease, with this process' identity beside Felix' own members. Who finds another
/// identity there after having written its own has a twin: two agents with one node name, each undoing the other's pods.
/// </summary>
internal sealed class LifeSign(string node, TimeSpan period, IDatastore datastore, TimeProvider time, ILogger logger)
{
    private const string IdentityField = "weftAgent";

    /// <summary>A twin that stops is forgotten after its last sign would have expired.</summary>
    private const int PeriodsToExpire = 3;

    private readonly string _identity = $"{System.Environment.MachineName} pid {System.Environment.ProcessId} {Guid.NewGuid():N}";
    private readonly long _started = time.GetTimestamp();
    private long _twinSeen;
    private bool _written;
    private string? _twin;

    /// <summary>The other agent, as long as its signs are fresh; null when this agent is alone.</summary>
    public string? Twin => Volatile.Read(ref _twin) is { } twin && time.GetElapsedTime(Volatile.Read(ref _twinSeen)) < period * PeriodsToExpire ? twin : null;

    /// <summary>Runs for the life of the agent; trouble with the datastore is for others to tell.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await ReportOnceAsync(stop);
            }
            catch (DatastoreException e)
            {
                Log.LifeSignNotWritten(logger, e.Message);
            }

            await Task.Delay(period, time, stop);
        }
    }

    public async Task ReportOnceAsync(CancellationToken stop)
    {
        FelixStatusKey key = new(node, LastReported: false);
        if (_written && (await datastore.GetAsync(key, stop))?.Value is FelixStatusReport found && Identity(found) is { Length: > 0 } other && other != _identity)
        {
            if (Twin is null)
            {
                Log.TwinFound(logger, node, other);
            }

            Volatile.Write(ref _twinSeen, time.GetTimestamp());
            Volatile.Write(ref _twin, other);
        }

        FelixStatusReport report = new()
        {
            Time = time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            Uptime = time.GetElapsedTime(_started).TotalSeconds,
            FirstUpdate = !_written,
            UnknownFields = new Dictionary<string, JsonElement> { [IdentityField] = JsonDocument.Parse($"\"{JsonEncodedText.Encode(_identity)}\"").RootElement.Clone() },
        };
        await datastore.ApplyAsync(key, report, period * PeriodsToExpire, stop);
        await datastore.ApplyAsync(key with { LastReported = true }, report, null, stop);
        _written = true;
    }

    private static string Identity(FelixStatusReport report) =>
        report.UnknownFields?.GetValueOrDefault(IdentityField) is { ValueKind: JsonValueKind.String } text ? text.GetString()! : string.Empty;
}
