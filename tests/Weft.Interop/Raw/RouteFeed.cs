using System.Buffers.Binary;
using Weft.Testing.Bgp;

namespace Weft.Interop.Raw;

/// <summary>UPDATEs of very many /24 from 20.0.0.0 on, encoded ahead or while they are sent, in pieces of whole messages.</summary>
internal static class RouteFeed
{
    /// <summary>Routes with attributes that differ from UPDATE to UPDATE.</summary>
    /// <param name="first">Index of the first /24.</param>
    /// <param name="count">Routes.</param>
    /// <param name="perUpdate">Routes that share their attributes, at most 900.</param>
    /// <param name="path">AS path of the n-th UPDATE.</param>
    /// <param name="nextHop">Next hop of all.</param>
    public static IEnumerable<byte[]> Announce(int first, int count, int perUpdate, Func<int, uint[]> path, string nextHop)
    {
        byte[] next = BgpBytes.NextHop(nextHop);
        List<byte> piece = [];
        for (int i = 0, update = 0; i < count; i += perUpdate, update++)
        {
            byte[] attributes = [.. BgpBytes.Origin(), .. BgpBytes.AsPath(path(update)), .. next];
            piece.AddRange(BgpBytes.Update([], attributes, Prefixes(first + i, Math.Min(perUpdate, count - i))));
            if (piece.Count > 1 << 16 || i + perUpdate >= count)
            {
                yield return [.. piece];
                piece.Clear();
            }
        }
    }

    public static IEnumerable<byte[]> Withdraw(int first, int count)
    {
        for (int i = 0; i < count; i += 900)
        {
            yield return BgpBytes.Update(Prefixes(first + i, Math.Min(900, count - i)), [], []);
        }
    }

    /// <summary>NLRI of the n-th /24.</summary>
    public static byte[] Prefix(int index) => Prefixes(index, 1);

    private static byte[] Prefixes(int first, int count)
    {
        byte[] nlri = new byte[4 * count];
        for (int i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(nlri.AsSpan(4 * i), 24u << 24 | (20u << 16) + (uint)(first + i));
        }

        return nlri;
    }
}
