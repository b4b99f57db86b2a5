using System.Buffers.Binary;
using Weft.Testing.Bgp;

namespace Weft.Fuzz;

/// <summary>An UPDATE taken apart leniently, changed by its sections, and put together again with lengths that fit (or not).</summary>
internal sealed class UpdateShape
{
    private static readonly byte[] s_types = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 20, 25, 32, 35, 99, 128, 255];
    private static readonly byte[] s_flags = [0x40, 0x80, 0xC0, 0xE0, 0x50, 0x90, 0xD0, 0x00, 0x60];

    private readonly List<(byte Flags, byte Type, byte[] Value)> _attributes = [];
    private byte[] _withdrawn = [];
    private byte[] _nlri = [];

    public static byte[] Mutate(byte[] input, byte[] other, Random random)
    {
        if (!TryRead(input, out UpdateShape shape))
        {
            return input.Length < BgpBytes.HeaderLength ? BgpBytes.Message((byte)random.Next(7), input) : Body(input, random);
        }

        TryRead(other, out UpdateShape second);
        shape.Change(second, random);
        byte[] message = shape.Write();
        if (random.Next(6) == 0)
        {
            // One of the two inner lengths lies.
            int at = random.Next(2) == 0 ? 19 : 21 + shape._withdrawn.Length;
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(at), (ushort)(BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at)) + random.Next(-4, 5)));
        }

        // Behind the message stays what was behind it: a target may read several.
        int length = BinaryPrimitives.ReadUInt16BigEndian(input.AsSpan(16));
        byte[] rest = length < input.Length ? input[length..] : [];
        return random.Next(5) == 0 ? [.. message, .. second.Write()] : [.. message, .. rest];
    }

    /// <summary>Marker and length of the first message made honest.</summary>
    public static void FixHeader(byte[] input)
    {
        if (input.Length < BgpBytes.HeaderLength)
        {
            return;
        }

        input.AsSpan(0, 16).Fill(0xFF);
        int length = BinaryPrimitives.ReadUInt16BigEndian(input.AsSpan(16));
        if (length < BgpBytes.HeaderLength || length > input.Length)
        {
            BinaryPrimitives.WriteUInt16BigEndian(input.AsSpan(16), (ushort)input.Length);
        }
    }

    private static byte[] Body(byte[] input, Random random)
    {
        byte[] copy = (byte[])input.Clone();
        if (copy.Length > BgpBytes.HeaderLength)
        {
            copy[random.Next(BgpBytes.HeaderLength, copy.Length)] = (byte)random.Next(256);
        }

        return copy;
    }

    private static bool TryRead(byte[] input, out UpdateShape shape)
    {
        shape = new UpdateShape();
        if (input.Length < 23 || input[18] != 2)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(input.AsSpan(16));
        ReadOnlySpan<byte> body = input.AsSpan(19, Math.Clamp(length, 23, input.Length) - 19);
        int withdrawn = Math.Min(BinaryPrimitives.ReadUInt16BigEndian(body), body.Length - 4);
        shape._withdrawn = body.Slice(2, withdrawn).ToArray();
        body = body[(2 + withdrawn)..];
        int attributes = Math.Min(BinaryPrimitives.ReadUInt16BigEndian(body), body.Length - 2);
        shape._nlri = body[(2 + attributes)..].ToArray();
        ReadOnlySpan<byte> rest = body.Slice(2, attributes);
        while (rest.Length >= 3)
        {
            bool extended = (rest[0] & 0x10) != 0 && rest.Length >= 4;
            int header = extended ? 4 : 3;
            int value = Math.Min(extended ? BinaryPrimitives.ReadUInt16BigEndian(rest[2..]) : rest[2], rest.Length - header);
            shape._attributes.Add((rest[0], rest[1], rest.Slice(header, value).ToArray()));
            rest = rest[(header + value)..];
        }

        return true;
    }

    private void Change(UpdateShape other, Random random)
    {
        int at = _attributes.Count == 0 ? -1 : random.Next(_attributes.Count);
        switch (random.Next(11))
        {
            case 0 when at >= 0:
                _attributes.RemoveAt(at);
                break;
            case 1 when at >= 0:
                _attributes.Insert(random.Next(_attributes.Count + 1), _attributes[at]);
                break;
            case 2 when at >= 0:
                _attributes[at] = _attributes[at] with { Flags = s_flags[random.Next(s_flags.Length)] };
                break;
            case 3 when at >= 0:
                _attributes[at] = _attributes[at] with { Type = s_types[random.Next(s_types.Length)] };
                break;
            case 4 or 5 when at >= 0:
                _attributes[at] = _attributes[at] with { Value = Value(_attributes[at].Value, random) };
                break;
            case 6:
                _attributes.Add((s_flags[random.Next(s_flags.Length)], s_types[random.Next(s_types.Length)], Value([], random)));
                break;
            case 7 when other._attributes.Count > 0:
                _attributes.Add(other._attributes[random.Next(other._attributes.Count)]);
                break;
            case 8:
                _nlri = Value(_nlri, random);
                break;
            case 9:
                _withdrawn = Value(_withdrawn, random);
                break;
            default:
                (_nlri, _withdrawn) = random.Next(2) == 0 ? (other._nlri, _withdrawn) : (_withdrawn, _nlri);
                break;
        }
    }

    private static byte[] Value(byte[] value, Random random)
    {
        byte[] noise = new byte[random.Next(random.Next(8) == 0 ? 600 : 13)];
        random.NextBytes(noise);
        int at = random.Next(value.Length + 1);
        return random.Next(5) switch
        {
            0 => value[..at],
            1 => [.. value, .. noise],
            2 when value.Length > 0 => [.. value.AsSpan(0, at), (byte)random.Next(256), .. value.AsSpan(Math.Min(at + 1, value.Length))],
            3 => [.. value, .. value],
            _ => noise,
        };
    }

    private byte[] Write()
    {
        byte[] attributes = [.. _attributes.SelectMany(static a => Written(a.Flags, a.Type, a.Value))];
        int room = 65535 - 23 - _withdrawn.Length - _nlri.Length;
        return BgpBytes.Update(_withdrawn, attributes.AsSpan(0, Math.Min(attributes.Length, Math.Max(0, room))), _nlri);
    }

    private static byte[] Written(byte flags, byte type, byte[] value) => (flags & 0x10) != 0 || value.Length > 255
        ? [(byte)(flags | 0x10), type, (byte)(value.Length >> 8), (byte)value.Length, .. value]
        : [flags, type, (byte)value.Length, .. value];
}
