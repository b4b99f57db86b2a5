using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Weft.Bgp;
using Weft.Hosting.Control;
using Weft.Hosting.Monitoring;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// Answers on router.sock, one JSON line each, but for routes asked for with "stream": one line per route there, and an {"end":true} line. Requests:
/// <code>
///   {"command":"neighbors"}                    {"command":"neighbor","name":NAME or ADDRESS}          {"command":"summary"}      {"command":"memory"}
///   {"command":"routes","prefix":PREFIX, ADDRESS or null,"received":N,"advertised":N,"best":B,"rejected":B,"family":"ipv4"|"ipv6","limit":I,"stream":B}
///   {"command":"reset","name":N or "all","soft":"in"|"out"|"both"|null,"ask":B,"bfdDown":B,"message":TEXT}
///   {"command":"shutdown","name":N,"message":TEXT}     {"command":"enable","name":N or "all"}     {"command":"drain","name":N or "all"}
/// </code>
/// Every answer is a picture taken now; nothing is kept here.
/// </summary>
internal sealed class RouterControl(Func<RouterStatus> status, Func<OperatorRequest, CancellationToken, ValueTask> operate, FibFeeder fib, TimeProvider time)
{
    private readonly RouteAnswers _routes = new(fib);

    public async Task HandleAsync(JsonObject request, Func<JsonNode, ValueTask> answer, CancellationToken stop)
    {
        string? command = Text(request, "command");
        if (command == "routes")
        {
            await RoutesAsync(request, answer, stop);
            return;
        }

        await answer(command switch
        {
            "neighbors" => await NeighborsAsync(null, stop),
            "neighbor" => await NeighborsAsync(Text(request, "name") ?? string.Empty, stop),
            "summary" => SummaryAnswer.Make(status(), await PeersAsync(stop), await fib.AskAsync([], stop)),
            "memory" => await MemoryAnswer.MakeAsync(status(), await PeersAsync(stop), await fib.AskAsync([], stop), stop),
            "reset" => await ResetAsync(request, stop),
            "shutdown" or "enable" or "drain" => await OperateAsync(command, request, stop),
            _ => ControlServer.Error($"unknown command \"{command}\"; expected neighbors, neighbor, routes, summary, memory, reset, shutdown, drain or enable"),
        });
    }

    /// <summary>Answers GET: /metrics, and /readiness, which fails until every neighbour has sent its table after the start.</summary>
    public async ValueTask<MonitoringAnswer> MonitorAsync(string path, CancellationToken stop)
    {
        RouterStatus now = status();
        if (path == "/readiness")
        {
            return now.IsSettled ? MonitoringAnswer.Plain(200, "settled\n") : MonitoringAnswer.Plain(503, now.Waiting.Length > 0 ? $"waits: {now.Waiting}\n" : "not settled yet\n");
        }

        if (path != "/metrics")
        {
            return MonitoringAnswer.NotFound;
        }

        MetricText text = new();
        RouterMetrics.Write(text, now, await PeersAsync(stop), await fib.AskAsync([], stop));
        ProcessMetrics.Write(text);
        return new MonitoringAnswer(200, MetricText.ContentType, text.ToString());
    }

    internal static string? Text(JsonObject request, string member) => request[member] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    internal static bool Flag(JsonObject request, string member) => request[member] is JsonValue value && value.TryGetValue(out bool flag) && flag;

    private async Task<ImmutableArray<PeerSnapshot>> PeersAsync(CancellationToken stop) => status().Speaker is { } speaker ? await speaker.GetPeersAsync(stop) : [];

    /// <summary>Operators write down addresses as often as names.</summary>
    private static PeerSnapshot? Find(ImmutableArray<PeerSnapshot> peers, string name) =>
        peers.FirstOrDefault(p => p.Settings.Name == name)
        ?? (IpAddress.TryParse(name, out IpAddress address) ? peers.FirstOrDefault(p => p.Settings.Address == address) : null);

    private string Unknown(string? name, ImmutableArray<PeerSnapshot> peers)
    {
        if (status() is { Waiting.Length: > 0 } now)
        {
            return $"the router waits: {now.Waiting}";
        }

        string known = string.Join(", ", peers.Take(8).Select(p => p.Settings.Name));
        return $"no neighbour \"{name}\"; {(peers.IsEmpty ? "none is configured" : $"there are {known}{(peers.Length > 8 ? $" and {peers.Length - 8} more" : string.Empty)}")}";
    }

    private async Task<JsonObject> NeighborsAsync(string? name, CancellationToken stop)
    {
        RouterStatus now = status();
        ImmutableArray<PeerSnapshot> peers = await PeersAsync(stop);
        if (name is not null && Find(peers, name) is not { } found)
        {
            return ControlServer.Error(Unknown(name, peers));
        }

        IEnumerable<PeerSnapshot> asked = name is null ? peers.OrderBy(p => p.Settings.Name, StringComparer.Ordinal) : [Find(peers, name)!];
        return new JsonObject
        {
            ["neighbors"] = new JsonArray([.. asked.Select(p => (JsonNode)NeighborAnswer.Make(p, now, time))]),
            ["waiting"] = now.Waiting.Length > 0 ? now.Waiting : null,
        };
    }

