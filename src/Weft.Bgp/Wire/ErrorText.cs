using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Weft.Bgp.Wire;

/// <summary>Words for NOTIFICATION codes, for the operator.</summary>
internal static class ErrorText
{
    public static string Describe(BgpError error)
    {
        string subcode = SubcodeName(error.Code, error.Subcode);
        if (error is { Code: ErrorCode.Cease, Subcode: Subcode.HardReset, Data.Length: >= 2 })
        {
            // RFC 8538 3.1: what would have been sent stands in the data, one level deep.
            byte[] inner = error.Data;
            return inner[0] == (byte)ErrorCode.Cease && inner[1] == Subcode.HardReset ? $"Cease (6/9) {subcode}" : $"Cease (6/9) {subcode}: {Describe(new BgpError((ErrorCode)inner[0], inner[1], inner[2..]))}";
        }

        var text = new StringBuilder($"{CodeName(error.Code)} ({(byte)error.Code}/{error.Subcode})");
        if (subcode.Length != 0)
        {
            text.Append(' ').Append(subcode);
        }

        if (TryShutdownCommunication(error, out string message))
        {
            text.Append(": \"").Append(message).Append('"');
        }
        else if (error.Code == ErrorCode.OpenMessage && error.Subcode == Subcode.BadPeerAs && error.Data.Length == 2)
        {
            text.Append($": AS {error.Data[0] << 8 | error.Data[1]}");
        }
        else if (error is { Code: ErrorCode.Cease, Subcode: Subcode.MaximumPrefixes, Data.Length: 7 })
        {
            // RFC 4486 4: AFI, SAFI, upper bound.
            text.Append($": {BinaryPrimitives.ReadUInt32BigEndian(error.Data.AsSpan(3))} of AFI {BinaryPrimitives.ReadUInt16BigEndian(error.Data)} SAFI {error.Data[2]}");
        }
        else if (error.Data.Length != 0)
        {
            text.Append(": ").Append(Convert.ToHexString(error.Data.AsSpan(0, Math.Min(error.Data.Length, 32))));
        }

        return text.ToString();
    }

    /// <summary>
    /// RFC 9003: one length octet and UTF-8 text. What is not UTF-8 shows as U+FFFD; so do control and formatting characters, so that a peer cannot write into the
    /// operator's terminal.
    /// </summary>
    public static bool TryShutdownCommunication(BgpError error, out string message)
    {
        message = string.Empty;
        bool carries = error.Code == ErrorCode.Cease && error.Subcode is Subcode.AdministrativeShutdown or Subcode.AdministrativeReset;
        if (!carries || error.Data.Length < 2 || error.Data[0] == 0 || error.Data[0] > error.Data.Length - 1)
        {
            return false;
        }

        char[] text = Encoding.UTF8.GetChars(error.Data, 1, error.Data[0]);
        for (int i = 0; i < text.Length; i++)
        {
            text[i] = char.GetUnicodeCategory(text[i]) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator ? '\uFFFD' : text[i];
        }

        message = new string(text);
        return true;
    }

    /// <summary>The data field of a shutdown communication: at most 255 octets of UTF-8, cut at a character.</summary>
    public static byte[] ShutdownCommunication(string? message)
    {
        if (string.IsNullOrEmpty(message))
        {
            return [];
        }

        byte[] text = Encoding.UTF8.GetBytes(message);
        int length = Math.Min(text.Length, 255);
        while (length < text.Length && length > 0 && (text[length] & 0xC0) == 0x80)
        {
            length--;
        }

        return [(byte)length, .. text.AsSpan(0, length)];
    }

    private static string CodeName(ErrorCode code) => code switch
    {
        ErrorCode.MessageHeader => "Message Header Error",
        ErrorCode.OpenMessage => "OPEN Message Error",
        ErrorCode.UpdateMessage => "UPDATE Message Error",
        ErrorCode.HoldTimerExpired => "Hold Timer Expired",
        ErrorCode.FiniteStateMachine => "Finite State Machine Error",
        ErrorCode.Cease => "Cease",
        ErrorCode.RouteRefreshMessage => "ROUTE-REFRESH Message Error",
        ErrorCode.SendHoldTimerExpired => "Send Hold Timer Expired",
        _ => "Error",
    };

    private static string SubcodeName(ErrorCode code, byte subcode) => (code, subcode) switch
    {
        (ErrorCode.MessageHeader, 1) => "Connection Not Synchronized",
        (ErrorCode.MessageHeader, 2) => "Bad Message Length",
        (ErrorCode.MessageHeader, 3) => "Bad Message Type",
        (ErrorCode.OpenMessage, 1) => "Unsupported Version Number",
        (ErrorCode.OpenMessage, 2) => "Bad Peer AS",
        (ErrorCode.OpenMessage, 3) => "Bad BGP Identifier",
        (ErrorCode.OpenMessage, 4) => "Unsupported Optional Parameter",
        (ErrorCode.OpenMessage, 5) => "Authentication Failure",
        (ErrorCode.OpenMessage, 6) => "Unacceptable Hold Time",
        (ErrorCode.OpenMessage, 7) => "Unsupported Capability",
        (ErrorCode.OpenMessage, 11) => "Role Mismatch",
        (ErrorCode.UpdateMessage, 1) => "Malformed Attribute List",
        (ErrorCode.UpdateMessage, 2) => "Unrecognized Well-known Attribute",
        (ErrorCode.UpdateMessage, 3) => "Missing Well-known Attribute",
        (ErrorCode.UpdateMessage, 4) => "Attribute Flags Error",
        (ErrorCode.UpdateMessage, 5) => "Attribute Length Error",
        (ErrorCode.UpdateMessage, 6) => "Invalid ORIGIN Attribute",
        (ErrorCode.UpdateMessage, 7) => "AS Routing Loop",
        (ErrorCode.UpdateMessage, 8) => "Invalid NEXT_HOP Attribute",
        (ErrorCode.UpdateMessage, 9) => "Optional Attribute Error",
        (ErrorCode.UpdateMessage, 10) => "Invalid Network Field",
        (ErrorCode.UpdateMessage, 11) => "Malformed AS_PATH",
        (ErrorCode.FiniteStateMachine, 1) => "Unexpected Message in OpenSent",
        (ErrorCode.FiniteStateMachine, 2) => "Unexpected Message in OpenConfirm",
        (ErrorCode.FiniteStateMachine, 3) => "Unexpected Message in Established",
        (ErrorCode.RouteRefreshMessage, 1) => "Invalid Message Length",
        (ErrorCode.Cease, 1) => "Maximum Number of Prefixes Reached",
        (ErrorCode.Cease, 2) => "Administrative Shutdown",
        (ErrorCode.Cease, 3) => "Peer De-configured",
        (ErrorCode.Cease, 4) => "Administrative Reset",
        (ErrorCode.Cease, 5) => "Connection Rejected",
        (ErrorCode.Cease, 6) => "Other Configuration Change",
        (ErrorCode.Cease, 7) => "Connection Collision Resolution",
        (ErrorCode.Cease, 8) => "Out of Resources",
        (ErrorCode.Cease, 9) => "Hard Reset",
        (ErrorCode.Cease, 10) => "BFD Down",
        _ => string.Empty,
    };
}
