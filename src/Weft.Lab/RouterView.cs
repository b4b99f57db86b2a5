using System.Text;
using System.Text.Json.Nodes;
using Weft.Hosting.Control;

namespace Weft.Lab;

/// <summary>One BGP session as the lab shows it.</summary>
/// <param name="Machine">Whose view.</param>
/// <param name="Peer">Name of the neighbour.</param>
/// <param name="Address">Its address.</param>
/// <param name="RemoteAs">Its AS number.</param>
/// <param name="State">State of the session machine, "Established" when it is up.</param>
/// <param name="LastError">Why it went down or does not come up.</param>
internal sealed record SessionView(string Machine, string Peer, string Address, string RemoteAs, string State, string LastError)
{
    public bool IsEstablished => State.Equals("Established", StringComparison.OrdinalIgnoreCase);
}

/// <summary>Asks the routers of the rack over their control sockets.</summary>
internal static class RouterView
{
    /// <summary>The sessions of one router; empty while it does not answer.</summary>
    public static async Task<IReadOnlyList<SessionView>> SessionsAsync(string machine, CancellationToken stop)
    {
        JsonNode answer = await AskAsync(machine, "neighbors", stop);
        return [.. (answer["neighbors"]?.AsArray() ?? []).OfType<JsonObject>().Select(n => new SessionView(
            machine, Text(n["name"]), Text(n["address"]), Text(n["remoteAs"]), Text(n["state"]), Text(n["lastError"])))];
    }

    public static string BirdSocket(LabSwitch self) => $"{LabFiles.RunDir(self.Name)}/bird.ctl";

    /// <summary>The routing table of a switch as text: the best routes, or what BIRD prints.</summary>
    public static async Task<string> TableAsync(LabSwitch self, CancellationToken stop) =>
        self.IsBird
            ? (await LabProcess.RunAsync(self.Name, ["birdc", "-r", "-s", BirdSocket(self), "show", "route"], string.Empty, new Dictionary<string, string>(), stop)).Output
            : await TableAsync(self.Name, stop);

    private static async Task<string> TableAsync(string machine, CancellationToken stop)
    {
        JsonNode answer = await AskAsync(machine, "routes", stop);
        StringBuilder text = new();
        text.Append($"  {"prefix",-22}{"next hop",-20}{"from",-12}{"AS path"}\n");
        foreach (JsonObject route in (answer["routes"]?.AsArray() ?? []).OfType<JsonObject>().Where(r => (bool?)r["best"] ?? false))
        {
            text.Append($"  {Text(route["prefix"]),-22}{Text(route["nextHop"]),-20}{Text(route["source"]),-12}{Path(route["asPath"])}\n");
        }

        return text.ToString();
    }

    private static async Task<JsonNode> AskAsync(string machine, string command, CancellationToken stop)
    {
        try
        {
            return await ControlClient.RequestAsync($"{LabFiles.RunDir(machine)}/router.sock", new JsonObject { ["command"] = command }, stop);
        }
        catch (IOException)
        {
            return new JsonObject(); // Not listening yet; asked again.
        }
    }

    private static string Path(JsonNode? path) => path is JsonArray array ? string.Join(' ', array.Select(Text)) : Text(path);

    private static string Text(JsonNode? node) => node?.ToString() ?? string.Empty;
}
