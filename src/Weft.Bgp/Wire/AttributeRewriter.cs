using System.Buffers.Binary;
using Weft.Bgp.Policies;
using Weft.Primitives.Net;

namespace Weft.Bgp.Wire;

/// <summary>Applies one <see cref="RouteEdit"/> to a canonical block, giving another canonical block.</summary>
internal static class AttributeRewriter
{
    /// <summary>Room for the fixed parts an edit may add: header, weight, next hop.</summary>
    private const int FixedGrowth = 48;

    /// <summary>An attribute's length has 16 bits: communities beyond it are not added, for nobody could be told of them.</summary>
    private const int MaximumValue = ushort.MaxValue - 16;

    /// <summary>Octets an edit may add at most.</summary>
    public static int Growth(in RouteEdit edit) => edit.Kind == RouteEditKind.PrependOwnAs ? FixedGrowth + 4 * (int)edit.Value : FixedGrowth;

    /// <summary>Returns the length of the new block in <paramref name="destination"/>, which must not overlap the old one.</summary>
    /// <param name="context">Who we and the neighbour are.</param>
    public static int Apply(in RouteEdit edit, in PolicyContext context, ReadOnlySpan<byte> block, Span<byte> destination) => edit.Kind switch
    {
        RouteEditKind.SetNextHop => WithNextHop(edit.Address, block, destination),
        RouteEditKind.NextHopSelf => WithNextHop(default, block, destination),
        RouteEditKind.NextHopPeer => WithNextHop(context.PeerAddress, block, destination),
        RouteEditKind.SetLocalPreference => WithNumber(AttributeType.LocalPreference, edit.Value, block, destination),
        RouteEditKind.SetMed => WithNumber(AttributeType.Med, edit.Value, block, destination),
        RouteEditKind.AddMed => WithNumber(AttributeType.Med, (uint)Math.Min((ulong)MedOf(block) + edit.Value, uint.MaxValue), block, destination),
        RouteEditKind.SubtractMed => WithNumber(AttributeType.Med, MedOf(block) - Math.Min(MedOf(block), edit.Value), block, destination),
        RouteEditKind.ClearMed => Without(AttributeType.Med, block, destination),
        RouteEditKind.SetOrigin => WithValue(AttributeType.Origin, [(byte)edit.Value], block, destination),
        RouteEditKind.SetWeight => PrivateAttribute.WithWeight(edit.Value, block, destination),
        _ => Rewrite(in edit, in context, TargetOf(in edit), block, destination),
    };

    private static AttributeType TargetOf(in RouteEdit edit) => edit.Kind switch
    {
        RouteEditKind.AddCommunity => AttributeType.Communities,
        RouteEditKind.AddLargeCommunity => AttributeType.LargeCommunities,
        RouteEditKind.AddExtendedCommunity => AttributeType.ExtendedCommunities,
        RouteEditKind.RemoveCommunities => AttributeOf(edit.Community.Kind),
        RouteEditKind.PrependAs or RouteEditKind.PrependOwnAs => AttributeType.AsPath,
        _ => throw new InvalidOperationException($"edit {edit.Kind} has no attribute"),
    };

    public static AttributeType AttributeOf(CommunityKind kind) => kind switch
    {
        CommunityKind.Standard => AttributeType.Communities,
        CommunityKind.Large => AttributeType.LargeCommunities,
        _ => AttributeType.ExtendedCommunities,
    };

    private static uint MedOf(ReadOnlySpan<byte> block)
    {
        ReadOnlySpan<byte> value = CanonicalAttributes.Find(block, AttributeType.Med);
        return value.Length == 4 ? BinaryPrimitives.ReadUInt32BigEndian(value) : 0;
    }

    /// <summary>No address: the octets of "self".</summary>
    private static int WithNextHop(IpAddress address, ReadOnlySpan<byte> block, Span<byte> destination)
    {
        int length = address.CopyTo(destination[1..]);
        destination[0] = (byte)length;
        ReadOnlySpan<byte> rest = block[(1 + block[0])..];
        rest.CopyTo(destination[(1 + length)..]);
        return 1 + length + rest.Length;
    }

    private static int WithNumber(AttributeType type, uint number, ReadOnlySpan<byte> block, Span<byte> destination)
    {
        Span<byte> value = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(value, number);
        return WithValue(type, value, block, destination);
    }

    private static int WithValue(AttributeType type, scoped ReadOnlySpan<byte> value, ReadOnlySpan<byte> block, Span<byte> destination)
    {
        AttributeWriter writer = CopyUpTo((byte)type, block, destination, out CanonicalAttributes rest, out bool found);
        writer.Write(AttributeDescriptor.Of((byte)type).Category, (byte)type, value);
        return CopyRest(ref writer, ref rest, skipCurrent: found);
    }

