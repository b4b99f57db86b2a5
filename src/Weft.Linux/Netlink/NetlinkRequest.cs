using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Weft.Linux.Native;
using Weft.Primitives.Net;

namespace Weft.Linux.Netlink;

/// <summary>
/// Writes one netlink message into a buffer of the caller:
/// <code>
/// | nlmsghdr 16 | fixed header (rtmsg, ifinfomsg ...) | nlattr 4 | value, padded to 4 | nlattr 4 | ...
/// </code>
/// Attributes nest: <see cref="BeginNested"/> leaves room for a header that <see cref="EndNested"/> fills in.
/// </summary>
internal ref struct NetlinkRequest
{
    private readonly Span<byte> _buffer;

    public NetlinkRequest(Span<byte> buffer, ushort type, int flags)
    {
        _buffer = buffer;
        NlMsgHdr header = new() { Type = type, Flags = (ushort)(flags | NetlinkConstants.NLM_F_REQUEST) };
        MemoryMarshal.Write(buffer, in header);
        Length = Unsafe.SizeOf<NlMsgHdr>();
    }

    private NetlinkRequest(Span<byte> buffer)
    {
        _buffer = buffer;
    }

    public int Length { get; private set; }

    /// <summary>Only attributes, without a message around them.</summary>
    public static NetlinkRequest Attributes(Span<byte> buffer) => new(buffer);

    public void Header<T>(scoped in T header) where T : unmanaged
    {
        MemoryMarshal.Write(_buffer[Length..], in header);
        Advance(Unsafe.SizeOf<T>());
    }

    /// <summary>Attributes that are ready and aligned.</summary>
    public void Append(scoped ReadOnlySpan<byte> attributes)
    {
        attributes.CopyTo(_buffer[Length..]);
        Advance(attributes.Length);
    }

    public void Put(ushort type, scoped ReadOnlySpan<byte> value)
    {
        value.CopyTo(Reserve(type, value.Length));
    }

    public void Put(ushort type, byte value) => Reserve(type, 1)[0] = value;

    public void Put(ushort type, uint value) => MemoryMarshal.Write(Reserve(type, 4), in value);

    public void PutBigEndian(ushort type, ushort value) => BinaryPrimitives.WriteUInt16BigEndian(Reserve(type, 2), value);

    /// <summary>In network order, and the type says so.</summary>
    public void PutNetOrder(ushort type, uint value) =>
        BinaryPrimitives.WriteUInt32BigEndian(Reserve((ushort)(type | NetlinkConstants.NLA_F_NET_BYTEORDER), 4), value);

    public void PutBigEndian(ushort type, uint value) => BinaryPrimitives.WriteUInt32BigEndian(Reserve(type, 4), value);

    public void PutBigEndian(ushort type, ulong value) => BinaryPrimitives.WriteUInt64BigEndian(Reserve(type, 8), value);

    public void Put(ushort type, int value) => Put(type, (uint)value);

    public void Put(ushort type, IpAddress value) => value.CopyTo(Reserve(type, value.ByteLength));

    public void Put(ushort type, MacAddress value) => value.CopyTo(Reserve(type, 6));

    /// <summary>A NUL-terminated string.</summary>
    public void Put(ushort type, string value)
    {
        Span<byte> place = Reserve(type, Encoding.UTF8.GetByteCount(value) + 1);
        place[Encoding.UTF8.GetBytes(value, place)] = 0;
    }

    /// <summary>Returns the position to hand to <see cref="EndNested"/>.</summary>
    public int BeginNested(ushort type, bool flagged = true)
    {
        int start = Length;
        Reserve(flagged ? (ushort)(type | NetlinkConstants.NLA_F_NESTED) : type, 0);
        return start;
    }

    public readonly void EndNested(int start)
    {
        ushort length = checked((ushort)(Length - start));
        MemoryMarshal.Write(_buffer[start..], in length);
    }

    /// <summary>The attributes written so far; see <see cref="Attributes"/>.</summary>
    public readonly ReadOnlySpan<byte> Written => _buffer[..Length];

    /// <summary>The finished message.</summary>
    public readonly Span<byte> Finish()
    {
        uint length = (uint)Length;
        MemoryMarshal.Write(_buffer, in length);
        return _buffer[..Length];
    }

    private Span<byte> Reserve(ushort type, int length)
    {
        NlAttr attribute = new() { Type = type, Length = checked((ushort)(4 + length)) };
        MemoryMarshal.Write(_buffer[Length..], in attribute);
        Span<byte> place = _buffer.Slice(Length + 4, length);
        Advance(4 + length);
        return place;
    }

    private void Advance(int length)
    {
        int end = Length + length;
        int aligned = (end + 3) & ~3;
        _buffer[end..aligned].Clear();
        Length = aligned;
    }
}
