using System.Runtime.InteropServices;

namespace Weft.Linux.Native;

/// <summary>
/// The few calls of a process that lives for milliseconds, linked directly: finding a symbol by name at run time, or the framework's file and socket
/// classes with what they initialise, would cost such a process a good part of its life.
/// </summary>
internal static unsafe partial class PlainCalls
{
    public static Errno Read(int descriptor, Span<byte> buffer, out int length)
    {
        fixed (byte* start = buffer)
        {
            nint read;
            do
            {
                read = ReadCall(descriptor, start, buffer.Length);
            }
            while (read < 0 && Last() == Errno.EINTR);

            length = (int)Math.Max(read, 0);
            return read < 0 ? Last() : Errno.None;
        }
    }

    /// <summary>Writes all of it.</summary>
    public static Errno Write(int descriptor, ReadOnlySpan<byte> data)
    {
        fixed (byte* start = data)
        {
            for (int done = 0; done < data.Length;)
            {
                nint written = WriteCall(descriptor, start + done, data.Length - done);
                if (written < 0 && Last() != Errno.EINTR)
                {
                    return Last();
                }

                done += (int)Math.Max(written, 0);
            }

            return Errno.None;
        }
    }

    /// <summary>A blocking unix stream socket that is connected to the path.</summary>
    public static Errno Connect(ReadOnlySpan<byte> path, TimeSpan patience, out int descriptor)
    {
        // struct sockaddr_un: the family, then a path of at most 107 bytes and its zero.
        const int PathLength = 108;
        descriptor = -1;
        if (path.Length >= PathLength)
        {
            return Errno.ENAMETOOLONG;
        }

        byte* address = stackalloc byte[2 + PathLength];
        new Span<byte>(address, 2 + PathLength).Clear();
        *(ushort*)address = AF_UNIX;
        path.CopyTo(new Span<byte>(address + 2, PathLength));
        descriptor = SocketCall(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (descriptor < 0)
        {
            return Last();
        }

        long* timeout = stackalloc long[2] { (long)patience.TotalSeconds, 0 };
        SetOptionCall(descriptor, SOL_SOCKET, SO_RCVTIMEO, timeout, 16);
        SetOptionCall(descriptor, SOL_SOCKET, SO_SNDTIMEO, timeout, 16);
        if (ConnectCall(descriptor, address, 2 + PathLength) < 0)
        {
            Errno errno = Last();
            SystemCalls.Close(descriptor);
            descriptor = -1;
            return errno;
        }

        return Errno.None;
    }

    /// <summary>Ends the process without running anything of the runtime or of libc.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    public static partial void ExitNow(int status);

    private const int AF_UNIX = 1;
    private const int SOCK_STREAM = 1;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SOL_SOCKET = 1;
    private const int SO_RCVTIMEO = 20;
    private const int SO_SNDTIMEO = 21;

    private static Errno Last() => (Errno)Marshal.GetLastPInvokeError();

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint ReadCall(int descriptor, byte* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteCall(int descriptor, byte* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int SocketCall(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static partial int ConnectCall(int descriptor, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    private static partial int SetOptionCall(int descriptor, int level, int option, void* value, int length);
}
