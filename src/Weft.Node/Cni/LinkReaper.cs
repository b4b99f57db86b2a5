using Microsoft.Extensions.Logging;
using Weft.Linux;
using Weft.Linux.Namespaces;
using Weft.Linux.Netlink;

namespace Weft.Node.Cni;

/// <summary>
/// Deletes the interfaces of pods that are gone, after the runtime has been answered: the kernel waits some thirty milliseconds for the last packet to leave
/// a pair, and once for all that are deleted together. Which ones is not remembered here but on the links themselves, their group: what a dying agent has
/// left, its next life deletes when it starts. It waits for a quiet moment: while the kernel deletes, it holds the lock that every other call needs.
/// </summary>
/// <param name="space">Where the host's sides are; null for the namespace of this process.</param>
/// <param name="time">Tells when a moment is quiet.</param>
/// <param name="logger">For what the kernel refuses.</param>
internal sealed class LinkReaper(NetNamespace? space, TimeProvider time, ILogger logger)
{
    /// <summary>"weft": nobody else's by chance, and not the 0 of every other link.</summary>
    public const uint Group = 0x77656674;

    /// <summary>Without another pod that goes, the moment is quiet.</summary>
    private static readonly TimeSpan s_quiet = TimeSpan.FromMilliseconds(100);

    /// <summary>A node where pods go all the time must not keep their interfaces for ever.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private int _state; // 0 idle, 1 running, 2 running and asked again

    /// <summary>The name of a link that waits for its end: it begins as a pod's, so that the firewall lets nothing of it pass, and no pod's name has a tilde.</summary>
    public static string HostName(int index) => $"cali~{index}";

    /// <summary>In the pod's namespace, where a new interface may be wanted under the old name before this one has gone.</summary>
    public static string PodName(int index) => $"weft~{index}";

    /// <summary>Deletes what is in the group, soon, on a thread of its own.</summary>
    public void Wake()
    {
        if (Interlocked.Exchange(ref _state, 2) == 0)
        {
            _ = RunAsync();
        }
    }

    private async Task RunAsync()
    {
        do
        {
            long asked = time.GetTimestamp();
            do
            {
                Interlocked.Exchange(ref _state, 1);
                await Task.Delay(s_quiet, time);
            }
            while (Volatile.Read(ref _state) == 2 && time.GetElapsedTime(asked) < s_patience);

            // Not a pool thread: it does nothing but wait for the kernel.
            Interlocked.Exchange(ref _state, 1);
            await Task.Factory.StartNew(Reap, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        while (Interlocked.CompareExchange(ref _state, 0, 1) != 1);
    }

    private void Reap()
    {
        try
        {
            using RouteSocket socket = RouteSocket.Open(space);
            NetlinkResult result = socket.Links.DeleteGroup(Group);
            if (!result.IsSuccess && result.Errno != Errno.ENODEV)
            {
                Log.NotReaped(logger, result.ToString());
            }
        }
        catch (KernelException e)
        {
            Log.NotReaped(logger, e.Message);
        }
    }
}
