using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Weft.Bgp.Wire;

/// <summary>
/// Functions over AS_PATH values. Inside weft a path is always in four-octet form.
/// <code>
///  | type 1 (set), 2 (sequence), 3 (confederation sequence) or 4 (confederation set) | count of ASes | AS ... | next segment ...
/// </code>
/// </summary>
internal static class AsPath
{
    public const byte Set = 1;
    public const byte Sequence = 2;

    /// <summary>RFC 5065 3: member ASes of the confederation; they never leave it and count for nothing outside the loop check.</summary>
    public const byte ConfederationSequence = 3;

    /// <inheritdoc cref="ConfederationSequence"/>
    public const byte ConfederationSet = 4;

    public static bool IsConfederation(byte type) => type >= ConfederationSequence;

    /// <summary>RFC 7606 7.2: known segment types, no empty segment, no overrun, no octet left over; RFC 7607: no AS 0.</summary>
    /// <param name="confederation">Segments of RFC 5065 may be there.</param>
    public static bool IsWellFormed(ReadOnlySpan<byte> path, int asLength, bool confederation = false)
    {
        byte last = confederation ? ConfederationSet : Sequence;
        while (!path.IsEmpty)
        {
            if (path.Length < 2 || path[0] < Set || path[0] > last || path[1] == 0)
            {
                return false;
            }

            int length = 2 + path[1] * asLength;
            if (length > path.Length || HasZero(path[2..length], asLength))
            {
                return false;
            }

            path = path[length..];
        }

        return true;
    }

    private static bool HasZero(ReadOnlySpan<byte> ases, int asLength) => asLength == 4
        ? MemoryMarshal.Cast<byte, uint>(ases).Contains(0u)
        : MemoryMarshal.Cast<byte, ushort>(ases).Contains((ushort)0);

    /// <summary>RFC 4271 9.1.2.2 a: a set counts as one. RFC 5065 5.3: member ASes do not count.</summary>
    public static int Length(ReadOnlySpan<byte> path, int asLength = 4)
    {
        int length = 0;
        while (!path.IsEmpty)
        {
            length += path[0] switch { Sequence => path[1], Set => 1, _ => 0 };
            path = path[(2 + path[1] * asLength)..];
        }

        return length;
    }

    /// <summary>
    /// Leftmost AS outside the confederation of a path that starts with a sequence there; 0 when there is none (RFC 4271 9.1.2.2 c, RFC 5065 5.3: neighbouring AS).
    /// </summary>
    public static uint First(ReadOnlySpan<byte> path)
    {
        while (path.Length >= 6 && IsConfederation(path[0]))
        {
            path = path[(2 + 4 * path[1])..];
        }

        return path.Length >= 6 && path[0] == Sequence ? BinaryPrimitives.ReadUInt32BigEndian(path[2..]) : 0;
    }

    /// <summary>Leftmost AS of a path that starts with AS_CONFED_SEQUENCE; 0 when it does not (RFC 5065 5.1).</summary>
    public static uint FirstMember(ReadOnlySpan<byte> path) =>
        path.Length >= 6 && path[0] == ConfederationSequence ? BinaryPrimitives.ReadUInt32BigEndian(path[2..]) : 0;

    public static int CountOf(ReadOnlySpan<byte> path, uint autonomousSystem)
    {
        int count = 0;
        while (!path.IsEmpty)
        {
            int members = path[1];
            for (int i = 0; i < members; i++)
            {
                count += BinaryPrimitives.ReadUInt32BigEndian(path[(2 + 4 * i)..]) == autonomousSystem ? 1 : 0;
            }

            path = path[(2 + 4 * members)..];
        }

        return count;
    }

    /// <summary>RFC 5065 5.2: the member AS among the members, the identifier among the others.</summary>
    public static int CountOf(ReadOnlySpan<byte> path, uint memberAs, uint identifier)
    {
        int count = 0;
        while (!path.IsEmpty)
        {
            ReadOnlySpan<byte> segment = path[..(2 + 4 * path[1])];
            count += CountOf(segment, IsConfederation(path[0]) ? memberAs : identifier);
            path = path[segment.Length..];
        }

        return count;
    }

    /// <summary>RFC 5065 4.1 c: what leaves the confederation names no member. Returns the length; <paramref name="destination"/> may be the path itself.</summary>
    public static int WithoutConfederation(ReadOnlySpan<byte> path, Span<byte> destination)
    {
        int written = 0;
        while (!path.IsEmpty)
        {
            int length = 2 + 4 * path[1];
            if (!IsConfederation(path[0]))
            {
                path[..length].CopyTo(destination[written..]);
                written += length;
            }

            path = path[length..];
        }

        return written;
    }

    /// <summary>True when the first ASes, across segment borders of sequences, are these.</summary>
    public static bool StartsWith(ReadOnlySpan<byte> path, ReadOnlySpan<uint> prefix)
    {
        int at = 0;
        while (at < prefix.Length)
        {
            if (path.IsEmpty || path[0] != Sequence)
            {
                return false;
            }

            int members = path[1];
            for (int i = 0; i < members && at < prefix.Length; i++, at++)
            {
                if (BinaryPrimitives.ReadUInt32BigEndian(path[(2 + 4 * i)..]) != prefix[at])
                {
                    return false;
                }
            }

            path = path[(2 + 4 * members)..];
        }

        return true;
    }

