using System.Net.Sockets;
using System.Text;
using Weft.Hosting.Systemd;

namespace Weft.Hosting.Tests;

public sealed class SystemdNotifierTests
{
    [Fact]
    public void States_ArriveAsDatagrams()
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("weft-notify-").FullName, "notify");
        using Socket manager = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 5000 };
        manager.Bind(new UnixDomainSocketEndPoint(path));
        using SystemdNotifier notifier = SystemdNotifier.Create(path, "2000000");

        notifier.Ready("all is well");
        notifier.FeedWatchdog();
        notifier.Stopping("bye");

        Assert.Equal("READY=1\nSTATUS=all is well", Receive(manager));
        Assert.Equal("WATCHDOG=1", Receive(manager));
        Assert.Equal("STOPPING=1\nSTATUS=bye", Receive(manager));
        Assert.Equal(TimeSpan.FromSeconds(2), notifier.WatchdogPeriod);
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    [Fact]
    public void MissingManager_IsNoTrouble()
    {
        using SystemdNotifier gone = SystemdNotifier.Create("/nonexistent/notify", null);

        gone.Ready("nobody hears");

        Assert.Same(SystemdNotifier.None, SystemdNotifier.Create(null, null));
    }

    private static string Receive(Socket socket)
    {
        byte[] buffer = new byte[1024];
        return Encoding.UTF8.GetString(buffer, 0, socket.Receive(buffer));
    }
}
