using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Weft.Linux.Native;

namespace Weft.Linux.Namespaces;

/// <summary>
/// A network namespace, held open by a descriptor. setns moves a single thread, and every thread and process that this thread starts inherits
/// the namespace; so work inside runs on a thread of its own that ends with it. Never move a pool thread.
/// </summary>
public sealed class NetNamespace : IDisposable
{
    // An entered thread does little and shallow work.
    private const int StackSize = 512 * 1024;

    private readonly int _descriptor;
    private int _disposed;

    private NetNamespace(int descriptor, string path)
    {
        _descriptor = descriptor;
        Path = path;
    }

    ~NetNamespace()
    {
        Close();
    }

    /// <summary>The file it was opened by: "/run/netns/x", "/proc/123/ns/net".</summary>
    public string Path { get; }

    /// <summary>For system calls; valid as long as this object is reachable and not disposed.</summary>
    internal int Descriptor => _disposed == 0 ? _descriptor : throw new ObjectDisposedException(Path);

    /// <summary>Opens a namespace by its file.</summary>
    /// <exception cref="KernelException">ENOENT: there is no such namespace; EINVAL: the file is not a network namespace.</exception>
    public static NetNamespace Open(string path)
    {
        return TryOpen(path, out Errno errno) ?? throw new KernelException($"open network namespace {path}", errno);
    }

    /// <returns>Null when the file is absent or not a network namespace; <paramref name="errno"/> says which.</returns>
    public static NetNamespace? TryOpen(string path, out Errno errno)
    {
        errno = SystemCalls.Open(path, SystemCalls.O_RDONLY, out int descriptor);
        if (errno != Errno.None)
        {
            return null;
        }

        // An empty file stands under /run/netns between the creation of the name and the mount, and after an unclean removal.
        errno = NamespaceType.Check(descriptor, SystemCalls.CLONE_NEWNET);
        if (errno != Errno.None)
        {
            SystemCalls.Close(descriptor);
            return null;
        }

        return new NetNamespace(descriptor, path);
    }

    /// <summary>The namespace of the calling thread.</summary>
    public static NetNamespace OpenCurrent() => Open("/proc/thread-self/ns/net");

    /// <summary>The namespace of a process.</summary>
    public static NetNamespace OpenProcess(int processId) => Open($"/proc/{processId}/ns/net");

    /// <summary>Opens a namespace by the name <c>ip netns</c> knows it by.</summary>
    public static NetNamespace OpenNamed(string name) => Open(NamedNamespaces.PathOf(name));

    /// <summary>True when both are the same namespace, whatever paths they were opened by.</summary>
    public bool IsSame(NetNamespace other)
    {
        Identify(this, out (ulong, ulong) mine);
        Identify(other, out (ulong, ulong) theirs);
        return mine == theirs;

        static void Identify(NetNamespace space, out (ulong, ulong) identity)
        {
            if (SystemCalls.Identify(space.Descriptor, out identity) is var errno and not Errno.None)
            {
                throw new KernelException($"identify network namespace {space.Path}", errno);
            }
        }
    }

    /// <summary>
    /// Runs the function inside, on a thread made for it, and waits. Inside: no async, no timers, no thread pool: threads they would start
    /// inherit the namespace and outlive the call. Sockets and processes opened inside stay in the namespace and may be used anywhere.
    /// </summary>
    public T Run<T>(Func<T> inside) => Run(inside, NamespaceView.Network);

    /// <inheritdoc cref="Run{T}(Func{T})"/>
    public T Run<T>(Func<T> inside, NamespaceView view)
    {
        RuntimeThreads.Start();
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(Body, StackSize) { IsBackground = true, Name = "netns" };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;

        void Body()
        {
            try
            {
                Enter(view);
                result = inside();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e); // Rethrown on the thread that asked.
            }
        }
    }

    /// <inheritdoc cref="Run{T}(Func{T})"/>
    public void Run(Action inside) => Run(() =>
    {
        inside();
        return true;
    });

    /// <summary>Starts a process inside. Read its streams and wait for it from the calling thread: they are not bound to the namespace.</summary>
    public Process Start(ProcessStartInfo start, NamespaceView view = NamespaceView.Network) =>
        Run(() => Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start"), view);

    public void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    private void Close()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            SystemCalls.Close(_descriptor);
        }
    }

    private void Enter(NamespaceView view)
    {
        if (SystemCalls.SetNamespace(Descriptor, SystemCalls.CLONE_NEWNET) is var errno and not Errno.None)
        {
            throw new KernelException($"enter network namespace {Path}", errno);
        }

        if (view == NamespaceView.NetworkAndSys)
        {
            PrivateMounts.ShowOwnSys();
        }
    }
}

/// <summary>What a thread inside a namespace sees.</summary>
public enum NamespaceView
{
    /// <summary>The namespace's network and its /proc/sys/net; /sys still shows the devices of the first namespace.</summary>
    Network,

    /// <summary>Also a /sys of its own, in a private mount namespace, as <c>ip netns exec</c> does. For processes that read /sys/class/net.</summary>
    NetworkAndSys,
}
