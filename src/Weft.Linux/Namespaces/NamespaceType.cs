using Weft.Linux.Native;

namespace Weft.Linux.Namespaces;

/// <summary>Tells a namespace file from any other file (linux/nsfs.h).</summary>
internal static class NamespaceType
{
    /// <summary>EINVAL when the descriptor is not a namespace of the given kind.</summary>
    public static Errno Check(int descriptor, int expected)
    {
        Errno errno = SystemCalls.GetNamespaceType(descriptor, out int type);

        // ENOTTY: not a namespace file at all.
        return errno != Errno.None || type != expected ? Errno.EINVAL : Errno.None;
    }
}
