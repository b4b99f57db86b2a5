using System.Runtime.InteropServices;
using System.Text;
using Weft.Linux.Native;

namespace Weft.Linux.Netlink;

/// <summary>Walks the attributes of a message. A damaged length ends the walk: the kernel does not send one, so there is nothing better to do.</summary>
internal ref struct AttributeReader(ReadOnlySpan<byte> attributes)
{
    private ReadOnlySpan<byte> _rest = attributes;

    public bool Next(out ushort type, out ReadOnlySpan<byte> value)
    {
        type = 0;
        value = default;
        if (_rest.Length < 4)
        {
            return false;
        }

        NlAttr header = MemoryMarshal.Read<NlAttr>(_rest);
        if (header.Length < 4 || header.Length > _rest.Length)
        {
            return false;
        }

        type = (ushort)(header.Type & NetlinkConstants.AttributeTypeMask);
        value = _rest[4..header.Length];
        _rest = _rest[Math.Min((header.Length + 3) & ~3, _rest.Length)..];
        return true;
    }

    public static string Text(ReadOnlySpan<byte> value)
    {
        int end = value.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? value : value[..end]);
    }

    public static uint U32(ReadOnlySpan<byte> value) => value.Length >= 4 ? MemoryMarshal.Read<uint>(value) : 0;
}
