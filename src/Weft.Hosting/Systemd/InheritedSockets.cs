using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Weft.Hosting.Systemd;

/// <summary>
/// Listening sockets that the service manager opened for this process (sd_listen_fds(3)): they outlive it, so that a client that comes during a restart waits
/// instead of being refused. The role takes what it knows by its path; what nobody takes stays open and unanswered until the process ends.
/// </summary>
public sealed class InheritedSockets
{
    /// <summary>SD_LISTEN_FDS_START.</summary>
    private const int FirstDescriptor = 3;

    /// <summary>F_SETFD and FD_CLOEXEC of fcntl(2): the manager leaves the flag clear, and no child of ours may answer in our place.</summary>
    private const int SetDescriptorFlags = 2;
    private const int CloseOnExec = 1;

    public static readonly InheritedSockets None = new([]);

    private readonly Dictionary<string, Socket> _byPath;

    private InheritedSockets(Dictionary<string, Socket> byPath) => _byPath = byPath;

    /// <param name="listenPid">LISTEN_PID: the process the sockets are for.</param>
    /// <param name="listenFds">LISTEN_FDS: how many there are.</param>
    /// <param name="processId">This process.</param>
    public static InheritedSockets Create(string? listenPid, string? listenFds, int processId)
    {
        if (!int.TryParse(listenPid, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) || pid != processId
            || !int.TryParse(listenFds, NumberStyles.None, CultureInfo.InvariantCulture, out int count) || count == 0)
        {
            return None;
        }

        Dictionary<string, Socket> byPath = new(StringComparer.Ordinal);
        for (int descriptor = FirstDescriptor; descriptor < FirstDescriptor + count; descriptor++)
        {
            _ = SetFlags(descriptor, SetDescriptorFlags, CloseOnExec);
            Socket socket = new(new SafeSocketHandle(descriptor, ownsHandle: true));
            if (socket.LocalEndPoint is UnixDomainSocketEndPoint endPoint)
            {
                byPath[endPoint.ToString()] = socket;
            }
        }

        return new InheritedSockets(byPath);
    }

    /// <summary>The socket that listens on <paramref name="path"/>, now the caller's; null when there is none.</summary>
    public Socket? Take(string path) => _byPath.Remove(path, out Socket? socket) ? socket : null;

    [DllImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static extern int SetFlags(int descriptor, int command, int argument);
}
