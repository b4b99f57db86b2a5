using System.Text;

namespace Weft.Primitives.Hashing;

/// <summary>
/// SHA-224 (FIPS 180-4, 6.3). Calico derives set ids and rule hashes from it; the framework has no SHA-224, and this one needs no OpenSSL at run
/// time either. Used for names, never for secrets.
/// </summary>
public static class Sha224
{
    /// <summary>Bytes of a hash.</summary>
    public const int Length = 28;

    private static ReadOnlySpan<uint> Initial =>
    [
        0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939, 0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4,
    ];

    /// <summary>Writes 28 bytes.</summary>
    public static void Hash(ReadOnlySpan<byte> content, Span<byte> destination) => Sha2.Hash(Initial, content, destination[..Length]);

    /// <summary>The hash of the text's UTF-8 bytes, as 38 characters of unpadded base64url.</summary>
    public static string Base64Url(string text)
    {
        Span<byte> hash = stackalloc byte[Length];
        Hash(Encoding.UTF8.GetBytes(text), hash);
        return System.Buffers.Text.Base64Url.EncodeToString(hash);
    }
}
