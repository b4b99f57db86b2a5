using System.Buffers.Binary;

namespace Weft.Bgp.Wire;

/// <summary>Writes attributes one behind the other. The extended length is used only where the value needs it, so equal values give equal bytes.</summary>
internal ref struct AttributeWriter
{
    private readonly Span<byte> _destination;
    private int _start;

    public AttributeWriter(Span<byte> destination, int length)
    {
        _destination = destination;
        Length = length;
    }

    /// <summary>Octets written so far, with what stood there before.</summary>
    public int Length { get; private set; }

    public void Write(byte flags, byte type, scoped ReadOnlySpan<byte> value)
    {
        Span<byte> room = _destination[Length..];
        int header = Header(room, flags, type, value.Length);
        value.CopyTo(room[header..]);
        Length += header + value.Length;
    }

    public void Write(byte flags, AttributeType type, uint value)
    {
        Span<byte> octets = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(octets, value);
        Write(flags, (byte)type, octets);
    }

    /// <summary>Starts an attribute whose length is not known yet; its value is written into the span returned, then <see cref="End"/>.</summary>
    public Span<byte> Begin(byte flags, byte type)
    {
        _start = Length;
        Span<byte> room = _destination[Length..];
        room[0] = (byte)(flags | AttributeFlags.ExtendedLength);
        room[1] = type;
        return room[4..];
    }

    public void End(int length)
    {
        Span<byte> room = _destination[_start..];
        if (length > 255)
        {
            BinaryPrimitives.WriteUInt16BigEndian(room[2..], (ushort)length);
            Length = _start + 4 + length;
            return;
        }

        room[0] &= unchecked((byte)~AttributeFlags.ExtendedLength);
        room[2] = (byte)length;
        room.Slice(4, length).CopyTo(room[3..]);
        Length = _start + 3 + length;
    }

    private static int Header(Span<byte> room, byte flags, byte type, int length)
    {
        room[1] = type;
        if (length > 255)
        {
            room[0] = (byte)(flags | AttributeFlags.ExtendedLength);
            BinaryPrimitives.WriteUInt16BigEndian(room[2..], (ushort)length);
            return 4;
        }

        room[0] = (byte)(flags & ~AttributeFlags.ExtendedLength);
        room[2] = (byte)length;
        return 3;
    }
}
