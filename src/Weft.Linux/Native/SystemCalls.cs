using System.Runtime.InteropServices;
using System.Text;
using Tmds.Linux;

namespace Weft.Linux.Native;

/// <summary>
/// The system calls weft makes that the framework does not offer, as safe signatures: spans and strings in, <see cref="Errno"/> out.
/// The only unsafe code of the solution stands in this folder.
/// </summary>
internal static unsafe partial class SystemCalls
{
    public const int CLONE_NEWNS = 0x00020000;
    public const int CLONE_NEWNET = 0x40000000;
    public const int O_RDONLY = 0;
    public const int O_WRONLY = 1;
    public const int O_CREAT = 0x40;
    public const int O_EXCL = 0x80;
    public const int O_CLOEXEC = 0x80000;
    public const int MNT_DETACH = 2;
    public const int LOCK_EX = 2;
    public const int MADV_DONTNEED = 4;
    public const int NS_GET_NSTYPE = 0xb703;
    public const int UFFD_USER_MODE_ONLY = 1;
    public const ulong UFFD_API = 0xAA;
    public const ulong UFFD_FEATURE_WP_ASYNC = 1 << 15;
    public const ulong UFFDIO_REGISTER_MODE_WP = 2;
    public const uint UFFDIO_API = 0xc018aa3f;
    public const uint UFFDIO_REGISTER = 0xc020aa00;

    // SYS_userfaultfd; Tmds.LibC does not have it.
    private const int UserFaultX64 = 323;
    private const int UserFaultArm64 = 282;

    /// <summary>Takes the pages of a range out of this process; those of a file are read from it again when they are needed.</summary>
    public static Errno DropPages(ulong start, ulong end) =>
        LibC.madvise((void*)start, (size_t)(end - start), MADV_DONTNEED) < 0 ? LastError() : Errno.None;

    /// <summary>A userfaultfd that is told of nothing: what it watches is written to as ever (UFFD_FEATURE_WP_ASYNC). EINVAL on a kernel without it.</summary>
    public static Errno WatchWrites(out int descriptor)
    {
        descriptor = (int)(long)LibC.syscall(RuntimeInformation.ProcessArchitecture == Architecture.X64 ? UserFaultX64 : UserFaultArm64, O_CLOEXEC | UFFD_USER_MODE_ONLY);
        if (descriptor < 0)
        {
            return LastError();
        }

        // struct uffdio_api: api, features, ioctls.
        ulong* asked = stackalloc ulong[3] { UFFD_API, UFFD_FEATURE_WP_ASYNC, 0 };
        if (LibC.ioctl(descriptor, unchecked((int)UFFDIO_API), asked) < 0)
        {
            Errno errno = LastError();
            Close(descriptor);
            return errno;
        }

        return Errno.None;
    }

    /// <summary>Puts a mapping under the watch of a descriptor of <see cref="WatchWrites"/>.</summary>
    public static Errno Watch(int descriptor, ulong start, ulong end)
    {
        // struct uffdio_register: start, length, mode, ioctls.
        ulong* range = stackalloc ulong[4] { start, end - start, UFFDIO_REGISTER_MODE_WP, 0 };
        return LibC.ioctl(descriptor, unchecked((int)UFFDIO_REGISTER), range) < 0 ? LastError() : Errno.None;
    }

    public static Errno Socket(int family, int type, int protocol, out int descriptor)
    {
        descriptor = LibC.socket(family, type, protocol);
        return descriptor < 0 ? LastError() : Errno.None;
    }

    /// <summary>Binds a netlink socket to a port chosen by the kernel and to the multicast groups of the mask (groups 1..32).</summary>
    public static Errno BindNetlink(int descriptor, uint groups)
    {
        SockAddrNl address = new() { Family = NetlinkConstants.AF_NETLINK, Groups = groups };
        return LibC.bind(descriptor, (sockaddr*)&address, sizeof(SockAddrNl)) < 0 ? LastError() : Errno.None;
    }

    public static Errno Send(int descriptor, ReadOnlySpan<byte> data)
    {
        fixed (byte* start = data)
        {
            while (true)
            {
                ssize_t sent = LibC.send(descriptor, start, data.Length, 0);
                if ((long)sent >= 0)
                {
                    return Errno.None;
                }

                if (LastError() is var errno and not Errno.EINTR)
                {
                    return errno;
                }
            }
        }
    }

    /// <summary>Receives one datagram. <paramref name="length"/> is its real length, which is larger than the buffer when it was cut.</summary>
    public static Errno Receive(int descriptor, Span<byte> buffer, out int length)
    {
        fixed (byte* start = buffer)
        {
            while (true)
            {
                long received = LibC.recv(descriptor, start, buffer.Length, LibC.MSG_TRUNC);
                length = (int)received;
                if (received >= 0)
                {
                    return Errno.None;
                }

                if (LastError() is var errno and not Errno.EINTR)
                {
                    return errno;
                }
            }
        }
    }

