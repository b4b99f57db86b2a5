using System.Text;
using Google.Protobuf;
using Weft.Model.Keys;

namespace Weft.Datastore.Etcd;

/// <summary>A <see cref="ModelPrefix"/> as etcd wants it: first key, and the key just after the last one (empty for a single key).</summary>
internal readonly record struct KeyRange(ByteString Key, ByteString End)
{
    public static KeyRange Of(ModelPrefix prefix)
    {
        byte[] first = Encoding.UTF8.GetBytes(prefix.Path);
        return new KeyRange(UnsafeByteOperations.UnsafeWrap(first), prefix.IsExact ? ByteString.Empty : After(first));
    }

    /// <summary>The range that begins just behind a key: its bytes and a zero.</summary>
    public KeyRange Behind(ByteString key)
    {
        byte[] next = new byte[key.Length + 1];
        key.Span.CopyTo(next);
        return this with { Key = UnsafeByteOperations.UnsafeWrap(next) };
    }

    private static ByteString After(byte[] prefix)
    {
        for (int i = prefix.Length - 1; i >= 0; i--)
        {
            if (prefix[i] < 0xff)
            {
                byte[] end = prefix[..(i + 1)];
                end[i]++;
                return UnsafeByteOperations.UnsafeWrap(end);
            }
        }

        return ByteString.CopyFrom(0); // No key is greater: to the end of the store.
    }
}
