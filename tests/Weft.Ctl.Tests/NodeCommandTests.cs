using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Hosting.Control;

namespace Weft.Ctl.Tests;

public sealed class NodeCommandTests
{
    private const string Agent = """
        {"node":"n1","process":{"id":1,"started":"2026-01-02T03:04:05Z"},"inSync":true,
         "datastore":{"status":"in-sync","since":"2026-01-02T03:04:06Z","detail":null},
         "dataplane":{"lastApply":"2026-01-02T03:05:00Z","durationMilliseconds":12.5,"problem":null,"policies":4,"profiles":2,"sets":6,"routes":8},
         "endpoints":[{"name":"demo/web","interface":"cali1","addresses":["10.1.0.1/32"],"state":"programmed","problem":null}],
         "problems":[{"key":"/calico/x","reason":"spec.order: expected a number"}]}
        """;

    private const string Router = """
        {"neighbors":[{"name":"tor1","address":"192.0.2.1","remoteAs":65001,"state":"Established","since":"2026-01-02T03:04:07Z",
          "receivedPrefixes":{"ipv4":3,"ipv6":1},"advertisedPrefixes":2,"lastError":null}]}
        """;

    [Fact]
    public async Task BothRoles_AreShownOnOnePage()
    {
        using TempFolder folder = new();
        await using ControlServer agent = Serve(folder, "agent.sock", Agent);
        await using ControlServer router = Serve(folder, "router.sock", Router);

        CliResult result = await new Cli(new MemoryDatastore()).RunAsync($"node status --run-dir {folder.Path}");

        Assert.Equal(
            """
            Agent of node n1 is running since 2026-01-02T03:04:05Z
              datastore   in-sync since 2026-01-02T03:04:06Z
              dataplane   last written 2026-01-02T03:05:00Z in 12.5 ms; 4 policies, 6 sets, 8 routes

            ENDPOINT   INTERFACE   ADDRESSES     STATE        PROBLEM
            demo/web   cali1       10.1.0.1/32   programmed   -

            Router is running

            PEER   ADDRESS     AS      STATE         SINCE                  RECEIVED   ADVERTISED   INFO
            tor1   192.0.2.1   65001   Established   2026-01-02T03:04:07Z   4          2            -

            Problems
              /calico/x: spec.order: expected a number

            """,
            result.Out);
        Assert.Equal(ExitStatus.Ok, result.Status);
    }

    [Fact]
    public async Task Json_HasBothAnswers_AndTheReasonOfTheOneThatIsMissing()
    {
        using TempFolder folder = new();
        await using ControlServer agent = Serve(folder, "agent.sock", Agent);
        Cli cli = new(new MemoryDatastore()) { Environment = { ["WEFT__AGENT__RUN_DIR"] = folder.Path, ["WEFT__ROUTER__RUN_DIR"] = folder.Path } };

        CliResult result = await cli.RunAsync("node status -o json");

        JsonNode json = JsonNode.Parse(result.Out)!;
        Assert.Equal(ExitStatus.Ok, result.Status);
        Assert.True((bool)json["agent"]!["inSync"]!);
        Assert.StartsWith(folder.Path + "/router.sock: ", (string)json["router"]!["error"]!);
    }

    [Fact]
    public async Task NothingRunning_IsAFailure()
    {
        CliResult result = await new Cli(new MemoryDatastore()).RunAsync("node status --run-dir /nowhere");

        Assert.Equal(ExitStatus.Failed, result.Status);
        Assert.StartsWith("Agent is not running: /nowhere/agent.sock: ", result.Out);
        Assert.Contains("Router is not running: /nowhere/router.sock: ", result.Out);
    }

    private static ControlServer Serve(TempFolder folder, string name, string answer)
    {
        ControlServer server = ControlServer.Listen(Path.Combine(folder.Path, name), (_, _) => Task.FromResult(JsonNode.Parse(answer)), TimeProvider.System);
        _ = server.RunAsync(TestContext.Current.CancellationToken);
        return server;
    }
}
