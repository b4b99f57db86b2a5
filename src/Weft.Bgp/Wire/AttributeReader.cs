using System.Buffers.Binary;
using Weft.Primitives.Net;

namespace Weft.Bgp.Wire;

/// <summary>What of the session decides how attributes are read.</summary>
/// <param name="IsConfederation">The peer is in another member AS of our confederation.</param>
/// <param name="HasConfederation">Paths may name member ASes.</param>
internal readonly record struct AttributeContext(bool IsInternal, bool FourOctetAs, AddressFamilies Families, bool IsConfederation = false, bool HasConfederation = false)
{
    /// <summary>RFC 8950: families whose next hops may be IPv6 addresses although they are not.</summary>
    public AddressFamilies IPv6NextHops { get; init; }

    /// <summary>RFC 7911: families whose NLRI carry path identifiers.</summary>
    public AddressFamilies PathIds { get; init; }
}

/// <summary>
/// Reads the path attributes section of one UPDATE: checks every attribute against its descriptor (RFC 7606), remembers where the good ones are, and writes them in
/// canonical form. A ref struct over the message: nothing is copied before <see cref="WriteCanonical"/>.
/// <code>
///  attribute on the wire: | flags | type | length 1 or 2 octets | value |
///  canonical block:       | next hop length 0, 4, 16 or 32 | next hop | attributes by rising type, without NEXT_HOP, MP_*, AS4_* |
/// </code>
/// The canonical block is what the RIB interns: two routes with equal attributes have equal blocks, whatever order, widths and flag noise their peers used.
/// </summary>
internal ref struct AttributeReader
{
    /// <summary>Attributes one UPDATE may carry; more than exist. An UPDATE above it is treated as withdrawn.</summary>
    private const int MaximumAttributes = 64;

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly AttributeContext _context;
    private Entries _entries;
    private int _count;
    private AttributeSet _seen;

    private AttributeReader(ReadOnlySpan<byte> attributes, AttributeContext context)
    {
        _bytes = attributes;
        _context = context;
    }

    /// <summary>NLRI of MP_REACH_NLRI when the family is one we run; with <see cref="ReachFamily"/>.</summary>
    public ReadOnlySpan<byte> ReachNlri { get; private set; }

    /// <summary>None: no MP_REACH_NLRI, or one of a family this session does not run.</summary>
    public IpFamily ReachFamily { get; private set; }

    /// <summary>Next hop octets of MP_REACH_NLRI: 4, 16 or 32.</summary>
    public ReadOnlySpan<byte> ReachNextHop { get; private set; }

    public ReadOnlySpan<byte> UnreachNlri { get; private set; }

    public IpFamily UnreachFamily { get; private set; }

    /// <summary>Octets of NEXT_HOP; empty when absent.</summary>
    public ReadOnlySpan<byte> NextHop { get; private set; }

    public readonly bool HasUnreach => _seen.Contains((byte)AttributeType.MpUnreach);

    /// <summary>True when the section holds nothing but MP_UNREACH_NLRI.</summary>
    public readonly bool IsOnlyUnreach => _seen.Count == 1 && HasUnreach;

    public readonly bool IsEmpty => _bytes.IsEmpty;

    /// <summary>Reads the section. The reader holds what could be used even when the result asks for treat-as-withdraw.</summary>
    /// <param name="hasNlri">The UPDATE announces IPv4 prefixes in its NLRI field, so NEXT_HOP must be there.</param>
    public static DecodeResult Read(ReadOnlySpan<byte> attributes, AttributeContext context, bool hasNlri, out AttributeReader reader)
    {
        reader = new AttributeReader(attributes, context);
        DecodeResult result = DecodeResult.Ok;
        int at = 0;
        while (at < attributes.Length)
        {
            result = result.Or(reader.ReadOne(ref at));
            if (result.Action == DecodeAction.SessionReset)
            {
                return result;
            }
        }

        return result.Or(reader.CheckMandatory(hasNlri));
    }

    private DecodeResult ReadOne(ref int at)
    {
        int start = at;
        ReadOnlySpan<byte> rest = _bytes[at..];
        int header = rest.Length > 0 && (rest[0] & AttributeFlags.ExtendedLength) != 0 ? 4 : 3;
        if (rest.Length < header)
        {
            // RFC 7606 4: too few octets for another attribute.
            at = _bytes.Length;
            return DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.MalformedAttributeList, start);
        }

        byte flags = rest[0];
        byte type = rest[1];
        int length = header == 4 ? BinaryPrimitives.ReadUInt16BigEndian(rest[2..]) : rest[2];
        if (length > rest.Length - header)
        {
            at = _bytes.Length;
            return DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.AttributeLength, start, type);
        }

        at += header + length;
        ReadOnlySpan<byte> value = rest.Slice(header, length);
        bool first = _seen.Add(type);
        if (!first)
        {
            // RFC 7606 3 g.
            return (AttributeType)type is AttributeType.MpReach or AttributeType.MpUnreach
                ? DecodeResult.Update(DecodeAction.SessionReset, Subcode.MalformedAttributeList, start, type)
                : DecodeResult.Update(DecodeAction.DiscardAttribute, Subcode.MalformedAttributeList, start, type);
        }

        ref readonly AttributeDescriptor descriptor = ref AttributeDescriptor.Of(type);
        if (!descriptor.IsKnown)
        {
            return ReadUnknown(flags, type, start, header, value);
        }

        // RFC 5065 4: of these only LOCAL_PREF goes from one member AS to the other.
        if (descriptor.InternalOnly && !_context.IsInternal && !(_context.IsConfederation && (AttributeType)type == AttributeType.LocalPreference))
        {
            return DecodeResult.Ok;
        }

        if ((flags & AttributeFlags.Category) != descriptor.Category)
        {
            // RFC 7606 3 c; RFC 4760's attributes keep the reset, for their prefixes cannot be believed either.
            DecodeAction action = (AttributeType)type is AttributeType.MpReach or AttributeType.MpUnreach ? DecodeAction.SessionReset : DecodeAction.TreatAsWithdraw;
            return DecodeResult.Update(action, Subcode.AttributeFlags, start, type);
        }

        if (!descriptor.AllowsLength(length))
        {
            byte subcode = descriptor.OnBadLength == DecodeAction.DiscardAttribute ? Subcode.OptionalAttribute : Subcode.AttributeLength;
            return DecodeResult.Update(descriptor.OnBadLength, subcode, start, type);
        }

        return ReadKnown((AttributeType)type, flags, start, header, value);
    }

    private DecodeResult ReadUnknown(byte flags, byte type, int start, int header, ReadOnlySpan<byte> value)
    {
        if ((flags & AttributeFlags.Optional) == 0)
        {
            return DecodeResult.Update(DecodeAction.SessionReset, Subcode.UnrecognizedWellKnown, start, type);
        }

        // RFC 4271 5: an unrecognised optional attribute is passed on with Partial when transitive, else ignored in silence.
        return (flags & AttributeFlags.Transitive) != 0 ? Remember(type, flags, start, header, value) : DecodeResult.Ok;
    }

    private DecodeResult ReadKnown(AttributeType type, byte flags, int start, int header, ReadOnlySpan<byte> value)
    {
        switch (type)
        {
            case AttributeType.Origin when value[0] > (byte)RouteOrigin.Incomplete:
                return DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.InvalidOrigin, start, (byte)type);

            case AttributeType.AsPath when !AsPath.IsWellFormed(value, _context.FourOctetAs ? 4 : 2, _context.HasConfederation):
                return DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.MalformedAsPath, start, (byte)type);

            case AttributeType.NextHop:
                NextHop = value;
                return IsHostAddress(value)
                    ? DecodeResult.Ok
                    : DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.InvalidNextHop, start, (byte)type);

            case AttributeType.Aggregator when value.Length != (_context.FourOctetAs ? 8 : 6):
                return DecodeResult.Update(DecodeAction.DiscardAttribute, Subcode.OptionalAttribute, start, (byte)type);

            // RFC 7607 2: AS 0 aggregates nothing.
            case AttributeType.Aggregator when !value[..(_context.FourOctetAs ? 4 : 2)].ContainsAnyExcept((byte)0):
                return DecodeResult.Update(DecodeAction.DiscardAttribute, Subcode.OptionalAttribute, start, (byte)type);

            // RFC 6793 4.1: from a four-octet speaker these two must be discarded.
            case AttributeType.As4Path or AttributeType.As4Aggregator when _context.FourOctetAs:
                return DecodeResult.Update(DecodeAction.DiscardAttribute, Subcode.OptionalAttribute, start, (byte)type);

            case AttributeType.As4Aggregator when !value[..4].ContainsAnyExcept((byte)0):
                return DecodeResult.Update(DecodeAction.DiscardAttribute, Subcode.OptionalAttribute, start, (byte)type);

            case AttributeType.As4Path when !AsPath.IsWellFormed(value, 4):
                return DecodeResult.Update(DecodeAction.DiscardAttribute, Subcode.OptionalAttribute, start, (byte)type);

            case AttributeType.MpReach:
                return ReadReach(value, start);

            case AttributeType.MpUnreach:
                return ReadUnreach(value, start);

            default:
                return Remember((byte)type, flags, start, header, value);
        }
    }

    /// <summary><code>| AFI 2 | SAFI 1 | next hop length 1 | next hop | reserved 1 | NLRI |</code></summary>
    private DecodeResult ReadReach(ReadOnlySpan<byte> value, int start)
    {
        DecodeResult bad = DecodeResult.Update(DecodeAction.SessionReset, Subcode.OptionalAttribute, start, (byte)AttributeType.MpReach);
        if (value.Length < 5 || value[3] > value.Length - 5)
        {
            return bad;
        }

        AddressFamilies family = OpenMessage.Family(BinaryPrimitives.ReadUInt16BigEndian(value), value[2]) & _context.Families;
        if (family == AddressFamilies.None)
        {
            // Not negotiated: RFC 4760 8 lets us ignore it.
            return DecodeResult.Ok;
        }

        ReadOnlySpan<byte> nextHop = value.Slice(4, value[3]);

        // RFC 7606 7.11: a next hop length that does not fit the family. IPv6: global, or global and link-local (RFC 2545).
        bool mayBeIPv6 = family == AddressFamilies.IPv6 || (_context.IPv6NextHops & family) != 0;
        bool fits = nextHop.Length == 4 ? family == AddressFamilies.IPv4 : mayBeIPv6 && nextHop.Length is 16 or 32;
        ReachNlri = value[(5 + nextHop.Length)..];
        ReachFamily = family == AddressFamilies.IPv4 ? IpFamily.IPv4 : IpFamily.IPv6;
        if (!fits || NlriReader.Count(ReachNlri, ReachFamily, (_context.PathIds & family) != 0) < 0)
        {
            return bad;
        }

        ReachNextHop = nextHop;
        return IsHostAddress(nextHop)
            ? DecodeResult.Ok
            : DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.InvalidNextHop, start, (byte)AttributeType.MpReach);
    }

    private DecodeResult ReadUnreach(ReadOnlySpan<byte> value, int start)
    {
        DecodeResult bad = DecodeResult.Update(DecodeAction.SessionReset, Subcode.OptionalAttribute, start, (byte)AttributeType.MpUnreach);
        if (value.Length < 3)
        {
            return bad;
        }

        AddressFamilies family = OpenMessage.Family(BinaryPrimitives.ReadUInt16BigEndian(value), value[2]) & _context.Families;
        if (family == AddressFamilies.None)
        {
            return DecodeResult.Ok;
        }

        UnreachFamily = family == AddressFamilies.IPv4 ? IpFamily.IPv4 : IpFamily.IPv6;
        UnreachNlri = value[3..];
        return NlriReader.Count(UnreachNlri, UnreachFamily, (_context.PathIds & family) != 0) < 0 ? bad : DecodeResult.Ok;
    }

    private DecodeResult Remember(byte type, byte flags, int start, int header, ReadOnlySpan<byte> value)
    {
        if (_count == MaximumAttributes)
        {
            return DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.MalformedAttributeList, start, type);
        }

        // Kept sorted: peers nearly always send in rising order, so this loop seldom turns.
        int at = _count++;
        while (at > 0 && _entries[at - 1].Type > type)
        {
            _entries[at] = _entries[at - 1];
            at--;
        }

        _entries[at] = new Entry { Type = type, Flags = flags, Offset = (ushort)(start + header), Length = (ushort)value.Length };
        return DecodeResult.Ok;
    }

    private readonly DecodeResult CheckMandatory(bool hasNlri)
    {
        bool announces = hasNlri || !ReachNlri.IsEmpty;
        if (!announces)
        {
            return DecodeResult.Ok;
        }

        // RFC 7606 3 d. LOCAL_PREF from an internal peer may be missing: the default stands in, as everywhere.
        AttributeType missing = !_seen.Contains((byte)AttributeType.Origin) ? AttributeType.Origin
            : !_seen.Contains((byte)AttributeType.AsPath) ? AttributeType.AsPath
            : hasNlri && !_seen.Contains((byte)AttributeType.NextHop) ? AttributeType.NextHop
            : 0;
        return missing == 0 ? DecodeResult.Ok : DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.MissingWellKnown, 0, (byte)missing);
    }

    /// <summary>
    /// Writes the canonical block for routes with this next hop. <paramref name="destination"/> needs four times the section's length and 64 octets
    /// (a two-octet path is widened and merged in place).
    /// </summary>
    public readonly int WriteCanonical(ReadOnlySpan<byte> nextHop, Span<byte> destination)
    {
        destination[0] = (byte)nextHop.Length;
        nextHop.CopyTo(destination[1..]);
        var writer = new AttributeWriter(destination, 1 + nextHop.Length);
        for (int i = 0; i < _count; i++)
        {
            Entry entry = _entries[i];
            ReadOnlySpan<byte> value = _bytes.Slice(entry.Offset, entry.Length);
            switch ((AttributeType)entry.Type)
            {
                case AttributeType.AsPath when !_context.FourOctetAs:
                    WriteWidenedPath(ref writer, value);
                    break;
                case AttributeType.Aggregator when !_context.FourOctetAs:
                    WriteWidenedAggregator(ref writer, value);
                    break;
                case AttributeType.As4Path or AttributeType.As4Aggregator:
                    break;
                default:
                    ref readonly AttributeDescriptor descriptor = ref AttributeDescriptor.Of(entry.Type);
                    byte flags = descriptor.IsKnown
                        ? (byte)(descriptor.Category | entry.Flags & AttributeFlags.Partial)
                        : (byte)(AttributeFlags.Optional | AttributeFlags.Transitive | AttributeFlags.Partial);
                    writer.Write(flags, entry.Type, value);
                    break;
            }
        }

        return writer.Length;
    }

    private readonly void WriteWidenedPath(ref AttributeWriter writer, ReadOnlySpan<byte> path)
    {
        Span<byte> whole = writer.Begin(AttributeFlags.Transitive, (byte)AttributeType.AsPath);
        int length = AsPath.Widen(path, whole);

        // RFC 6793 4.2.3: an aggregator that is not AS_TRANS means a two-octet speaker aggregated, and the AS4_ attributes are out of date.
        ReadOnlySpan<byte> as4Path = ValueOf(AttributeType.As4Path);
        ReadOnlySpan<byte> aggregator = ValueOf(AttributeType.Aggregator);
        bool outdated = !aggregator.IsEmpty && BinaryPrimitives.ReadUInt16BigEndian(aggregator) != OpenMessage.AsTrans;
        if (!as4Path.IsEmpty && !outdated)
        {
            Span<byte> narrow = whole.Slice(length, length);
            whole[..length].CopyTo(narrow);
            length = AsPath.Merge(narrow, as4Path, whole);
        }

        writer.End(length);
    }

    private readonly void WriteWidenedAggregator(ref AttributeWriter writer, ReadOnlySpan<byte> aggregator)
    {
        Span<byte> wide = stackalloc byte[8];
        ReadOnlySpan<byte> as4Aggregator = ValueOf(AttributeType.As4Aggregator);
        ushort number = BinaryPrimitives.ReadUInt16BigEndian(aggregator);
        if (number == OpenMessage.AsTrans && !as4Aggregator.IsEmpty)
        {
            as4Aggregator.CopyTo(wide);
        }
        else
        {
            BinaryPrimitives.WriteUInt32BigEndian(wide, number);
            aggregator[2..].CopyTo(wide[4..]);
        }

        writer.Write(AttributeFlags.Optional | AttributeFlags.Transitive, (byte)AttributeType.Aggregator, wide);
    }

    private readonly ReadOnlySpan<byte> ValueOf(AttributeType type)
    {
        for (int i = 0; i < _count; i++)
        {
            if (_entries[i].Type == (byte)type)
            {
                return _bytes.Slice(_entries[i].Offset, _entries[i].Length);
            }
        }

        return default;
    }

    /// <summary>RFC 4271 6.3: a next hop must be a host's address: not zero, loopback, multicast or class E.</summary>
    private static bool IsHostAddress(ReadOnlySpan<byte> nextHop)
    {
        if (nextHop.Length == 4)
        {
            return nextHop[0] is not (0 or 127) && nextHop[0] < 224;
        }

        // An IPv6 next hop of :: is sent by some speakers beside a link-local address; alone it is no host.
        IpAddress global = IpAddress.FromBytes(nextHop[..16]);
        return !global.IsMulticast && !global.IsLoopback && (!global.IsUnspecified || nextHop.Length == 32);
    }

    private struct Entry
    {
        public byte Type;
        public byte Flags;
        public ushort Offset;
        public ushort Length;
    }

    [System.Runtime.CompilerServices.InlineArray(MaximumAttributes)]
    private struct Entries
    {
        private Entry _first;
    }

    /// <summary>Which of the 256 type codes were seen.</summary>
    private struct AttributeSet
    {
        private ulong _a;
        private ulong _b;
        private ulong _c;
        private ulong _d;

        public int Count { get; private set; }

        public bool Add(byte type)
        {
            ref ulong word = ref type < 128 ? ref type < 64 ? ref _a : ref _b : ref type < 192 ? ref _c : ref _d;
            ulong bit = 1UL << (type & 63);
            bool added = (word & bit) == 0;
            word |= bit;
            Count += added ? 1 : 0;
            return added;
        }

        public readonly bool Contains(byte type)
        {
            ulong word = (type >> 6) switch { 0 => _a, 1 => _b, 2 => _c, _ => _d };
            return (word >> (type & 63) & 1) != 0;
        }
    }
}
