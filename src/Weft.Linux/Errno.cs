using System.Runtime.InteropServices;

namespace Weft.Linux;

/// <summary>
/// What the kernel answered: asm-generic/errno.h, which x86-64 and arm64 share. Compare these, never message text.
/// A number that has no name here is still a valid value.
/// </summary>
public enum Errno
{
    None = 0,
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    EINTR = 4,
    EIO = 5,
    ENXIO = 6,
    EBADF = 9,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EBUSY = 16,
    EEXIST = 17,
    ENODEV = 19,
    ENOTDIR = 20,
    EISDIR = 21,
    EINVAL = 22,
    EMFILE = 24,
    ENOSPC = 28,
    EROFS = 30,
    ERANGE = 34,
    ENAMETOOLONG = 36,
    ENOSYS = 38,
    EPROTO = 71,
    EOPNOTSUPP = 95,
    EAFNOSUPPORT = 97,
    EADDRINUSE = 98,
    EADDRNOTAVAIL = 99,
    ENETDOWN = 100,
    ENETUNREACH = 101,
    ENOBUFS = 105,
    ECONNREFUSED = 111,
    ETIMEDOUT = 110,
    EHOSTUNREACH = 113,

    // linux/netfilter/ipset/ip_set.h: numbers of that subsystem alone.
    IPSET_ERR_PROTOCOL = 4097,
    IPSET_ERR_FIND_TYPE = 4098,
    IPSET_ERR_MAX_SETS = 4099,
    IPSET_ERR_BUSY = 4100,
    IPSET_ERR_EXIST_SETNAME2 = 4101,
    IPSET_ERR_TYPE_MISMATCH = 4102,
    IPSET_ERR_EXIST = 4103,
    IPSET_ERR_REFERENCED = 4108,
    IPSET_ERR_HASH_FULL = 4352,
}

public static class ErrnoText
{
    /// <summary>"Device or resource busy (16)".</summary>
    public static string Describe(this Errno errno) =>
        (int)errno < 4096 ? $"{Marshal.GetPInvokeErrorMessage((int)errno)} ({(int)errno})" : $"{errno} ({(int)errno})";
}

/// <summary>A kernel call failed in a way its caller did not ask to handle. The text says what was tried, on what, and what the kernel said.</summary>
public sealed class KernelException(string tried, Errno errno, string? kernelText = null)
    : Exception(kernelText is null ? $"{tried}: {errno.Describe()}" : $"{tried}: {errno.Describe()}: {kernelText}")
{
    public Errno Errno { get; } = errno;
}
