using System.Net.Sockets;
using System.Text;

namespace Weft.Hosting.Systemd;

/// <summary>
/// The service side of sd_notify(3): READY, STATUS, RELOADING, STOPPING and WATCHDOG as datagrams to the socket named by NOTIFY_SOCKET.
/// A lost notification never fails the role.
/// </summary>
public sealed class SystemdNotifier : IDisposable
{
    /// <summary>For a process without a service manager: every call does nothing.</summary>
    public static readonly SystemdNotifier None = new(null, null);

    /// <summary>A manager that does not read must not stop the role that tells it something.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private readonly Socket? _socket;
    private readonly UnixDomainSocketEndPoint? _endPoint;

    private SystemdNotifier(UnixDomainSocketEndPoint? endPoint, TimeSpan? watchdog)
    {
        _endPoint = endPoint;
        WatchdogPeriod = watchdog;
        _socket = endPoint is null ? null : new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified)
        {
            SendTimeout = (int)s_patience.TotalMilliseconds,
        };
    }

    /// <summary>How often the watchdog must be fed at the latest (WATCHDOG_USEC), or null when there is none. Feed it at half that period.</summary>
    public TimeSpan? WatchdogPeriod { get; }

    /// <param name="notifySocket">NOTIFY_SOCKET: a path, or "@name" for an abstract socket.</param>
    /// <param name="watchdogMicroseconds">WATCHDOG_USEC.</param>
    public static SystemdNotifier Create(string? notifySocket, string? watchdogMicroseconds)
    {
        if (string.IsNullOrEmpty(notifySocket))
        {
            return None;
        }

        string path = notifySocket[0] == '@' ? "\0" + notifySocket[1..] : notifySocket;
        TimeSpan? watchdog = long.TryParse(watchdogMicroseconds, out long usec) && usec > 0 ? TimeSpan.FromMicroseconds(usec) : null;
        return new SystemdNotifier(new UnixDomainSocketEndPoint(path), watchdog);
    }

    /// <summary>The role does its work now; <paramref name="status"/> is shown by systemctl status.</summary>
    public void Ready(string status) => Send($"READY=1\nSTATUS={status}");

    public void Status(string status) => Send($"STATUS={status}");

    public void Reloading() => Send($"RELOADING=1\nMONOTONIC_USEC={Environment.TickCount64 * 1000}");

    public void Stopping(string status) => Send($"STOPPING=1\nSTATUS={status}");

    /// <summary>Call only when every loop of the role is known to be alive.</summary>
    public void FeedWatchdog() => Send("WATCHDOG=1");

    public void Dispose() => _socket?.Dispose();

    private void Send(string state)
    {
        if (_socket is null || _endPoint is null)
        {
            return;
        }

        try
        {
            _socket.SendTo(Encoding.UTF8.GetBytes(state.ReplaceLineEndings("\n")), _endPoint);
        }
        catch (SocketException)
        {
            // The manager is restarting, gone or does not read; it asks again by its own means, and the role's work does not depend on it.
        }
    }
}
