using System.Buffers.Binary;

namespace Weft.Bgp.Wire;

/// <summary>Walks a canonical attribute block (see <see cref="AttributeReader"/>). Only for blocks we wrote: trusts every length.</summary>
internal ref struct CanonicalAttributes
{
    private ReadOnlySpan<byte> _rest;

    public CanonicalAttributes(ReadOnlySpan<byte> block)
    {
        NextHop = block.Slice(1, block[0]);
        _rest = block[(1 + block[0])..];
    }

    /// <summary>0 octets: a route of our own with the next hop "self"; 4, 16, or 32 (global and link-local).</summary>
    public ReadOnlySpan<byte> NextHop { get; }

    /// <summary>Octets behind the current attribute.</summary>
    public readonly int Remaining => _rest.Length;

    public byte Type { get; private set; }

    public byte Flags { get; private set; }

    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>True after <see cref="Finish"/>: there is no current attribute.</summary>
    public bool IsFinished { get; private set; }

    public void Finish() => IsFinished = true;

    public bool MoveNext()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        Flags = _rest[0];
        Type = _rest[1];
        bool extended = (Flags & AttributeFlags.ExtendedLength) != 0;
        int length = extended ? BinaryPrimitives.ReadUInt16BigEndian(_rest[2..]) : _rest[2];
        int header = extended ? 4 : 3;
        Value = _rest.Slice(header, length);
        _rest = _rest[(header + length)..];
        return true;
    }

    /// <summary>The value of one attribute; empty when absent (no attribute kept canonical has an empty value but AS_PATH and ATOMIC_AGGREGATE).</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> block, AttributeType type)
    {
        var attributes = new CanonicalAttributes(block);
        while (attributes.MoveNext())
        {
            if (attributes.Type >= (byte)type)
            {
                return attributes.Type == (byte)type ? attributes.Value : default;
            }
        }

        return default;
    }
}
