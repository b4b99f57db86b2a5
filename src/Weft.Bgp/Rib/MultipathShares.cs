using System.Buffers.Binary;

namespace Weft.Bgp.Rib;

/// <summary>
/// How much of the traffic each next hop of a multipath set takes. Shares come from the neighbours' settings, or from the link bandwidth community
/// (draft-ietf-idr-link-bandwidth) when every path of the set has one; else all take the same. Used by <see cref="LocRib"/> when it describes a set to the kernel.
/// <code>
///   link bandwidth:  | 0x40 or 0x00 | 0x04 | AS (2) | IEEE 754 single, bytes per second (4) |
/// </code>
/// </summary>
internal static class MultipathShares
{
    /// <summary>What the kernel can hold: rtnh_hops is one octet, and one less than the weight.</summary>
    public const int Largest = 256;

    /// <summary>Small numbers that miss the ratio by no more than this are preferred to large ones.</summary>
    private const float Tolerance = 0.02f;

    private const int LinkBandwidth = 0x04;

    /// <summary>
    /// The upper half of the first usable link bandwidth (as bfloat16: sign, exponent, 7 bits), half a percent exact: so it fits into the facts of an attribute set.
    /// 0: none.
    /// </summary>
    public static ushort BandwidthOf(ReadOnlySpan<byte> communities)
    {
        for (; communities.Length >= 8; communities = communities[8..])
        {
            // 0x40 stays inside the AS; newer drafts have a transitive one too.
            if (communities[0] is 0x40 or 0x00 && communities[1] == LinkBandwidth)
            {
                float bandwidth = BinaryPrimitives.ReadSingleBigEndian(communities[4..]);
                if (float.IsNormal(bandwidth) && bandwidth > 0)
                {
                    return (ushort)(BitConverter.SingleToUInt32Bits(bandwidth) >> 16);
                }
            }
        }

        return 0;
    }

    public static float Value(ushort bandwidth) => BitConverter.UInt32BitsToSingle((uint)bandwidth << 16);

    /// <summary>Turns shares (all positive) into whole weights of the same ratio, as small as that goes, none above <see cref="Largest"/>.</summary>
    public static void Weigh(ReadOnlySpan<float> shares, Span<RouteNextHop> hops)
    {
        float least = float.MaxValue;
        float most = 0;
        foreach (float share in shares)
        {
            least = Math.Min(least, share);
            most = Math.Max(most, share);
        }

        float unit = most / Largest;
        for (int parts = 1; parts <= 16 && most / (least / parts) <= Largest; parts++)
        {
            if (Fits(shares, least / parts))
            {
                unit = least / parts;
                break;
            }
        }

        for (int i = 0; i < hops.Length; i++)
        {
            hops[i] = hops[i] with { Weight = (ushort)Math.Clamp(MathF.Round(shares[i] / unit), 1, Largest) };
        }
    }

    private static bool Fits(ReadOnlySpan<float> shares, float unit)
    {
        foreach (float share in shares)
        {
            float parts = share / unit;
            if (Math.Abs(parts - MathF.Round(parts)) > Tolerance * parts)
            {
                return false;
            }
        }

        return true;
    }
}
