using System.Text;
using System.Text.Json.Nodes;
using Weft.Hosting.Control;
using Weft.Node.Cni;

namespace Weft.Node.Tests.Cni;

public sealed class CniMainTests : IDisposable
{
    private const string Everything = """{"cniVersion":"1.1.0","name":"net1","type":"weft"}""";
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-node-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("", "1.1.0")]
    [InlineData("""{"cniVersion":"0.4.0"}""", "0.4.0")]
    [InlineData("""{"cniVersion":"9.9.9"}""", "9.9.9")]
    public async Task Version_EchoesAskedVersion_ListsAll(string input, string version)
    {
        (int exit, JsonObject? body) = await RunAsync(input, ("CNI_COMMAND", "VERSION"));

        Assert.Equal(0, exit);
        Assert.Equal(version, (string?)body!["cniVersion"]);
        Assert.Equal(["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"], body["supportedVersions"]!.AsArray().Select(v => (string?)v));
    }

    [Theory]
    [InlineData("ADD", "", 6)]
    [InlineData("ADD", "[]", 6)]
    [InlineData("ADD", "{", 6)]
    [InlineData("NOPE", Everything, 4)]
    [InlineData("ADD", """{"cniVersion":"9.9.9","name":"n","type":"weft"}""", 1)]
    [InlineData("ADD", """{"cniVersion":"1.0.0","type":"weft"}""", 7)]
    [InlineData("ADD", """{"cniVersion":"1.0.0","name":"-n","type":"weft"}""", 7)]
    [InlineData("ADD", """{"cniVersion":"1.0.0","name":"n","mtu":"many"}""", 7)]
    [InlineData("ADD", """{"cniVersion":"1.0.0","name":"n","mtu":99999}""", 7)]
    [InlineData("ADD", """{"cniVersion":"1.0.0","name":"n","ipam":[]}""", 7)]
    [InlineData("ADD", """{"cniVersion":"1.0.0","name":"n","ipam":{"type":"dhcp"}}""", 2)]
    [InlineData("ADD", """{"cniVersion":"1.0.0","name":"n","device_type":"foo"}""", 2)]
    [InlineData("CHECK", """{"cniVersion":"0.3.1","name":"n"}""", 1)]
    [InlineData("STATUS", """{"cniVersion":"1.0.0","name":"n"}""", 1)]
    [InlineData("GC", """{"cniVersion":"0.4.0","name":"n"}""", 1)]
    public async Task InvalidCall_GivesTheSpecificationsCode(string verb, string input, int code)
    {
        (int exit, JsonObject? body) = await RunAsync(
            input, ("CNI_COMMAND", verb), ("CNI_CONTAINERID", "c1"), ("CNI_NETNS", "/run/netns/x"), ("CNI_IFNAME", "eth0"));

        Assert.Equal(1, exit);
        Assert.Equal(code, (int)body!["code"]!);
        Assert.False(string.IsNullOrEmpty((string?)body["msg"]));
        Assert.False(string.IsNullOrEmpty((string?)body["cniVersion"]));
    }

    [Theory]
    [InlineData("CNI_CONTAINERID", "")]
    [InlineData("CNI_CONTAINERID", "-x")]
    [InlineData("CNI_CONTAINERID", "a/b")]
    [InlineData("CNI_IFNAME", "")]
    [InlineData("CNI_IFNAME", "sixteen-letters.")]
    [InlineData("CNI_IFNAME", "a:b")]
    [InlineData("CNI_IFNAME", "..")]
    [InlineData("CNI_NETNS", "")]
    [InlineData("CNI_ARGS", "nonsense")]
    [InlineData("CNI_ARGS", "IP=1.2.3")]
    public async Task InvalidVariable_IsNamed(string variable, string value)
    {
        Dictionary<string, string> environment = new()
        {
            ["CNI_COMMAND"] = "ADD", ["CNI_CONTAINERID"] = "c1", ["CNI_NETNS"] = "/run/netns/x", ["CNI_IFNAME"] = "eth0", [variable] = value,
        };

        (int exit, JsonObject? body) = await RunAsync(Everything, [.. environment.Select(v => (v.Key, v.Value))]);

        Assert.Equal(1, exit);
        Assert.Equal(4, (int)body!["code"]!);
        Assert.Contains(variable, (string?)body["msg"]);
    }

    [Fact]
    public async Task TooMuchInput_IsRefused()
    {
        (int exit, JsonObject? body) = await RunAsync(new string(' ', 1 << 21), ("CNI_COMMAND", "ADD"));

        Assert.Equal(1, exit);
        Assert.Equal(6, (int)body!["code"]!);
    }

    [Fact]
    public async Task AgentAnswers_ItsResultIsPrinted()
    {
        string path = Path.Combine(_folder, "agent.sock");
        JsonObject? seen = null;
        await using ControlServer server = ControlServer.Listen(
            path,
            (request, _) =>
            {
                seen = (JsonObject)request.DeepClone();
                return Task.FromResult<JsonNode?>(CniOutcome.Result(new JsonObject { ["cniVersion"] = "1.1.0" }).Write());
            },
            TimeProvider.System);
        using CancellationTokenSource stop = new();
        Task serving = server.RunAsync(stop.Token);

        (int exit, JsonObject? body) = await RunAsync(
            $$"""{"cniVersion":"1.1.0","name":"net1","type":"weft","agent_socket":"{{path}}"}""",
            ("CNI_COMMAND", "ADD"), ("CNI_CONTAINERID", "c1"), ("CNI_NETNS", "/run/netns/x"), ("CNI_IFNAME", "eth0"), ("SECRET", "no"));

        await stop.CancelAsync();
        await serving;
        Assert.Equal(0, exit);
        Assert.Equal("1.1.0", (string?)body!["cniVersion"]);
        Assert.Equal("ADD", (string?)seen!["verb"]);
        Assert.Equal("c1", (string?)seen["environment"]!["CNI_CONTAINERID"]);
        Assert.Null(seen["environment"]!["SECRET"]);
        Assert.Equal("net1", (string?)seen["config"]!["name"]);
    }

    [Fact]
    public void Line_CarriesWhateverTheVariablesHold()
    {
        Dictionary<string, string> environment = new() { ["CNI_COMMAND"] = "ADD", ["CNI_ARGS"] = "A=\"\\\u0001\u00e9\ud83d\ude00" };
        byte[] config = "{\r\n  \"name\": \"n\",\n \"cniVersion\": \"1.0.0\", \"more\": {\"cniVersion\": \"x\"}}\n"u8.ToArray();

        PluginCall call = PluginCall.Read(environment, config);

        string line = Encoding.UTF8.GetString(call.ToLine().Span);
        Assert.Equal(line.Length - 1, line.IndexOf('\n'));
        JsonNode parsed = JsonNode.Parse(line)!;
        Assert.Equal(environment["CNI_ARGS"], (string?)parsed["environment"]!["CNI_ARGS"]);
        Assert.Equal("n", (string?)parsed["config"]!["name"]);
        Assert.Equal("1.0.0", Encoding.UTF8.GetString(call.CniVersion.Span));
    }

    [Theory]
    [InlineData("""{"exitCode":0,"result":null}""", 0, "")]
    [InlineData("""{"exitCode":0,"result":{"a":1}}""", 0, """{"a":1}""")]
    [InlineData("""{"exitCode":1,"error":{"code":11}}""", 1, """{"code":11}""")]
    public void Answer_IsTakenApartWithoutParsing(string line, int exitCode, string body)
    {
        Assert.True(CniOutcome.TryReadPlain(Encoding.UTF8.GetBytes(line), out int exit, out ReadOnlySpan<byte> text));

        Assert.Equal((exitCode, body), (exit, Encoding.UTF8.GetString(text)));
    }

    [Fact]
    public async Task AgentDiesDuringAdd_AsksForRepetition()
    {
        string path = Path.Combine(_folder, "agent.sock");
        await using ControlServer server = ControlServer.Listen(path, (_, _) => Task.FromResult<JsonNode?>(null), TimeProvider.System);
        using CancellationTokenSource stop = new();
        Task serving = server.RunAsync(stop.Token);

        (int exit, JsonObject? body) = await RunAsync(
            $$"""{"cniVersion":"1.1.0","name":"net1","type":"weft","agent_socket":"{{path}}"}""",
            ("CNI_COMMAND", "ADD"), ("CNI_CONTAINERID", "c1"), ("CNI_NETNS", "/run/netns/x"), ("CNI_IFNAME", "eth0"));

        await stop.CancelAsync();
        await serving;
        Assert.Equal(1, exit);
        Assert.Equal(11, (int)body!["code"]!);
    }

    private static async Task<(int Exit, JsonObject? Body)> RunAsync(string input, params (string Name, string Value)[] environment)
    {
        using MemoryStream output = new();
        Dictionary<string, string> variables = environment.ToDictionary(v => v.Name, v => v.Value);
        int exit = await Task.Run(async () => await CniMain.RunAsync(
            variables.GetValueOrDefault, new MemoryStream(Encoding.UTF8.GetBytes(input)), output, Stream.Null, CancellationToken.None));
        return (exit, output.Length == 0 ? null : (JsonObject?)JsonNode.Parse(output.ToArray()));
    }
}
