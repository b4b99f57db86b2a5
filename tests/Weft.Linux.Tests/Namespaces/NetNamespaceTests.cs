using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Weft.Linux.Namespaces;

namespace Weft.Linux.Tests.Namespaces;

public class NetNamespaceTests
{
    [Fact]
    public void Create_IsVisibleToIpNetns_AndDeleteRemovesIt()
    {
        string name = $"linux-{Environment.ProcessId}-create";
        using (NamedNamespaces.Create(name))
        {
            Assert.Contains(name, Output("ip", "netns", "list"));
            Assert.Contains(": lo:", Output("ip", "-n", name, "link"));
        }

        Assert.True(NamedNamespaces.Delete(name));
        Assert.DoesNotContain(name, Output("ip", "netns", "list"));
        Assert.False(NamedNamespaces.Delete(name));
    }

    [Fact]
    public void Create_TakenName_FailsWithEexist_AndLeavesTheOther()
    {
        using TestNamespace space = new();

        KernelException e = Assert.Throws<KernelException>(() => NamedNamespaces.Create(space.Name));

        Assert.Equal(Errno.EEXIST, e.Errno);
        Assert.Contains(": lo:", Output("ip", "-n", space.Name, "link"));
    }

    [Theory]
    [InlineData("../evil")]
    [InlineData("")]
    [InlineData(".")]
    public void Create_NameThatIsNoFileName_IsRefused(string name) => Assert.Throws<ArgumentException>(() => NamedNamespaces.Create(name));

    [Fact]
    public void Open_FileThatIsNoNamespace_IsRefused()
    {
        Assert.Equal(Errno.EINVAL, Assert.Throws<KernelException>(() => NetNamespace.Open("/etc/passwd")).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KernelException>(() => NetNamespace.Open("/proc/self/ns/mnt")).Errno);
        Assert.Equal(Errno.ENOENT, Assert.Throws<KernelException>(() => NetNamespace.Open("/run/netns/linux-none")).Errno);
    }

    [Fact]
    public void IsSame_ComparesTheNamespace_NotThePath()
    {
        using TestNamespace space = new();
        using NetNamespace again = NetNamespace.OpenNamed(space.Name);
        using NetNamespace current = NetNamespace.OpenCurrent();
        using NetNamespace own = NetNamespace.OpenProcess(Environment.ProcessId);

        Assert.True(space.Space.IsSame(again));
        Assert.True(current.IsSame(own));
        Assert.False(space.Space.IsSame(current));
    }

    [Fact]
    public void Run_SocketOpenedInside_StaysInside()
    {
        using TestNamespace space = new();
        using Socket listener = space.Space.Run(static () =>
        {
            Socket s = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            s.Bind(new IPEndPoint(IPAddress.Loopback, 7777));
            s.Listen();
            return s;
        });

        using Socket outside = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using Socket inside = space.Space.Run(static () => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        inside.Connect(IPAddress.Loopback, 7777);

        Assert.True(inside.Connected);
        Assert.Throws<SocketException>(() => outside.Connect(IPAddress.Loopback, 7777));
    }

    [Fact]
    public void Run_Exception_ReachesTheCaller_AndTheCallerStaysOutside()
    {
        using TestNamespace space = new();
        using NetNamespace before = NetNamespace.OpenCurrent();

        Assert.Throws<InvalidOperationException>(() => space.Space.Run(static () => throw new InvalidOperationException("inside")));

        using NetNamespace after = NetNamespace.OpenCurrent();
        Assert.True(before.IsSame(after));
    }

    [Fact]
    public void Start_ProcessRunsInside_WithItsOwnSysWhenAsked()
    {
        using TestNamespace space = new();
        space.AddVeth("inner0");
        ProcessStartInfo list = new("ls", ["/sys/class/net"]) { RedirectStandardOutput = true };

        using Process process = space.Space.Start(list, NamespaceView.NetworkAndSys);
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();

        Assert.Contains("inner0", output);
        Assert.False(Directory.Exists("/sys/class/net/inner0"));
    }

    internal static string Output(string file, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output;
    }
}
