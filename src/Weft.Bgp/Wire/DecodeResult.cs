namespace Weft.Bgp.Wire;

/// <summary>What RFC 7606 2 answers to a defect; a higher value is the stronger answer and wins when several apply.</summary>
internal enum DecodeAction : byte
{
    /// <summary>Nothing wrong.</summary>
    None = 0,

    /// <summary>The attribute is dropped, the routes are kept.</summary>
    DiscardAttribute = 1,

    /// <summary>The routes of this UPDATE are taken as withdrawn; the session stays.</summary>
    TreatAsWithdraw = 2,

    /// <summary>NOTIFICATION, and the session ends.</summary>
    SessionReset = 3,
}

/// <summary>The strongest answer to one UPDATE.</summary>
/// <param name="Code">NOTIFICATION code of the defect (0: none), whatever the action.</param>
/// <param name="Subcode">NOTIFICATION subcode.</param>
/// <param name="Offset">Where the defect begins, from the start of the section being read.</param>
/// <param name="Attribute">Type code of the attribute at fault; 0: not an attribute.</param>
internal readonly record struct DecodeResult(DecodeAction Action, ErrorCode Code, byte Subcode, ushort Offset, byte Attribute = 0)
{
    public static readonly DecodeResult Ok;

    public static DecodeResult Update(DecodeAction action, byte subcode, int offset, byte attribute = 0) =>
        new(action, ErrorCode.UpdateMessage, subcode, (ushort)offset, attribute);

    /// <summary>The stronger of two answers; of equals, the first found.</summary>
    public DecodeResult Or(DecodeResult other) => other.Action > Action ? other : this;
}
