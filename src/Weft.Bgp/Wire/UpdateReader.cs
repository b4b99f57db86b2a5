using System.Buffers.Binary;

namespace Weft.Bgp.Wire;

/// <summary>
/// Finds the three sections of an UPDATE; believes nothing in them yet.
/// <code>
///  | header 19 | withdrawn length 2 | withdrawn routes | attributes length 2 | path attributes | NLRI ... to the end |
/// </code>
/// </summary>
internal ref struct UpdateReader
{
    public ReadOnlySpan<byte> Withdrawn { get; private set; }

    public ReadOnlySpan<byte> Attributes { get; private set; }

    public ReadOnlySpan<byte> Nlri { get; private set; }

    /// <summary>Reads a whole message of checked length.</summary>
    public static DecodeResult Read(ReadOnlySpan<byte> message, out UpdateReader update)
    {
        update = default;
        ReadOnlySpan<byte> body = message[MessageFramer.HeaderLength..];
        int withdrawn = BinaryPrimitives.ReadUInt16BigEndian(body);

        // RFC 4271 6.3: lengths that do not fit the message are a Malformed Attribute List; RFC 7606 leaves that a reset, for nothing behind can be found.
        if (withdrawn + 4 > body.Length)
        {
            return DecodeResult.Update(DecodeAction.SessionReset, Subcode.MalformedAttributeList, 0);
        }

        int attributes = BinaryPrimitives.ReadUInt16BigEndian(body[(2 + withdrawn)..]);
        if (withdrawn + attributes + 4 > body.Length)
        {
            return DecodeResult.Update(DecodeAction.SessionReset, Subcode.MalformedAttributeList, 2 + withdrawn);
        }

        update.Withdrawn = body.Slice(2, withdrawn);
        update.Attributes = body.Slice(4 + withdrawn, attributes);
        update.Nlri = body[(4 + withdrawn + attributes)..];
        return DecodeResult.Ok;
    }
}
