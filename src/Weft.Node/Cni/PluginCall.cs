using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Weft.Node.Cni;

/// <summary>
/// A call as the plugin process sees it: the variables, and the configuration as it came, looked at only as far as needed to hand it on. What it means is for whoever carries
/// it out; parsing it here too would be half of this process' life.
/// </summary>
/// <param name="Environment">The variables of the specification that are set.</param>
/// <param name="Config">The text of the configuration; one JSON object, or nothing for VERSION.</param>
/// <param name="CniVersion">"cniVersion" as it stands between its quotes, escapes included; empty when absent.</param>
/// <param name="AgentSocket">"agent_socket".</param>
internal sealed record PluginCall(Dictionary<string, string> Environment, ReadOnlyMemory<byte> Config, ReadOnlyMemory<byte> CniVersion, string AgentSocket)
{
    public bool IsVersion => Environment.GetValueOrDefault(CniRequest.VerbVariable) == "VERSION";

    /// <param name="environment">See the record.</param>
    /// <param name="config">Standard input, all of it.</param>
    /// <exception cref="CniException">Code 6: not one JSON object.</exception>
    public static PluginCall Read(Dictionary<string, string> environment, ReadOnlyMemory<byte> config)
    {
        ReadOnlyMemory<byte> version = default;
        string socket = NetworkConfig.DefaultAgentSocket;
        if (environment.GetValueOrDefault(CniRequest.VerbVariable) == "VERSION" && config.Span.Trim(" \t\r\n"u8).IsEmpty)
        {
            return new PluginCall(environment, config, version, socket);
        }

        try
        {
            Utf8JsonReader reader = new(config.Span);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                throw new CniException(CniErrorCode.Decode, "network configuration on standard input: expected a JSON object");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                (bool isVersion, bool isSocket) = (reader.ValueTextEquals("cniVersion"u8), reader.ValueTextEquals("agent_socket"u8));
                reader.Read();
                if (isVersion && reader.TokenType == JsonTokenType.String)
                {
                    version = config.Slice((int)reader.TokenStartIndex + 1, reader.ValueSpan.Length);
                }
                else if (isSocket && reader.TokenType == JsonTokenType.String)
                {
                    socket = reader.GetString()!;
                }

                reader.Skip();
            }

            while (reader.Read())
            {
                // Whatever follows the object is an error that the reader finds.
            }
        }
        catch (JsonException e)
        {
            throw new CniException(CniErrorCode.Decode, $"network configuration on standard input: {e.Message}");
        }

        return new PluginCall(environment, config, version, socket);
    }

    /// <summary>The line for the agent: {"command":"cni","verb":V,"environment":{...},"config":C}.</summary>
    public ReadOnlyMemory<byte> ToLine()
    {
        ArrayBufferWriter<byte> line = new(Config.Length + 2048);
        line.Write("{\"command\":\"cni\",\"verb\":"u8);
        WriteText(line, Environment.GetValueOrDefault(CniRequest.VerbVariable, string.Empty));
        line.Write(",\"environment\":{"u8);
        bool first = true;
        foreach ((string name, string value) in Environment)
        {
            line.Write(first ? default : ","u8);
            WriteText(line, name);
            line.Write(":"u8);
            WriteText(line, value);
            first = false;
        }

        line.Write("},\"config\":"u8);

        // Line breaks can only stand between tokens: within texts JSON has them escaped.
        Span<byte> config = line.GetSpan(Config.Length);
        Config.Span.CopyTo(config);
        config[..Config.Length].Replace((byte)'\n', (byte)' ');
        line.Advance(Config.Length);
        line.Write("}\n"u8);
        return line.WrittenMemory;
    }

    private static void WriteText(ArrayBufferWriter<byte> line, string text)
    {
        line.Write("\""u8);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value is '"' or '\\')
            {
                line.Write("\\"u8);
            }

            if (rune.Value < 0x20)
            {
                line.Write("\\u00"u8);
                line.Write([(byte)('0' + rune.Value / 16), (byte)"0123456789abcdef"[rune.Value % 16]]);
                continue;
            }

            line.Write(utf8[..rune.EncodeToUtf8(utf8)]);
        }

        line.Write("\""u8);
    }
}
