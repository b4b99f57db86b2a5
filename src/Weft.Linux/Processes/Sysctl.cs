using System.Text;
using Weft.Linux.Native;

namespace Weft.Linux.Processes;

/// <summary>
/// Kernel settings under /proc/sys. Those under net/ belong to the namespace of the calling thread at the moment of the call: use
/// <c>NetNamespace.Run</c> for another. Paths have slashes, since interface names may have dots: "net/ipv4/conf/eth0.100/forwarding".
/// </summary>
public static class Sysctl
{
    /// <param name="path">Below /proc/sys.</param>
    /// <exception cref="KernelException">ENOENT: no such setting (no such interface, or a kernel without the feature).</exception>
    public static string Read(string path) =>
        TryRead(path, out string value) is var errno && errno == Errno.None ? value : throw new KernelException($"read /proc/sys/{path}", errno);

    public static Errno TryRead(string path, out string value)
    {
        value = string.Empty;
        Errno errno = SystemCalls.Open(Locate(path), SystemCalls.O_RDONLY, out int descriptor);
        if (errno != Errno.None)
        {
            return errno;
        }

        try
        {
            Span<byte> buffer = stackalloc byte[4096];
            errno = SystemCalls.Read(descriptor, buffer, out int length);
            value = Encoding.UTF8.GetString(buffer[..length]).TrimEnd();
            return errno;
        }
        finally
        {
            SystemCalls.Close(descriptor);
        }
    }

    /// <exception cref="KernelException">The kernel refused; EINVAL: the value.</exception>
    public static void Write(string path, string value)
    {
        if (TryWrite(path, value) is var errno and not Errno.None)
        {
            throw new KernelException($"write \"{value}\" to /proc/sys/{path}", errno);
        }
    }

    public static Errno TryWrite(string path, string value)
    {
        Errno errno = SystemCalls.Open(Locate(path), SystemCalls.O_WRONLY, out int descriptor);
        if (errno != Errno.None)
        {
            return errno;
        }

        try
        {
            return SystemCalls.Write(descriptor, Encoding.UTF8.GetBytes(value + '\n'));
        }
        finally
        {
            SystemCalls.Close(descriptor);
        }
    }

    private static string Locate(string path)
    {
        // An interface name ends up in the path: it must not lead out of it.
        return path.Split('/').Contains("..") ? throw new ArgumentException($"\"{path}\" leaves /proc/sys", nameof(path)) : $"/proc/sys/{path}";
    }
}
