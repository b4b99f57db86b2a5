using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Weft.Bgp.Wire;

/// <summary>
/// Functions over AS_PATH values. Inside weft a path is always in four-octet form.
/// <code>
///  | type 1 (set) or 2 (sequence) | count of ASes | AS ... | next segment ...
/// </code>
/// </summary>
internal static class AsPath
{
    public const byte Set = 1;
    public const byte Sequence = 2;

    /// <summary>RFC 7606 7.2: known segment types, no empty segment, no overrun, no octet left over; RFC 7607: no AS 0.</summary>
    public static bool IsWellFormed(ReadOnlySpan<byte> path, int asLength)
    {
        while (!path.IsEmpty)
        {
            if (path.Length < 2 || path[0] is not (Set or Sequence) || path[1] == 0)
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

    /// <summary>RFC 4271 9.1.2.2 a: a set counts as one.</summary>
    public static int Length(ReadOnlySpan<byte> path, int asLength = 4)
    {
        int length = 0;
        while (!path.IsEmpty)
        {
            length += path[0] == Set ? 1 : path[1];
            path = path[(2 + path[1] * asLength)..];
        }

        return length;
    }

    /// <summary>Leftmost AS of a path that starts with a sequence; 0 when there is none (RFC 4271 9.1.2.2 c: neighbouring AS).</summary>
    public static uint First(ReadOnlySpan<byte> path) =>
        path.Length >= 6 && path[0] == Sequence ? BinaryPrimitives.ReadUInt32BigEndian(path[2..]) : 0;

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
    /// Both well-formed, both in four-octet form. Returns the length written.
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
        while (keep > 0 && !path.IsEmpty)
        {
            int members = path[1];
            int take = path[0] == Set ? members : Math.Min(members, keep);
            lastSegment = written;
            path[..(2 + 4 * take)].CopyTo(destination[written..]);
            destination[written + 1] = (byte)take;
            written += 2 + 4 * take;
            keep -= path[0] == Set ? 1 : take;
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

    /// <summary>Writes a path with one AS in front (RFC 4271 5.1.2 b); returns the length written, at most 6 more than before.</summary>
    public static int Prepend(ReadOnlySpan<byte> path, uint autonomousSystem, Span<byte> destination)
    {
        bool extend = path.Length >= 2 && path[0] == Sequence && path[1] < 255;
        destination[0] = Sequence;
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
            bool set = path[0] == Set;
            text.Append(text.Length == 0 ? "" : " ").Append(set ? "{" : "");
            for (int i = 0; i < members; i++)
            {
                text.Append(i == 0 ? "" : " ").Append(BinaryPrimitives.ReadUInt32BigEndian(path[(2 + 4 * i)..]));
            }

            text.Append(set ? "}" : "");
            path = path[(2 + 4 * members)..];
        }

        return text.ToString();
    }
}
