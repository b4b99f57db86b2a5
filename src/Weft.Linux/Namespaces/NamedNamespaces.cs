using System.Runtime.ExceptionServices;
using Weft.Linux.Native;

namespace Weft.Linux.Namespaces;

/// <summary>
/// Namespaces with a name, as <c>ip netns</c> makes them: a namespace lives as long as something holds it, and a bind mount of its file on
/// /run/netns/NAME does. /run/netns itself is a shared mount, so that the names appear and vanish in every mount namespace of the host.
/// </summary>
public static class NamedNamespaces
{
    private const string Folder = "/run/netns";

    public static string PathOf(string name) => $"{Folder}/{name}";

    /// <exception cref="KernelException">EEXIST: the name is taken.</exception>
    public static NetNamespace Create(string name)
    {
        CheckName(name);
        string path = PathOf(name);
        PrepareFolder();
        Require(SystemCalls.Open(path, SystemCalls.O_RDONLY | SystemCalls.O_CREAT | SystemCalls.O_EXCL, out int file), $"create {path}");
        SystemCalls.Close(file);
        try
        {
            MountNew(path);
            return NetNamespace.Open(path);
        }
        catch
        {
            _ = SystemCalls.Unmount(path, SystemCalls.MNT_DETACH);
            _ = SystemCalls.Unlink(path);
            throw;
        }
    }

    /// <summary>Takes the name away. The namespace itself goes when the last process and descriptor in it goes.</summary>
    /// <returns>False when there was no such name.</returns>
    public static bool Delete(string name)
    {
        CheckName(name);
        string path = PathOf(name);

        // EINVAL: the name is there but nothing is mounted on it; the file goes all the same.
        Errno unmounted = SystemCalls.Unmount(path, SystemCalls.MNT_DETACH);
        if (unmounted is not (Errno.None or Errno.EINVAL or Errno.ENOENT))
        {
            throw new KernelException($"unmount {path}", unmounted);
        }

        Errno unlinked = SystemCalls.Unlink(path);
        if (unlinked is not (Errno.None or Errno.ENOENT))
        {
            throw new KernelException($"remove {path}", unlinked);
        }

        return unlinked == Errno.None;
    }

    /// <summary>The names in use, in no order.</summary>
    public static IEnumerable<string> List() =>
        Directory.Exists(Folder) ? Directory.EnumerateFiles(Folder).Select(static path => System.IO.Path.GetFileName(path)) : [];

    private static void CheckName(string name)
    {
        if (name.Length == 0 || name is "." or ".." || name.Contains('/') || name.Contains('\0'))
        {
            throw new ArgumentException($"\"{name}\" cannot name a network namespace: it must be a file name", nameof(name));
        }
    }

    private static void MountNew(string path)
    {
        RuntimeThreads.Start();
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(Body) { IsBackground = true, Name = "netns-new" };
        thread.Start();
        thread.Join();
        failure?.Throw();

        void Body()
        {
            try
            {
                Require(SystemCalls.Unshare(SystemCalls.CLONE_NEWNET), "make a network namespace");
                Require(SystemCalls.Mount("/proc/thread-self/ns/net", path, "none", MountOptions.Bind), $"mount the new network namespace on {path}");
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e); // Rethrown on the thread that asked.
            }
        }
    }

    private static void PrepareFolder()
    {
        Directory.CreateDirectory(Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);

        // Held against another process (ip netns takes the same lock) that makes the folder a mount at the same moment: it would be stacked.
        Require(SystemCalls.Open(Folder, SystemCalls.O_RDONLY, out int folder), $"open {Folder}");
        try
        {
            Require(SystemCalls.Lock(folder), $"lock {Folder}");
            Errno shared = SystemCalls.Mount(string.Empty, Folder, "none", MountOptions.Shared | MountOptions.Recursive);
            if (shared == Errno.EINVAL)
            {
                // Not a mount point yet.
                Require(SystemCalls.Mount(Folder, Folder, "none", MountOptions.Bind | MountOptions.Recursive), $"bind {Folder} to itself");
                shared = SystemCalls.Mount(string.Empty, Folder, "none", MountOptions.Shared | MountOptions.Recursive);
            }

            Require(shared, $"make {Folder} a shared mount");
        }
        finally
        {
            SystemCalls.Close(folder);
        }
    }

    private static void Require(Errno errno, string tried)
    {
        if (errno != Errno.None)
        {
            throw new KernelException(tried, errno);
        }
    }
}
