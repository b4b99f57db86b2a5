using System.Net;
using System.Net.Sockets;
using System.Text;
using Weft.Linux.Namespaces;
using Weft.Primitives.Net;

namespace Weft.Lab;

/// <summary>
/// Asks every pod from every other pod, by TCP and by UDP. The sockets are opened inside the pod's namespace and used from here: a real connection from
/// the pod's address, without a process per question. An answer counts only if it carries the name of the pod that was asked.
/// </summary>
internal sealed class ConnectivityProbe(IReadOnlyList<RunningPod> pods, IpFamily family)
{
    /// <summary>How many pods ask at the same time.</summary>
    private const int Parallel = 16;

    /// <summary>A dropped packet gives no answer: after this time the flow counts as closed. One SYN is sent again within it.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(1300);

    private readonly IPEndPoint?[] _endpoints = [.. pods.Select(p => p.Addresses.Where(a => a.Family == family)
        .Select(a => new IPEndPoint(a.ToIPAddress(), PodServer.Port)).FirstOrDefault())];

    /// <summary>Asks until the answers are the expected ones or the limit has passed, and returns the last answers.</summary>
    public async Task<ConnectivityMatrix> ConvergeAsync(ConnectivityMatrix expected, TimeSpan limit, TimeProvider time, CancellationToken stop)
    {
        long start = time.GetTimestamp();
        ConnectivityMatrix actual = new(expected.Pods);
        List<(int From, int To)> open = [.. expected.Pairs()];
        while (true)
        {
            await AskAsync(actual, open, stop);
            open = [.. actual.Differences(expected)];
            if (open.Count == 0 || time.GetElapsedTime(start) > limit)
            {
                return actual;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), time, stop);
        }
    }

    private async Task AskAsync(ConnectivityMatrix matrix, IReadOnlyList<(int From, int To)> pairs, CancellationToken stop)
    {
        ParallelOptions options = new() { MaxDegreeOfParallelism = Parallel, CancellationToken = stop };
        await System.Threading.Tasks.Parallel.ForEachAsync(pairs.GroupBy(p => p.From), options, async (group, token) =>
        {
            int[] targets = [.. group.Select(p => p.To)];
            Reach[] reach = await AskFromAsync(group.Key, targets, token);
            for (int i = 0; i < targets.Length; i++)
            {
                matrix[group.Key, targets[i]] = reach[i];
            }
        });
    }

    private async Task<Reach[]> AskFromAsync(int from, int[] targets, CancellationToken stop)
    {
        using NetNamespace space = NetNamespace.Open(LabFiles.NamespacePath(PodRunner.Machine(pods[from].Plan)));
        AddressFamily addressFamily = family == IpFamily.IPv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
        (Socket Tcp, Socket Udp)[] sockets = space.Run(() => targets.Select(_ => (
            new Socket(addressFamily, SocketType.Stream, ProtocolType.Tcp),
            new Socket(addressFamily, SocketType.Dgram, ProtocolType.Udp))).ToArray());
        try
        {
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
            limit.CancelAfter(s_patience);
            Task<bool>[] tcp = [.. targets.Select((to, i) => AskTcpAsync(sockets[i].Tcp, to, limit.Token))];
            Task<bool>[] udp = [.. targets.Select((to, i) => AskUdpAsync(sockets[i].Udp, to, limit.Token))];
            bool[] byTcp = await Task.WhenAll(tcp);
            bool[] byUdp = await Task.WhenAll(udp);
            stop.ThrowIfCancellationRequested();
            return [.. targets.Select((_, i) => (byTcp[i] ? Reach.Tcp : Reach.None) | (byUdp[i] ? Reach.Udp : Reach.None))];
        }
        finally
        {
            foreach ((Socket tcp, Socket udp) in sockets)
            {
                tcp.Dispose();
                udp.Dispose();
            }
        }
    }

    private async Task<bool> AskTcpAsync(Socket socket, int to, CancellationToken limit)
    {
        try
        {
            await socket.ConnectAsync(_endpoints[to]!, limit);
            return await ReadNameAsync(socket, limit) == pods[to].Plan.Name;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return false;
        }
    }

    private async Task<bool> AskUdpAsync(Socket socket, int to, CancellationToken limit)
    {
        try
        {
            await socket.ConnectAsync(_endpoints[to]!, limit);
            await socket.SendAsync("who?"u8.ToArray(), limit);
            return await ReadNameAsync(socket, limit) == pods[to].Plan.Name;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return false;
        }
    }

    private static async Task<string> ReadNameAsync(Socket socket, CancellationToken limit)
    {
        byte[] buffer = new byte[256];
        int length = 0;
        while (length < buffer.Length)
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(length), limit);
            length += read;
            if (read == 0 || buffer.AsSpan(0, length).Contains((byte)'\n'))
            {
                break;
            }
        }

        return Encoding.ASCII.GetString(buffer, 0, length).TrimEnd('\n');
    }
}
