using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers.RoutingRules;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Drivers.RoutingRules;

public sealed class RoutingRuleTableTests
{
    private static readonly RoutingRule s_encrypted = new(default, Priority: 99, Table: 201, Mark: 0x200000, Mask: 0x200000, Invert: true);
    private static readonly RoutingRule s_second = new(default, Priority: 100, Table: 202);

    [Theory]
    [InlineData(IpFamily.IPv4, "-4")]
    [InlineData(IpFamily.IPv6, "-6")]
    public void Rules_AreWrittenOnce_HealedAndRemoved_ForeignOnesStay(IpFamily family, string option)
    {
        using TestKernel kernel = new();
        kernel.Sh($"ip {option} rule add priority 99 fwmark 0x1 lookup 300");
        using ScriptedNetlink netlink = new(NetlinkSocket.OpenRoute(kernel.Space));
        RoutingRuleTable table = Open(netlink, family);

        table.SetRules(s_encrypted, s_second with { Source = Net(family) });
        Assert.True(table.Apply().IsDone);
        Assert.True(table.Apply().IsDone);
        Assert.Equal(2, netlink.Writes);
        Assert.Contains("99:\tnot from all fwmark 0x200000/0x200000 lookup 201", kernel.Sh($"ip {option} rule"), StringComparison.Ordinal);

        foreach (string damage in (string[])[$"ip {option} rule del priority 100", $"ip {option} rule add priority 150 lookup 203 protocol 80", $"ip {option} rule del priority 99 lookup 201"])
        {
            kernel.Sh(damage);
            table.QueueResync();
            Assert.True(table.Apply().IsDone);
            Assert.Equal(["201", "202"], Ours(kernel, option));
        }

        table.SetRules();
        Assert.True(table.Apply().IsDone);
        Assert.Empty(Ours(kernel, option));
        Assert.Contains("lookup 300", kernel.Sh($"ip {option} rule"), StringComparison.Ordinal);
    }

    [Fact]
    public void Restart_WithNoMemory_WritesNothing_AndSweepsWhatIsNotWanted()
    {
        using TestKernel kernel = new();
        using ScriptedNetlink first = new(NetlinkSocket.OpenRoute(kernel.Space)), second = new(NetlinkSocket.OpenRoute(kernel.Space)), third = new(NetlinkSocket.OpenRoute(kernel.Space));
        RoutingRuleTable table = Open(first, IpFamily.IPv4);
        table.SetRules(s_encrypted, s_second);
        table.Apply();

        RoutingRuleTable again = Open(second, IpFamily.IPv4);
        again.SetRules(s_encrypted, s_second);
        again.Apply();
        Assert.Equal(0, second.Writes);

        RoutingRuleTable fewer = Open(third, IpFamily.IPv4);
        fewer.SetRules(s_second);
        fewer.Apply();
        Assert.Equal(1, third.Writes);
        Assert.Equal(["202"], Ours(kernel, "-4"));
    }

    [Fact]
    public void RuleThatIsRefused_IsTriedAgain()
    {
        using TestKernel kernel = new();
        using ScriptedNetlink netlink = new(NetlinkSocket.OpenRoute(kernel.Space)) { FailNext = 1 };
        RoutingRuleTable table = Open(netlink, IpFamily.IPv4);
        table.SetRules(s_second);

        Assert.False(table.Apply().IsDone);
        Assert.True(table.Apply().IsDone);

        Assert.Equal(["202"], Ours(kernel, "-4"));
    }

    private static IpPrefix Net(IpFamily family) => IpPrefix.Parse(family == IpFamily.IPv4 ? "10.0.0.0/24" : "fd00::/64");

    private static string[] Ours(TestKernel kernel, string option) =>
        [.. kernel.Sh($"ip {option} rule").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split("lookup ")[1].Split(' ')[0]).Where(t => t.StartsWith("20", StringComparison.Ordinal))];

    private static RoutingRuleTable Open(ScriptedNetlink netlink, IpFamily family) =>
        new(family, 80, new RouteSocket(netlink).Rules, TimeProvider.System, NullLogger<RoutingRuleTable>.Instance, TimeSpan.FromSeconds(90));
}
