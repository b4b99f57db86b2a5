using Weft.Linux.Native;

namespace Weft.Linux.Namespaces;

/// <summary>Gives the calling thread a mount namespace in which /sys shows the devices of its network namespace.</summary>
internal static class PrivateMounts
{
    public static void ShowOwnSys()
    {
        Require(SystemCalls.Unshare(SystemCalls.CLONE_NEWNS), "unshare the mount namespace");

        // Nothing mounted here may travel back to the host.
        Require(SystemCalls.Mount(string.Empty, "/", "none", MountOptions.Slave | MountOptions.Recursive), "make / a slave mount");
        _ = SystemCalls.Unmount("/sys", SystemCalls.MNT_DETACH);
        Require(SystemCalls.Mount("weft", "/sys", "sysfs", MountOptions.None), "mount sysfs on /sys");
    }

    private static void Require(Errno errno, string tried)
    {
        if (errno != Errno.None)
        {
            throw new KernelException(tried, errno);
        }
    }
}
