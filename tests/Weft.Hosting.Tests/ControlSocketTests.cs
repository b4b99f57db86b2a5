using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Weft.Hosting.Control;

namespace Weft.Hosting.Tests;

public sealed class ControlSocketTests : IAsyncDisposable
{
    private readonly string _path = Path.Combine(Directory.CreateTempSubdirectory("weft-control-").FullName, "role.sock");
    private readonly CancellationTokenSource _stop = new();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _stop.Dispose();
        Directory.Delete(Path.GetDirectoryName(_path)!, recursive: true);
    }

    [Fact]
    public async Task Request_IsAnswered_OnASocketOnlyItsOwnerMayOpen()
    {
        await using ControlServer server = Serve(async (request, _) => new JsonObject { ["echo"] = (string?)request["command"] });

        JsonNode answer = await ControlClient.RequestAsync(_path, new JsonObject { ["command"] = "hello" }, CancellationToken.None);

        Assert.Equal("hello", (string?)answer["echo"]);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_path));
    }

    [Fact]
    public async Task InheritedSocket_IsAnswered_AndStaysWhenTheServerGoes()
    {
        using Socket held = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        held.Bind(new UnixDomainSocketEndPoint(_path));
        held.Listen();
        Socket copy = new(new SafeSocketHandle(held.SafeHandle.DangerousGetHandle(), ownsHandle: false));
        ControlServer server = ControlServer.Listen(_path, (_, _) => Task.FromResult<JsonNode?>(new JsonObject { ["ok"] = true }), TimeProvider.System, inherited: copy);
        Task running = server.RunAsync(_stop.Token);

        JsonNode answer = await ControlClient.RequestAsync(_path, new JsonObject(), CancellationToken.None);
        await _stop.CancelAsync();
        await running;
        await server.DisposeAsync();

        Assert.True((bool?)answer["ok"]);
        Assert.True(File.Exists(_path));
    }

    [Theory]
    [InlineData("this is not JSON\n", "not JSON")]
    [InlineData("[1,2]\n", "expected one JSON object")]
    public async Task Garbage_IsAnsweredWithAnError_AndTheServerGoesOn(string line, string expected)
    {
        await using ControlServer server = Serve(async (_, _) => new JsonObject { ["ok"] = true });

        string answer = await SendRawAsync(line);
        JsonNode next = await ControlClient.RequestAsync(_path, new JsonObject(), CancellationToken.None);

        Assert.Contains(expected, answer, StringComparison.Ordinal);
        Assert.True((bool?)next["ok"]);
    }

    [Fact]
    public async Task EndlessLine_EndsTheConnection_AndTheServerGoesOn()
    {
        await using ControlServer server = Serve(async (_, _) => new JsonObject { ["ok"] = true });

        string answer = await SendRawAsync(new string('x', ControlServer.MaxRequestBytes + 8192));
        JsonNode next = await ControlClient.RequestAsync(_path, new JsonObject(), CancellationToken.None);

        Assert.Empty(answer);
        Assert.True((bool?)next["ok"]);
    }

    [Fact]
    public async Task LiveSocket_IsNotTakenOver_AStaleOneIs()
    {
        ControlServer first = Serve(async (_, _) => new JsonObject());

        Assert.Throws<IOException>(() => ControlServer.Listen(_path, (_, _) => Task.FromResult<JsonNode?>(null), TimeProvider.System));
        await first.DisposeAsync();
        using Socket stale = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        stale.Bind(new UnixDomainSocketEndPoint(_path));
        stale.Dispose();
        await File.WriteAllTextAsync(_path, string.Empty);
        await using ControlServer second = ControlServer.Listen(_path, (_, _) => Task.FromResult<JsonNode?>(null), TimeProvider.System);

        Assert.Equal(_path, second.Path);
    }

    [Fact]
    public async Task NobodyListening_IsAnErrorThatNamesThePath()
    {
        IOException error = await Assert.ThrowsAsync<IOException>(() => ControlClient.RequestAsync(_path, new JsonObject(), CancellationToken.None));

        Assert.Contains(_path, error.Message, StringComparison.Ordinal);
    }

    private ControlServer Serve(Func<JsonObject, CancellationToken, Task<JsonNode?>> handler)
    {
        ControlServer server = ControlServer.Listen(_path, (request, stop) => handler(request, stop), TimeProvider.System);
        _ = server.RunAsync(_stop.Token);
        return server;
    }

    private async Task<string> SendRawAsync(string text)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_path));
        byte[] buffer = new byte[4096];
        try
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(text));
            return Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer));
        }
        catch (SocketException)
        {
            return string.Empty; // Closed in the middle of our writing.
        }
    }
}
