using System.Net.Sockets;
using System.Text.Json.Nodes;
using Weft.Hosting.Control;

namespace Weft.Fuzz.Targets;

/// <summary>The control socket: every line gets one line of JSON back, or the end of the connection; the server stays.</summary>
internal sealed class ControlTarget : FuzzTarget
{
    private static readonly string s_path = Path.Combine(Path.GetTempPath(), $"weft-fuzz-{Environment.ProcessId}.sock");

    private Task? _running;

    public override string Name => "control";

    public override IEnumerable<byte[]> Seeds =>
    [
        "{\"command\":\"neighbors\"}\n"u8.ToArray(), "{\"command\":\"routes\",\"prefix\":\"10.0.0.0/8\",\"from\":null}\n"u8.ToArray(), "[1,2]\n"u8.ToArray(), "{}"u8.ToArray(),
    ];

    public override IReadOnlyList<byte[]> Words =>
        ["{"u8.ToArray(), "}"u8.ToArray(), "["u8.ToArray(), "\"command\":"u8.ToArray(), "\\u0000"u8.ToArray(), "\\ud800"u8.ToArray(), "1e999"u8.ToArray(), "\n"u8.ToArray(), "null"u8.ToArray()];

    public override ulong Run(byte[] input)
    {
        _running ??= Serve();
        Require(!_running.IsCompleted, "the control server ended");
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 5000 };
        socket.Connect(new UnixDomainSocketEndPoint(s_path));
        socket.Send(input);
        socket.Shutdown(SocketShutdown.Send);
        byte[] room = new byte[1 << 16];
        int length = 0;
        while (length < room.Length && socket.Receive(room.AsSpan(length)) is > 0 and int more)
        {
            length += more;
        }

        if (length == 0)
        {
            return 1;
        }

        Require(room[length - 1] == '\n', "an answer without an end");
        JsonNode? answer = JsonNode.Parse(room.AsSpan(0, length));
        return Mix(2, (ulong)((answer as JsonObject)?["error"]?.GetValue<string>().Split('|', '\'')[0].Length ?? 0));
    }

    private static Task Serve() => ControlServer.Listen(
        s_path,
        static (request, _) => Task.FromResult<JsonNode?>(new JsonObject { ["echo"] = request["command"]?.DeepClone() }),
        TimeProvider.System).RunAsync(CancellationToken.None);
}
