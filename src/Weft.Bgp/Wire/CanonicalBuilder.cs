using System.Buffers.Binary;
using System.Collections.Immutable;

namespace Weft.Bgp.Wire;

/// <summary>Writes the canonical block of a route of our own.</summary>
internal static class CanonicalBuilder
{
    public static byte[] Build(RouteAttributes route)
    {
        byte[] known = PrivateAttribute.Describe(route.FromKernel ? PrivateAttribute.FromKernel : PrivateAttribute.FromConfiguration, route.Interface);
        byte[] room = new byte[320 + 8 * route.AsPath.Length + 4 * route.Communities.Length + 12 * route.LargeCommunities.Length];
        int nextHop = route.NextHop.CopyTo(room.AsSpan(1));
        room[0] = (byte)nextHop;
        known.CopyTo(room.AsSpan(1 + nextHop));
        var writer = new AttributeWriter(room, 1 + nextHop + known.Length);
        writer.Write(AttributeFlags.Transitive, (byte)AttributeType.Origin, [(byte)route.Origin]);
        WritePath(ref writer, route.AsPath);
        if (route.Med is uint med)
        {
            writer.Write(AttributeFlags.Optional, AttributeType.Med, med);
        }

        if (route.LocalPreference is uint preference)
        {
            writer.Write(AttributeFlags.Transitive, AttributeType.LocalPreference, preference);
        }

        if (!route.Communities.IsEmpty)
        {
            WriteNumbers(ref writer, AttributeType.Communities, [.. route.Communities.Order()]);
        }

        if (!route.LargeCommunities.IsEmpty)
        {
            WriteNumbers(ref writer, AttributeType.LargeCommunities,
                [.. route.LargeCommunities.SelectMany(c => new[] { c.GlobalAdministrator, c.LocalData1, c.LocalData2 })]);
        }

        return room[..writer.Length];
    }

    private static void WritePath(ref AttributeWriter writer, ImmutableArray<uint> path)
    {
        Span<byte> value = writer.Begin(AttributeFlags.Transitive, (byte)AttributeType.AsPath);
        int length = 0;
        for (int start = 0; start < path.Length; start += 255)
        {
            int members = Math.Min(255, path.Length - start);
            value[length] = AsPath.Sequence;
            value[length + 1] = (byte)members;
            for (int i = 0; i < members; i++)
            {
                BinaryPrimitives.WriteUInt32BigEndian(value[(length + 2 + 4 * i)..], path[start + i]);
            }

            length += 2 + 4 * members;
        }

        writer.End(length);
    }

    private static void WriteNumbers(ref AttributeWriter writer, AttributeType type, uint[] numbers)
    {
        Span<byte> value = writer.Begin(AttributeFlags.Optional | AttributeFlags.Transitive, (byte)type);
        for (int i = 0; i < numbers.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(value[(4 * i)..], numbers[i]);
        }

        writer.End(4 * numbers.Length);
    }
}
