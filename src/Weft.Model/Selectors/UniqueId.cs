using Weft.Primitives.Hashing;

namespace Weft.Model.Selectors;

/// <summary>Ids derived from content alone: equal content has the equal id on every node and after every restart.</summary>
public static class UniqueId
{
    /// <summary><paramref name="prefix"/>, a colon, and 38 characters of base64url (libcalico-go/lib/hash).</summary>
    public static string Make(string prefix, string content) => $"{prefix}:{Sha224.Base64Url($"{prefix}:{content}")}";
}