    private static int Without(AttributeType type, ReadOnlySpan<byte> block, Span<byte> destination)
    {
        AttributeWriter writer = CopyUpTo((byte)type, block, destination, out CanonicalAttributes rest, out bool found);
        return CopyRest(ref writer, ref rest, skipCurrent: found);
    }

    private static int Rewrite(in RouteEdit edit, in PolicyContext context, AttributeType type, ReadOnlySpan<byte> block, Span<byte> destination)
    {
        AttributeWriter writer = CopyUpTo((byte)type, block, destination, out CanonicalAttributes rest, out bool found);
        ReadOnlySpan<byte> old = found ? rest.Value : default;
        Span<byte> value = writer.Begin(AttributeDescriptor.Of((byte)type).Category, (byte)type);
        int length = edit.Kind switch
        {
            RouteEditKind.AddCommunity => AddCommunity(old, edit.Community.Standard, value),
            RouteEditKind.AddLargeCommunity => AddLargeCommunity(old, edit.Community.Large, value),
            RouteEditKind.AddExtendedCommunity => AddExtendedCommunity(old, edit.Community.Extended, value),
            RouteEditKind.RemoveCommunities => RemoveCommunities(old, edit.Community, value),
            RouteEditKind.PrependAs => Prepend(old, edit.Value, 1, value),
            _ => Prepend(old, context.LocalAs, (int)edit.Value, value, context.IsMember ? AsPath.ConfederationSequence : AsPath.Sequence),
        };

        // No attribute but AS_PATH may be empty.
        if (length != 0 || type == AttributeType.AsPath)
        {
            writer.End(length);
        }

        return CopyRest(ref writer, ref rest, skipCurrent: found);
    }

    private static int Prepend(ReadOnlySpan<byte> old, uint autonomousSystem, int times, Span<byte> value, byte segment = AsPath.Sequence)
    {
        if (times == 0 || old.Length + 6 * times > MaximumValue)
        {
            old.CopyTo(value);
            return old.Length;
        }

        int into = old.Length >= 2 && old[0] == segment && old[1] + times <= byte.MaxValue ? old[1] : 0;
        value[0] = segment;
        value[1] = (byte)(into + times);
        for (int i = 0; i < times; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(value[(2 + 4 * i)..], autonomousSystem);
        }

        ReadOnlySpan<byte> rest = into > 0 ? old[2..] : old;
        rest.CopyTo(value[(2 + 4 * times)..]);
        return 2 + 4 * times + rest.Length;
    }

    /// <summary>Communities are kept sorted as they came; a new one goes to its place so that equal sets added in any order give equal bytes.</summary>
    private static int AddCommunity(ReadOnlySpan<byte> old, uint community, Span<byte> value)
    {
        int at = 0;
        if (old.Length + 4 > MaximumValue || Contains(old, community))
        {
            old.CopyTo(value);
            return old.Length;
        }

        while (at < old.Length && BinaryPrimitives.ReadUInt32BigEndian(old[at..]) < community)
        {
            at += 4;
        }

        old[..at].CopyTo(value);
        BinaryPrimitives.WriteUInt32BigEndian(value[at..], community);
        old[at..].CopyTo(value[(at + 4)..]);
        return old.Length + 4;
    }

    private static int RemoveCommunities(ReadOnlySpan<byte> old, in CommunityPattern pattern, Span<byte> value)
    {
        int entry = CommunityPattern.EntryLength(pattern.Kind);
        int length = 0;
        for (int at = 0; at + entry <= old.Length; at += entry)
        {
            if (!pattern.Fits(old.Slice(at, entry)))
            {
                old.Slice(at, entry).CopyTo(value[length..]);
                length += entry;
            }
        }

        return length;
    }

    private static int AddLargeCommunity(ReadOnlySpan<byte> old, LargeCommunity community, Span<byte> value)
    {
        old.CopyTo(value);
        if (old.Length + 12 > MaximumValue || Contains(old, community))
        {
            return old.Length;
        }

        BinaryPrimitives.WriteUInt32BigEndian(value[old.Length..], community.GlobalAdministrator);
        BinaryPrimitives.WriteUInt32BigEndian(value[(old.Length + 4)..], community.LocalData1);
        BinaryPrimitives.WriteUInt32BigEndian(value[(old.Length + 8)..], community.LocalData2);
        return old.Length + 12;
    }

    private static int AddExtendedCommunity(ReadOnlySpan<byte> old, ulong community, Span<byte> value)
    {
        old.CopyTo(value);
        if (old.Length + 8 > MaximumValue || CommunityPattern.OfExtended(community).FitsAny(old))
        {
            return old.Length;
        }

        BinaryPrimitives.WriteUInt64BigEndian(value[old.Length..], community);
        return old.Length + 8;
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
