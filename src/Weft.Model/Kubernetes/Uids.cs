using System.Globalization;

namespace Weft.Model.Kubernetes;

/// <summary>Ids of converted objects: not those of their originals, and derived from them.</summary>
public static class Uids
{
    /// <summary>Every byte's bits reversed, except the two that say version and variant. Twice gives the original. Other texts stay as they are.</summary>
    public static string? Convert(string? uid)
    {
        if (!Guid.TryParseExact(uid, "D", out Guid _))
        {
            return uid;
        }

        byte[] bytes = System.Convert.FromHexString(uid.Replace("-", string.Empty, StringComparison.Ordinal));
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = i is 6 or 8 ? bytes[i] : Reverse(bytes[i]);
        }

        return Guid.ParseExact(System.Convert.ToHexString(bytes), "N").ToString("D", CultureInfo.InvariantCulture);
    }

    private static byte Reverse(byte value)
    {
        int reversed = 0;
        for (int bit = 0; bit < 8; bit++)
        {
            reversed |= ((value >> bit) & 1) << (7 - bit);
        }

        return (byte)reversed;
    }
}