    /// <summary>Widens a well-formed two-octet path; returns the length written.</summary>
    public static int Widen(ReadOnlySpan<byte> path, Span<byte> destination)
    {
        int written = 0;
        while (!path.IsEmpty)
        {
            int members = path[1];
            destination[written] = path[0];
            destination[written + 1] = path[1];
            for (int i = 0; i < members; i++)
            {
                BinaryPrimitives.WriteUInt32BigEndian(destination[(written + 2 + 4 * i)..], BinaryPrimitives.ReadUInt16BigEndian(path[(2 + 2 * i)..]));
            }

            written += 2 + 4 * members;
            path = path[(2 + 2 * members)..];
        }

        return written;
    }

    /// <summary>Writes a path in two-octet form, AS_TRANS for ASes that do not fit. True when some did not, so AS4_PATH must go along (RFC 6793 4.2.2).</summary>
    public static bool Narrow(ReadOnlySpan<byte> path, Span<byte> destination, out int written)
    {
        bool lost = false;
        written = 0;
        while (!path.IsEmpty)
        {
            int members = path[1];
            destination[written] = path[0];
            destination[written + 1] = path[1];
            for (int i = 0; i < members; i++)
            {
                uint number = BinaryPrimitives.ReadUInt32BigEndian(path[(2 + 4 * i)..]);
                lost |= number > ushort.MaxValue;
                BinaryPrimitives.WriteUInt16BigEndian(destination[(written + 2 + 2 * i)..], number > ushort.MaxValue ? OpenMessage.AsTrans : (ushort)number);
            }

            written += 2 + 2 * members;
            path = path[(2 + 4 * members)..];
        }

        return lost;
    }

    /// <summary>
    /// RFC 6793 4.2.3: the leading ASes that only AS_PATH knows (added by speakers of two octets), then AS4_PATH. A longer AS4_PATH is ignored.
    /// Both well-formed, both in four-octet form. Members of a confederation stand in AS_PATH alone. Returns the length written.
    /// </summary>
    public static int Merge(ReadOnlySpan<byte> path, ReadOnlySpan<byte> as4Path, Span<byte> destination)
    {
        int keep = Length(path) - Length(as4Path);
        if (keep < 0)
        {
            path.CopyTo(destination);
            return path.Length;
        }

        int written = 0;
        int lastSegment = -1;
        while (!path.IsEmpty && (keep > 0 || IsConfederation(path[0])))
        {
            int members = path[1];
            int take = path[0] == Sequence ? Math.Min(members, keep) : members;
            lastSegment = written;
            path[..(2 + 4 * take)].CopyTo(destination[written..]);
            destination[written + 1] = (byte)take;
            written += 2 + 4 * take;
            keep -= path[0] switch { Sequence => take, Set => 1, _ => 0 };
            path = path[(2 + 4 * members)..];
        }

        // Two sequences that meet here were one before a two-octet speaker came between.
        if (lastSegment >= 0 && as4Path.Length != 0 && as4Path[0] == Sequence && destination[lastSegment] == Sequence
            && destination[lastSegment + 1] + as4Path[1] <= 255)
        {
            destination[lastSegment + 1] += as4Path[1];
            as4Path = as4Path[2..];
        }

        as4Path.CopyTo(destination[written..]);
        return written + as4Path.Length;
    }

    /// <summary>Writes a path with one AS in front (RFC 4271 5.1.2 b, RFC 5065 4.1 a); returns the length written, at most 6 more than before.</summary>
    public static int Prepend(ReadOnlySpan<byte> path, uint autonomousSystem, Span<byte> destination, byte segment = Sequence)
    {
        bool extend = path.Length >= 2 && path[0] == segment && path[1] < 255;
        destination[0] = segment;
        destination[1] = (byte)(extend ? path[1] + 1 : 1);
        BinaryPrimitives.WriteUInt32BigEndian(destination[2..], autonomousSystem);
        ReadOnlySpan<byte> rest = extend ? path[2..] : path;
        rest.CopyTo(destination[6..]);
        return 6 + rest.Length;
    }

    public static string ToText(ReadOnlySpan<byte> path)
    {
        var text = new StringBuilder();
        while (!path.IsEmpty)
        {
            int members = path[1];
            (string open, string close) = path[0] switch { Set => ("{", "}"), ConfederationSequence => ("(", ")"), ConfederationSet => ("({", "})"), _ => ("", "") };
            text.Append(text.Length == 0 ? "" : " ").Append(open);
            for (int i = 0; i < members; i++)
            {
                text.Append(i == 0 ? "" : " ").Append(BinaryPrimitives.ReadUInt32BigEndian(path[(2 + 4 * i)..]));
            }

            text.Append(close);
            path = path[(2 + 4 * members)..];
        }

        return text.ToString();
    }
}