    public static Errno SetSocketOption(int descriptor, int level, int option, int value) =>
        LibC.setsockopt(descriptor, level, option, &value, sizeof(int)) < 0 ? LastError() : Errno.None;

    /// <summary>Lets a classic BPF program (struct sock_filter, 8 octets an instruction) decide which datagrams are queued.</summary>
    public static Errno AttachFilter(int descriptor, ReadOnlySpan<ulong> program)
    {
        const int AttachFilterOption = 26; // SO_ATTACH_FILTER
        fixed (ulong* instructions = program)
        {
            // struct sock_fprog on 64-bit Linux: a count in the first word, then the pointer.
            ulong* value = stackalloc ulong[2] { (ulong)program.Length, (ulong)instructions };
            return LibC.setsockopt(descriptor, LibC.SOL_SOCKET, AttachFilterOption, value, 16) < 0 ? LastError() : Errno.None;
        }
    }

    /// <summary>Bounds every later receive, so that a kernel that does not answer cannot hold a loop for ever.</summary>
    public static Errno SetReceiveTimeout(int descriptor, TimeSpan timeout)
    {
        // struct timeval on 64-bit Linux: two longs.
        long* value = stackalloc long[2] { (long)timeout.TotalSeconds, timeout.Milliseconds * 1000L };
        return LibC.setsockopt(descriptor, LibC.SOL_SOCKET, LibC.SO_RCVTIMEO, value, 16) < 0 ? LastError() : Errno.None;
    }

    public static Errno Open(string path, int flags, out int descriptor, int mode = 0)
    {
        fixed (byte* name = Utf8(path))
        {
            descriptor = LibC.open(name, flags | O_CLOEXEC, (mode_t)(ushort)mode);
            return descriptor < 0 ? LastError() : Errno.None;
        }
    }

    public static void Close(int descriptor) => _ = LibC.close(descriptor);

    public static Errno Read(int descriptor, Span<byte> buffer, out int length)
    {
        fixed (byte* start = buffer)
        {
            long read = LibC.read(descriptor, start, buffer.Length);
            length = (int)Math.Max(read, 0);
            return read < 0 ? LastError() : Errno.None;
        }
    }

    public static Errno Write(int descriptor, ReadOnlySpan<byte> data)
    {
        fixed (byte* start = data)
        {
            return (long)LibC.write(descriptor, start, data.Length) < 0 ? LastError() : Errno.None;
        }
    }

    /// <summary>Moves the calling thread, and only it, into the namespace behind the descriptor.</summary>
    public static Errno SetNamespace(int descriptor, int type) => LibC.setns(descriptor, type) < 0 ? LastError() : Errno.None;

    public static Errno Unshare(int flags) => LibC.unshare(flags) < 0 ? LastError() : Errno.None;

    public static Errno Mount(string source, string target, string type, MountOptions options)
    {
        fixed (byte* s = Utf8(source), t = Utf8(target), f = Utf8(type))
        {
            return LibC.mount(s, t, f, (uint)options, null) < 0 ? LastError() : Errno.None;
        }
    }

    public static Errno Unmount(string target, int flags)
    {
        fixed (byte* t = Utf8(target))
        {
            return LibC.umount2(t, flags) < 0 ? LastError() : Errno.None;
        }
    }

    public static Errno Unlink(string path)
    {
        fixed (byte* p = Utf8(path))
        {
            return LibC.unlink(p) < 0 ? LastError() : Errno.None;
        }
    }

    /// <summary>Device and inode of the object behind a descriptor: two namespaces are the same when both agree.</summary>
    public static Errno Identify(int descriptor, out (ulong Device, ulong Inode) identity)
    {
        stat status = default;
        int result = LibC.fstat(descriptor, &status);
        identity = ((ulong)status.st_dev, (ulong)status.st_ino);
        return result < 0 ? LastError() : Errno.None;
    }

    /// <summary>CLONE_NEW* of the namespace behind a descriptor; an error for every other kind of file.</summary>
    public static Errno GetNamespaceType(int descriptor, out int type)
    {
        type = LibC.ioctl(descriptor, NS_GET_NSTYPE);
        return type < 0 ? LastError() : Errno.None;
    }

    /// <summary>Waits for an exclusive advisory lock; Tmds.LibC does not have flock.</summary>
    public static Errno Lock(int descriptor) => FileLock(descriptor, LOCK_EX) < 0 ? (Errno)Marshal.GetLastPInvokeError() : Errno.None;

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FileLock(int descriptor, int operation);

    private static Errno LastError() => (Errno)LibC.errno;

    private static byte[] Utf8(string text)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }
}

/// <summary>linux/mount.h, MS_*.</summary>
[Flags]
internal enum MountOptions : uint
{
    None = 0,
    Bind = 0x1000,
    Recursive = 0x4000,
    Slave = 0x80000,
    Shared = 0x100000,
}