    private async Task RoutesAsync(JsonObject request, Func<JsonNode, ValueTask> answer, CancellationToken stop)
    {
        if (status().Speaker is not { } speaker)
        {
            await answer(ControlServer.Error($"the router waits: {status().Waiting}"));
            return;
        }

        // Names first: everything behind this speaks of peers by name.
        ImmutableArray<PeerSnapshot> peers = [];
        foreach (string member in (string[])["received", "advertised", "from", "to"])
        {
            if (Text(request, member) is { } name)
            {
                peers = peers.IsEmpty ? await speaker.GetPeersAsync(stop) : peers;
                if (Find(peers, name) is not { } peer)
                {
                    await answer(ControlServer.Error(Unknown(name, peers)));
                    return;
                }

                request[member] = peer.Settings.Name;
            }
        }

        await _routes.AnswerAsync(speaker, request, answer, stop);
    }

    private async Task<JsonObject> ResetAsync(JsonObject request, CancellationToken stop)
    {
        string name = Text(request, "name") ?? string.Empty;
        string? soft = Text(request, "soft");
        ImmutableArray<PeerSnapshot> peers = await PeersAsync(stop);
        PeerSnapshot[] chosen = name == "all" ? [.. peers] : Find(peers, name) is { } one ? [one] : [];
        if (chosen.Length == 0 || status().Speaker is not { } speaker)
        {
            return ControlServer.Error(Unknown(name, peers));
        }

        if (soft is not (null or "in" or "out" or "both"))
        {
            return ControlServer.Error($"soft \"{soft}\": expected in, out or both");
        }

        bool ask = Flag(request, "ask");
        List<string> refused = [];

        JsonArray done = [];
        foreach (PeerSnapshot peer in chosen)
        {
            string key = peer.Settings.Name;
            if (soft is null)
            {
                await (Flag(request, "bfdDown") ? speaker.PeerLostByBfdAsync(key, stop) : speaker.ResetPeerAsync(key, Text(request, "message"), stop));
            }

            if (soft is "in" or "both" && !ask)
            {
                await speaker.SoftResetInAsync(key, stop);
            }

            if (ask && await speaker.AskForRoutesAsync(key) is { } problem)
            {
                refused.Add(problem);
                continue;
            }

            if (soft is "out" or "both")
            {
                await speaker.SoftResetOutAsync(key, stop);
            }

            done.Add((JsonNode)key);
        }

        return refused.Count > 0 ? ControlServer.Error(string.Join("; ", refused)) : new JsonObject { ["reset"] = done, ["soft"] = soft, ["ask"] = ask };
    }

    private async Task<JsonObject> OperateAsync(string command, JsonObject request, CancellationToken stop)
    {
        string name = Text(request, "name") ?? string.Empty;
        string? message = Text(request, "message");
        ImmutableArray<PeerSnapshot> peers = await PeersAsync(stop);
        if (name == "all" && command != "shutdown" && !peers.IsEmpty)
        {
            return await OperateAllAsync(command, peers, stop);
        }

        if (Find(peers, name) is not { } peer)
        {
            return ControlServer.Error(Unknown(name, peers));
        }

        if (message is not null && System.Text.Encoding.UTF8.GetByteCount(message) > OperatorRequest.MaximumMessageBytes)
        {
            return ControlServer.Error($"the message has more than {OperatorRequest.MaximumMessageBytes} bytes (RFC 9003)");
        }

        return await WishAsync(command, peer.Settings.Name, message, stop) is { } problem
            ? ControlServer.Error(problem)
            : new JsonObject { [command] = peer.Settings.Name, ["message"] = message };
    }

    private async Task<JsonObject> OperateAllAsync(string command, ImmutableArray<PeerSnapshot> peers, CancellationToken stop)
    {
        List<string> problems = [];
        foreach (PeerSnapshot peer in peers)
        {
            if (await WishAsync(command, peer.Settings.Name, null, stop) is { } problem)
            {
                problems.Add(problem);
            }
        }

        return problems.Count > 0 ? ControlServer.Error(string.Join("; ", problems)) : new JsonObject { [command] = string.Join(", ", peers.Select(p => p.Settings.Name)) };
    }

    private async Task<string?> WishAsync(string command, string name, string? message, CancellationToken stop)
    {
        OperatorWish wish = command switch { "enable" => OperatorWish.Enable, "drain" => OperatorWish.Drain, _ => OperatorWish.Shutdown };
        OperatorRequest asked = new(name, wish, message, new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously));
        await operate(asked, stop);
        return await asked.Answer.Task.WaitAsync(stop);
    }
}
