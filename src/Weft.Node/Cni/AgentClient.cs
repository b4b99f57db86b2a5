using System.Buffers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weft.Node.Cni;

/// <summary>What came of asking the agent.</summary>
/// <param name="Outcome">The agent's answer, or null.</param>
/// <param name="Nobody">Nobody listened: the request has not been seen by anyone.</param>
/// <param name="Reason">Why there is no answer.</param>
internal readonly record struct AgentAnswer(CniOutcome? Outcome, bool Nobody, string Reason);

/// <summary>
/// Hands a call to the agent of this node over its socket: one JSON object per line each way (Weft.Hosting.Control). Blocking on purpose: this process has
/// one thing to do, and the event loop and the thread pool behind an asynchronous socket would cost more time than all the rest of the call.
/// </summary>
internal static class AgentClient
{
    /// <summary>Longer than the agent's own budget for a call: it must be the agent that says what took so long.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(110);

    public static AgentAnswer Call(string path, IReadOnlyDictionary<string, string> environment, JsonObject config)
    {
        if (!File.Exists(path))
        {
            return new AgentAnswer(null, true, $"{path}: no such socket");
        }

        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        (socket.SendTimeout, socket.ReceiveTimeout) = ((int)s_patience.TotalMilliseconds, (int)s_patience.TotalMilliseconds);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            Send(socket, Request(environment, config));
            return Receive(socket) is { } line
                ? new AgentAnswer(CniOutcome.Read(line), false, $"{path}: the answer is not that of an agent")
                : new AgentAnswer(null, false, $"{path}: the connection ended without an answer");
        }
        catch (SocketException e)
        {
            return new AgentAnswer(null, e.SocketErrorCode == SocketError.ConnectionRefused, $"{path}: {e.Message}");
        }
        catch (JsonException e)
        {
            return new AgentAnswer(null, false, $"{path}: {e.Message}");
        }
    }

    private static ReadOnlySpan<byte> Request(IReadOnlyDictionary<string, string> environment, JsonObject config)
    {
        ArrayBufferWriter<byte> buffer = new(4096);
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("command"u8, "cni"u8);
            writer.WriteString("verb"u8, environment.GetValueOrDefault(CniRequest.VerbVariable, string.Empty));
            writer.WriteStartObject("environment"u8);
            foreach ((string name, string value) in environment)
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
            writer.WritePropertyName("config"u8);
            config.WriteTo(writer);
            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    private static void Send(Socket socket, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[socket.Send(bytes)..];
        }
    }

    /// <returns>Null when the agent hangs up before its line is complete.</returns>
    private static JsonNode? Receive(Socket socket)
    {
        byte[] buffer = new byte[8192];
        int length = 0;
        while (true)
        {
            int read = socket.Receive(buffer, length, buffer.Length - length, SocketFlags.None);
            if (read == 0)
            {
                return null;
            }

            int end = buffer.AsSpan(length, read).IndexOf((byte)'\n');
            length += read;
            if (end >= 0)
            {
                return JsonNode.Parse(buffer.AsSpan(0, length - read + end));
            }

            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }
    }
}
