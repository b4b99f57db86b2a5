using System.Text;

namespace Weft.Primitives.Hashing;

/// <summary>SHA-256 (FIPS 180-4, 6.2) without OpenSSL: the framework loads it at run time. Used for names, never for secrets.</summary>
public static class Sha256
{
    /// <summary>Bytes of a hash.</summary>
    public const int Length = 32;

    private static ReadOnlySpan<uint> Initial =>
    [
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ];

    /// <summary>Writes 32 bytes.</summary>
    public static void Hash(ReadOnlySpan<byte> content, Span<byte> destination) => Sha2.Hash(Initial, content, destination[..Length]);

    /// <summary>The hash of the text's UTF-8 bytes, as 43 characters of unpadded base64url.</summary>
    public static string Base64Url(string text)
    {
        Span<byte> hash = stackalloc byte[Length];
        Hash(Encoding.UTF8.GetBytes(text), hash);
        return System.Buffers.Text.Base64Url.EncodeToString(hash);
    }
}
