using System.Buffers.Binary;
using Weft.Primitives.Net;

namespace Weft.Bgp.Wire;

/// <summary>
/// Packs prefixes into one UPDATE written straight into the memory it is given. IPv4 uses the fixed sections, IPv6 MP_REACH_NLRI and MP_UNREACH_NLRI, which stand
/// first (RFC 7606 5.1), so the prefixes grow in front and the other attributes follow at the end. IPv4 with a next hop of IPv6 is announced like IPv6 (RFC 8950).
/// </summary>
internal ref struct UpdateWriter
{
    private const int SectionsStart = MessageFramer.HeaderLength;

    /// <summary>Flags, type, two octets of length, AFI, SAFI.</summary>
    private const int UnreachHeader = 4 + 3;

    private readonly Span<byte> _message;
    private readonly IpFamily _family;
    private ReadOnlySpan<byte> _attributes;
    private bool _announces;
    private bool _multiprotocol;
    private int _at;
    private int _limit;

    /// <param name="room">At least <paramref name="maximumLength"/> octets.</param>
    public UpdateWriter(Span<byte> room, int maximumLength, IpFamily family)
    {
        _message = room[..maximumLength];
        _family = family;
    }

    /// <summary>Starts an announcement. False when the attributes leave no room for a prefix: such a route cannot be sent.</summary>
    /// <param name="attributes">Attributes as on the wire; with NEXT_HOP for IPv4.</param>
    /// <param name="nextHop">16 or 32 octets for MP_REACH_NLRI; empty: IPv4, and NEXT_HOP is among the attributes.</param>
    public bool BeginAnnounce(ReadOnlySpan<byte> attributes, ReadOnlySpan<byte> nextHop)
    {
        _announces = true;
        _multiprotocol = !nextHop.IsEmpty;
        BinaryPrimitives.WriteUInt16BigEndian(_message[SectionsStart..], 0);
        if (!_multiprotocol)
        {
            if (attributes.Length > _message.Length - SectionsStart - 4 - NlriReader.PathIdLength - 5)
            {
                return false;
            }

            _attributes = default;
            BinaryPrimitives.WriteUInt16BigEndian(_message[(SectionsStart + 2)..], (ushort)attributes.Length);
            attributes.CopyTo(_message[(SectionsStart + 4)..]);
            _at = SectionsStart + 4 + attributes.Length;
            _limit = _message.Length;
            return true;
        }

        int start = SectionsStart + 4;
        int reach = UnreachHeader + 1 + nextHop.Length + 1;
        if (attributes.Length > _message.Length - start - reach - NlriReader.PathIdLength - 17)
        {
            return false;
        }

        _attributes = attributes;
        Span<byte> header = _message[start..];
        WriteMpHeader(header, AttributeType.MpReach);
        header[UnreachHeader] = (byte)nextHop.Length;
        nextHop.CopyTo(header[(UnreachHeader + 1)..]);
        header[reach - 1] = 0;
        _at = start + reach;
        _limit = _message.Length - attributes.Length;
        return true;
    }

    public void BeginWithdraw()
    {
        _announces = false;
        _attributes = default;
        _multiprotocol = _family == IpFamily.IPv6;
        if (!_multiprotocol)
        {
            _at = SectionsStart + 2;
            _limit = _message.Length - 2;
            return;
        }

        BinaryPrimitives.WriteUInt16BigEndian(_message[SectionsStart..], 0);
        WriteMpHeader(_message[(SectionsStart + 4)..], AttributeType.MpUnreach);
        _at = SectionsStart + 4 + UnreachHeader;
        _limit = _message.Length;
    }

    /// <summary>False when the message is full.</summary>
    public bool TryAdd(in PrefixKey key)
    {
        if (_at + 1 + (key.Length + 7 >> 3) > _limit)
        {
            return false;
        }

        _at += NlriReader.Write(_message[_at..], in key, _family);
        return true;
    }

    /// <summary>With a path identifier (RFC 7911). False when the message is full.</summary>
    public bool TryAdd(uint pathId, in PrefixKey key)
    {
        if (_at + NlriReader.PathIdLength + 1 + (key.Length + 7 >> 3) > _limit)
        {
            return false;
        }

        BinaryPrimitives.WriteUInt32BigEndian(_message[_at..], pathId);
        _at += NlriReader.PathIdLength;
        _at += NlriReader.Write(_message[_at..], in key, _family);
        return true;
    }

    /// <summary>Fills in lengths and header; returns the length of the message.</summary>
    public int End()
    {
        if (!_multiprotocol)
        {
            if (!_announces)
            {
                BinaryPrimitives.WriteUInt16BigEndian(_message[SectionsStart..], (ushort)(_at - SectionsStart - 2));
                BinaryPrimitives.WriteUInt16BigEndian(_message[_at..], 0);
                _at += 2;
            }
        }
        else
        {
            int start = SectionsStart + 4;
            BinaryPrimitives.WriteUInt16BigEndian(_message[(start + 2)..], (ushort)(_at - start - 4));
            _attributes.CopyTo(_message[_at..]);
            _at += _attributes.Length;
            BinaryPrimitives.WriteUInt16BigEndian(_message[(SectionsStart + 2)..], (ushort)(_at - start));
        }

        MessageFramer.WriteHeader(_message, MessageType.Update, _at);
        return _at;
    }

    /// <summary>RFC 4724 2: for IPv4 an UPDATE with nothing in it, else an empty MP_UNREACH_NLRI.</summary>
    public static int WriteEndOfRib(Span<byte> room, IpFamily family)
    {
        room.Slice(SectionsStart, 4).Clear();
        int length = SectionsStart + 4;
        if (family == IpFamily.IPv6)
        {
            ReadOnlySpan<byte> unreach = [AttributeFlags.Optional, (byte)AttributeType.MpUnreach, 3, 0, 2, 1];
            unreach.CopyTo(room[length..]);
            room[length - 1] = (byte)unreach.Length;
            length += unreach.Length;
        }

        MessageFramer.WriteHeader(room, MessageType.Update, length);
        return length;
    }

    private readonly void WriteMpHeader(Span<byte> header, AttributeType type)
    {
        header[0] = AttributeFlags.Optional | AttributeFlags.ExtendedLength;
        header[1] = (byte)type;
        header[4] = 0;
        header[5] = _family == IpFamily.IPv4 ? (byte)1 : (byte)2;
        header[6] = 1;
    }
}
