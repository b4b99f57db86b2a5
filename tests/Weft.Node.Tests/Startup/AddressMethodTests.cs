using Weft.Node.Startup;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Startup;

public sealed class AddressMethodTests
{
    private static readonly HostInterface[] s_interfaces =
    [
        Link("lo", "127.0.0.1/8", "::1/128"),
        Link("eth0", "192.0.2.1/24", "fe80::1/64", "2001:db8::1/64"),
        Link("eth1", "198.51.100.1/24"),
        Link("cali1", "203.0.113.1/32"),
        Link("docker0", "172.17.0.1/16"),
        new("eth9", IsUp: false, [InterfaceAddress.Parse("203.0.113.9/24")]),
    ];

    [Theory]
    [InlineData("first-found", "198.51.100.1/24")]
    [InlineData("interface=eth0", "192.0.2.1/24")]
    [InlineData("interface=nope,eth0,eth1", "192.0.2.1/24")]
    [InlineData("interface=eth.*", "198.51.100.1/24")]
    [InlineData("interface=docker.*", "172.17.0.1/16")]
    [InlineData("skip-interface=eth1", "192.0.2.1/24")]
    [InlineData("cidr=192.0.0.0/8", "192.0.2.1/24")]
    [InlineData("cidr=10.0.0.0/8,172.16.0.0/12", "172.17.0.1/16")]
    [InlineData("can-reach=8.8.8.8", "192.0.2.1/24")]
    [InlineData("interface=eth9", null)]
    [InlineData("cidr=10.0.0.0/8", null)]
    public void Find_IPv4(string text, string? expected)
    {
        Assert.True(AddressMethod.TryParse(text, out AddressMethod method, out _));

        AddressChoice? found = method.Find(s_interfaces, IpFamily.IPv4, _ => IpAddress.Parse("192.0.2.1"));

        Assert.Equal(expected, found?.Address.ToString());
    }

    [Fact]
    public void Find_IPv6_TakesNoLinkLocalAddress()
    {
        Assert.True(AddressMethod.TryParse("first-found", out AddressMethod method, out _));

        Assert.Equal("2001:db8::1/64", method.Find(s_interfaces, IpFamily.IPv6, _ => null)?.Address.ToString());
    }

    [Fact]
    public void Find_InterfaceThatOnlyContainsAnExcludedName_IsNotSkipped()
    {
        Assert.True(AddressMethod.TryParse("first-found", out AddressMethod method, out _));

        Assert.Equal("10.0.0.1/8", method.Find([Link("ibmveth0", "10.0.0.1/8")], IpFamily.IPv4, _ => null)?.Address.ToString());
    }

    [Theory]
    [InlineData("first-found", "first-found takes eth1, the last one in the kernel's order but for eth9 (down), docker0, cali1")]
    [InlineData("skip-interface=eth1", "skip-interface=eth1 takes eth0, the last one in the kernel's order but for eth9 (down), docker0, cali1, eth1")]
    [InlineData("interface=nope,eth0", "interface=nope,eth0: eth0 matches eth0")]
    [InlineData("cidr=192.0.0.0/8", "cidr=192.0.0.0/8: on eth0, in 192.0.0.0/8")]
    [InlineData("can-reach=8.8.8.8", "can-reach=8.8.8.8: the kernel sends from it, on eth0")]
    public void Find_TellsWhyThisOne(string text, string reason)
    {
        Assert.True(AddressMethod.TryParse(text, out AddressMethod method, out _));

        Assert.Equal(reason, method.Find(s_interfaces, IpFamily.IPv4, _ => IpAddress.Parse("192.0.2.1"))!.Reason);
    }

    [Theory]
    [InlineData("interface=eth9", "of the interfaces with a global IPv4 address none fits: eth0, eth1, cali1, docker0, eth9 (down)")]
    [InlineData("can-reach=2001:db8::9", "2001:db8::9 is not IPv4")]
    [InlineData("can-reach=192.0.2.99", "the kernel has no route to 192.0.2.99 with a source address")]
    public void NothingFound_TellsWhy(string text, string reason)
    {
        Assert.True(AddressMethod.TryParse(text, out AddressMethod method, out _));

        Assert.Null(method.Find(s_interfaces, IpFamily.IPv4, _ => null));
        Assert.Equal(reason, method.WhyNone(s_interfaces, IpFamily.IPv4));
    }

    [Fact]
    public void KubernetesInternalIp_IsRefusedInWords()
    {
        Assert.False(AddressMethod.TryParse("kubernetes-internal-ip", out _, out string reason));

        Assert.Contains("asks the Node of Kubernetes, which weft's datastore does not hold", reason);
    }

    [Theory]
    [InlineData("")]
    [InlineData("last-found")]
    [InlineData("interface=")]
    [InlineData("interface=(")]
    [InlineData("cidr=10.0.0.0")]
    [InlineData("can-reach=example.com")]
    public void Parse_Malformed_IsRefused(string text) => Assert.False(AddressMethod.TryParse(text, out _, out _));

    private static HostInterface Link(string name, params string[] addresses) => new(name, IsUp: true, [.. addresses.Select(a => InterfaceAddress.Parse(a))]);
}
