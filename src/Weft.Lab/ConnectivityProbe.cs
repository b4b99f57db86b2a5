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
    private const int Parallel = 12;

    /// <summary>
    /// A dropped packet gives no answer: what has not answered this long after the pod's last answer counts as closed. Measured from the last answer, so
    /// that a busy machine is not mistaken for a closed port.
    /// </summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(1200);

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
        Socket[] sockets = space.Run(() => targets.Select(_ => new Socket(addressFamily, SocketType.Stream, ProtocolType.Tcp))
            .Append(new Socket(addressFamily, SocketType.Dgram, ProtocolType.Udp)).ToArray());
        try
        {
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
            limit.CancelAfter(s_patience);
            void Answered() => limit.CancelAfter(s_patience);
            Reach[] reach = new Reach[targets.Length];
            Task udp = AskUdpAsync(sockets[^1], targets, reach, Answered, limit.Token);
            bool[] byTcp = await Task.WhenAll(targets.Select((to, i) => AskTcpAsync(sockets[i], to, Answered, limit.Token)));
            await udp;
            stop.ThrowIfCancellationRequested();
            return [.. reach.Select((r, i) => byTcp[i] ? r | Reach.Tcp : r)];
        }
        finally
        {
            foreach (Socket socket in sockets)
            {
                socket.Dispose();
            }
        }
    }

    private async Task<bool> AskTcpAsync(Socket socket, int to, Action answered, CancellationToken limit)
    {
        try
        {
            await socket.ConnectAsync(_endpoints[to]!, limit);
            bool right = await ReadNameAsync(socket, limit) == pods[to].Plan.Name;
            answered();
            return right;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>One socket asks all targets; an answer counts for the pod whose address it comes from, if it carries that pod's name.</summary>
    private async Task AskUdpAsync(Socket socket, int[] targets, Reach[] reach, Action answered, CancellationToken limit)
    {
        Dictionary<EndPoint, int> index = [];
        byte[] buffer = new byte[256];
        try
        {
            for (int i = 0; i < targets.Length; i++)
            {
                index[_endpoints[targets[i]]!] = i;
                await socket.SendToAsync("who?"u8.ToArray(), _endpoints[targets[i]]!, limit);
            }

            EndPoint any = new IPEndPoint(family == IpFamily.IPv6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
            for (int open = targets.Length; open > 0; open--)
            {
                SocketReceiveFromResult received = await socket.ReceiveFromAsync(buffer, any, limit);
                if (index.TryGetValue(received.RemoteEndPoint, out int i)
                    && Encoding.ASCII.GetString(buffer, 0, received.ReceivedBytes).TrimEnd('\n') == pods[targets[i]].Plan.Name)
                {
                    reach[i] = Reach.Udp;
                    answered();
                }
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // What has not answered by now counts as closed.
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
