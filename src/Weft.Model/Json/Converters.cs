using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Weft.Model.Resources;

namespace Weft.Model.Json;

/// <summary>A value that is JSON, but not one its field can hold. The message says what was expected; the serializer adds the path.</summary>
internal sealed class FieldFormatException(string message) : JsonException(message);

/// <summary>An integer, or a string with a number, a range or a name. Written as the shortest of the three.</summary>
internal sealed class PortConverter : JsonConverter<Port>
{
    public const string Expected = "expected a port: 0..65535, \"FIRST:LAST\", or a name of letters, digits, '_', '.' and '-'";

    public override Port Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Number when reader.TryGetUInt16(out ushort number) => new Port(number),
        JsonTokenType.String when Port.TryParse(reader.GetString()!, out Port port) => port,
        _ => throw new FieldFormatException(Expected),
    };

    public override void Write(Utf8JsonWriter writer, Port value, JsonSerializerOptions options)
    {
        if (!value.IsNamed && value.Min == value.Max)
        {
            writer.WriteNumberValue(value.Min);
        }
        else
        {
            writer.WriteStringValue(value.ToString());
        }
    }
}

/// <summary>An integer, or a name as written; text of digits becomes a number, as in Calico.</summary>
internal sealed class ProtocolConverter : JsonConverter<Protocol>
{
    public override Protocol Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Number when reader.TryGetByte(out byte number) => Protocol.FromNumber(number),
        JsonTokenType.String => Protocol.FromText(reader.GetString()!),
        _ => throw new FieldFormatException("expected a protocol: 1..255 or one of TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite"),
    };

    public override void Write(Utf8JsonWriter writer, Protocol value, JsonSerializerOptions options)
    {
        if (value.Name is null)
        {
            writer.WriteNumberValue(value.Number);
        }
        else
        {
            writer.WriteStringValue(value.Name);
        }
    }
}

/// <summary>A number, or a string in plain or dotted form; written as a number.</summary>
internal sealed class AsNumberConverter : JsonConverter<AsNumber>
{
    public override AsNumber Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Number when reader.TryGetUInt32(out uint number) => new AsNumber(number),
        JsonTokenType.String when AsNumber.TryParse(reader.GetString()!, out AsNumber number) => number,
        _ => throw new FieldFormatException("expected an AS number: 0..4294967295 or \"HIGH.LOW\""),
    };

    public override void Write(Utf8JsonWriter writer, AsNumber value, JsonSerializerOptions options) => writer.WriteNumberValue(value.Value);
}

/// <summary>A boolean, or the strings "true" and "false" that the etcd driver stores for one field; written as a boolean.</summary>
internal sealed class BooleanOrTextConverter : JsonConverter<bool>
{
    public override bool Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        JsonTokenType.String when reader.ValueTextEquals("true"u8) => true,
        JsonTokenType.String when reader.ValueTextEquals("false"u8) => false,
        _ => throw new FieldFormatException("expected true or false"),
    };

    public override void Write(Utf8JsonWriter writer, bool value, JsonSerializerOptions options) => writer.WriteBooleanValue(value);
}

/// <summary>A differentiated services code point, as a number or by its name (RFC 2474, 2597, 3246).</summary>
internal sealed class DscpConverter : JsonConverter<int?>
{
    public override int? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Null => null,
        JsonTokenType.Number when reader.TryGetInt32(out int number) => number,
        JsonTokenType.String when TryParse(reader.GetString()!, out int number) => number,
        _ => throw new FieldFormatException("expected a DSCP value: 0..63 or one of DF, EF, AF11..AF43, CS0..CS6"),
    };

    public override void Write(Utf8JsonWriter writer, int? value, JsonSerializerOptions options)
    {
        if (value is { } number)
        {
            writer.WriteNumberValue(number);
        }
        else
        {
            writer.WriteNullValue();
        }
    }

    public static bool TryParse(string text, out int value)
    {
        string name = text.ToUpperInvariant();
        value = name switch
        {
            "DF" => 0,
            "EF" => 46,
            // RFC 2597: class x 8 + drop precedence x 2, for classes 1..4 and precedences 1..3.
            ['A', 'F', >= '1' and <= '4', >= '1' and <= '3'] => ((name[2] - '0') * 8) + ((name[3] - '0') * 2),
            ['C', 'S', >= '0' and <= '6'] => (name[2] - '0') * 8,
            _ => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : -1,
        };
        return value >= 0;
    }
}

/// <summary>Maps are written in ordinal order of their keys, as Go does: equal values have equal bytes.</summary>
internal abstract class OrderedMapConverter<T> : JsonConverter<Dictionary<string, T>>
{
    public override Dictionary<string, T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new FieldFormatException("expected a mapping");
        }

        Dictionary<string, T> map = [];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            map[key] = ReadValue(ref reader, key);
        }

        return map;
    }

    public override void Write(Utf8JsonWriter writer, Dictionary<string, T> value, JsonSerializerOptions options)
    {
        string[] keys = [.. value.Keys];
        Array.Sort(keys, StringComparer.Ordinal);
        writer.WriteStartObject();
        foreach (string key in keys)
        {
            writer.WritePropertyName(key);
            WriteValue(writer, value[key]);
        }

        writer.WriteEndObject();
    }

    protected abstract T ReadValue(ref Utf8JsonReader reader, string key);

    protected abstract void WriteValue(Utf8JsonWriter writer, T value);
}

internal sealed class TextMapConverter : OrderedMapConverter<string>
{
    protected override string ReadValue(ref Utf8JsonReader reader, string key) => reader.TokenType switch
    {
        JsonTokenType.String => reader.GetString()!,
        JsonTokenType.Null => string.Empty,
        _ => throw new FieldFormatException($"{key}: expected text; numbers and booleans need quotes here"),
    };

    protected override void WriteValue(Utf8JsonWriter writer, string value) => writer.WriteStringValue(value);
}

internal sealed class CountMapConverter : OrderedMapConverter<int>
{
    protected override int ReadValue(ref Utf8JsonReader reader, string key) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out int value) ? value : throw new FieldFormatException($"{key}: expected a whole number");

    protected override void WriteValue(Utf8JsonWriter writer, int value) => writer.WriteNumberValue(value);
}

internal sealed class SequenceMapConverter : OrderedMapConverter<ulong>
{
    protected override ulong ReadValue(ref Utf8JsonReader reader, string key) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetUInt64(out ulong value) ? value : throw new FieldFormatException($"{key}: expected a sequence number");

    protected override void WriteValue(Utf8JsonWriter writer, ulong value) => writer.WriteNumberValue(value);
}
