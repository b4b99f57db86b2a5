using System.Buffers.Binary;
using Weft.Bgp.Policies;

namespace Weft.Bgp.Wire;

/// <summary>Applies one <see cref="RouteEdit"/> to a canonical block, giving another canonical block.</summary>
internal static class AttributeRewriter
{
    /// <summary>Octets an edit may add at most.</summary>
    public const int Growth = 64;

    /// <summary>Returns the length of the new block in <paramref name="destination"/>, which must not overlap the old one.</summary>
    public static int Apply(in RouteEdit edit, ReadOnlySpan<byte> block, Span<byte> destination) => edit.Kind switch
    {
        RouteEditKind.SetNextHop => WithNextHop(in edit, block, destination),
        RouteEditKind.SetLocalPreference => WithNumber(AttributeType.LocalPreference, edit.Value, block, destination),
        RouteEditKind.SetMed => WithNumber(AttributeType.Med, edit.Value, block, destination),
        RouteEditKind.ClearMed => Without(AttributeType.Med, block, destination),
        RouteEditKind.ClearCommunities => Without(AttributeType.Communities, block, destination),
        _ => Rewrite(in edit, TargetOf(edit.Kind), block, destination),
    };

    private static AttributeType TargetOf(RouteEditKind kind) => kind switch
    {
        RouteEditKind.AddCommunity or RouteEditKind.RemoveCommunity => AttributeType.Communities,
        RouteEditKind.AddLargeCommunity => AttributeType.LargeCommunities,
        RouteEditKind.PrependAs => AttributeType.AsPath,
        _ => throw new InvalidOperationException($"edit {kind} has no attribute"),
    };

    private static int WithNextHop(in RouteEdit edit, ReadOnlySpan<byte> block, Span<byte> destination)
    {
        int length = edit.Address.CopyTo(destination[1..]);
        destination[0] = (byte)length;
        ReadOnlySpan<byte> rest = block[(1 + block[0])..];
        rest.CopyTo(destination[(1 + length)..]);
        return 1 + length + rest.Length;
    }

    private static int WithNumber(AttributeType type, uint number, ReadOnlySpan<byte> block, Span<byte> destination)
    {
        Span<byte> value = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(value, number);
        AttributeWriter writer = CopyUpTo((byte)type, block, destination, out CanonicalAttributes rest, out bool found);
        writer.Write(AttributeDescriptor.Of((byte)type).Category, (byte)type, value);
        return CopyRest(ref writer, ref rest, skipCurrent: found);
    }

    private static int Without(AttributeType type, ReadOnlySpan<byte> block, Span<byte> destination)
    {
        AttributeWriter writer = CopyUpTo((byte)type, block, destination, out CanonicalAttributes rest, out bool found);
        return CopyRest(ref writer, ref rest, skipCurrent: found);
    }

    private static int Rewrite(in RouteEdit edit, AttributeType type, ReadOnlySpan<byte> block, Span<byte> destination)
    {
        AttributeWriter writer = CopyUpTo((byte)type, block, destination, out CanonicalAttributes rest, out bool found);
        ReadOnlySpan<byte> old = found ? rest.Value : default;
        Span<byte> value = writer.Begin(AttributeDescriptor.Of((byte)type).Category, (byte)type);
        int length = edit.Kind switch
        {
            RouteEditKind.AddCommunity => AddCommunity(old, edit.Value, value),
            RouteEditKind.RemoveCommunity => RemoveCommunity(old, edit.Value, value),
            RouteEditKind.AddLargeCommunity => AddLargeCommunity(old, edit.Large, value),
            _ => AsPath.Prepend(old, edit.Value, value),
        };
        if (length != 0)
        {
            writer.End(length);
        }

        return CopyRest(ref writer, ref rest, skipCurrent: found);
    }

    /// <summary>Communities are kept sorted as they came; a new one goes to its place so that equal sets added in any order give equal bytes.</summary>
    private static int AddCommunity(ReadOnlySpan<byte> old, uint community, Span<byte> value)
    {
        int at = 0;
        while (at < old.Length)
        {
            uint present = BinaryPrimitives.ReadUInt32BigEndian(old[at..]);
            if (present == community)
            {
                old.CopyTo(value);
                return old.Length;
            }

            if (present > community)
            {
                break;
            }

            at += 4;
        }

        if (Contains(old, community))
        {
            old.CopyTo(value);
            return old.Length;
        }

        old[..at].CopyTo(value);
        BinaryPrimitives.WriteUInt32BigEndian(value[at..], community);
        old[at..].CopyTo(value[(at + 4)..]);
        return old.Length + 4;
    }

    private static int RemoveCommunity(ReadOnlySpan<byte> old, uint community, Span<byte> value)
    {
        int length = 0;
        for (int at = 0; at < old.Length; at += 4)
        {
            if (BinaryPrimitives.ReadUInt32BigEndian(old[at..]) != community)
            {
                old.Slice(at, 4).CopyTo(value[length..]);
                length += 4;
            }
        }

        return length;
    }

    private static int AddLargeCommunity(ReadOnlySpan<byte> old, LargeCommunity community, Span<byte> value)
    {
        old.CopyTo(value);
        if (Contains(old, community))
        {
            return old.Length;
        }

        BinaryPrimitives.WriteUInt32BigEndian(value[old.Length..], community.GlobalAdministrator);
        BinaryPrimitives.WriteUInt32BigEndian(value[(old.Length + 4)..], community.LocalData1);
        BinaryPrimitives.WriteUInt32BigEndian(value[(old.Length + 8)..], community.LocalData2);
        return old.Length + 12;
    }

    public static bool Contains(ReadOnlySpan<byte> communities, uint community)
    {
        for (int at = 0; at + 4 <= communities.Length; at += 4)
        {
            if (BinaryPrimitives.ReadUInt32BigEndian(communities[at..]) == community)
            {
                return true;
            }
        }

        return false;
    }

    public static bool Contains(ReadOnlySpan<byte> communities, LargeCommunity community)
    {
        for (int at = 0; at + 12 <= communities.Length; at += 12)
        {
            if (BinaryPrimitives.ReadUInt32BigEndian(communities[at..]) == community.GlobalAdministrator
                && BinaryPrimitives.ReadUInt32BigEndian(communities[(at + 4)..]) == community.LocalData1
                && BinaryPrimitives.ReadUInt32BigEndian(communities[(at + 8)..]) == community.LocalData2)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Copies everything below <paramref name="type"/>; <paramref name="rest"/> then stands on the first attribute at or above it.</summary>
    private static AttributeWriter CopyUpTo(byte type, ReadOnlySpan<byte> block, Span<byte> destination, out CanonicalAttributes rest, out bool found)
    {
        int start = 1 + block[0];
        block[..start].CopyTo(destination);
        var writer = new AttributeWriter(destination, start);
        rest = new CanonicalAttributes(block);
        found = false;
        while (rest.MoveNext())
        {
            if (rest.Type >= type)
            {
                found = rest.Type == type;
                return writer;
            }

            writer.Write(rest.Flags, rest.Type, rest.Value);
        }

        rest.Finish();
        return writer;
    }

    private static int CopyRest(ref AttributeWriter writer, ref CanonicalAttributes rest, bool skipCurrent)
    {
        if (rest.IsFinished)
        {
            return writer.Length;
        }

        if (!skipCurrent)
        {
            writer.Write(rest.Flags, rest.Type, rest.Value);
        }

        while (rest.MoveNext())
        {
            writer.Write(rest.Flags, rest.Type, rest.Value);
        }

        return writer.Length;
    }
}
