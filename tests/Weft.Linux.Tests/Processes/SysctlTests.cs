using Weft.Linux.Processes;

namespace Weft.Linux.Tests.Processes;

public class SysctlTests
{
    [Fact]
    public void Write_InsideANamespace_ChangesItThereOnly()
    {
        using TestNamespace space = new();
        space.AddVeth("veth.1");
        string outside = Sysctl.Read("net/ipv4/conf/lo/forwarding");

        space.Space.Run(static () => Sysctl.Write("net/ipv4/conf/veth.1/forwarding", "1"));

        Assert.Equal("1", space.Space.Run(static () => Sysctl.Read("net/ipv4/conf/veth.1/forwarding")));
        Assert.Equal(outside, Sysctl.Read("net/ipv4/conf/lo/forwarding"));
    }

    [Fact]
    public void Write_OfAnAbsentSetting_SaysEnoentAndThePath()
    {
        KernelException e = Assert.Throws<KernelException>(static () => Sysctl.Write("net/ipv4/conf/nosuch/forwarding", "1"));

        Assert.Equal(Errno.ENOENT, e.Errno);
        Assert.Contains("/proc/sys/net/ipv4/conf/nosuch/forwarding", e.Message);
    }

    [Fact]
    public void Path_ThatLeadsOut_IsRefused() => Assert.Throws<ArgumentException>(static () => Sysctl.Write("net/../../../etc/passwd", "1"));
}
