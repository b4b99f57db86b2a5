using System.Runtime.InteropServices;

namespace Weft.Linux.Namespaces;

/// <summary>
/// Threads that the runtime makes at first use and keeps for ever. They must not be born inside another namespace, so they are made before a
/// thread enters one.
/// </summary>
internal static class RuntimeThreads
{
    private static int _started;

    public static void Start()
    {
        if (Interlocked.Exchange(ref _started, 1) != 0)
        {
            return;
        }

        // The first registration starts the thread that later handles SIGCHLD for System.Diagnostics.Process.
        PosixSignalRegistration.Create(PosixSignal.SIGCHLD, static _ => { }).Dispose();
    }
}
