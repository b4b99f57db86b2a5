using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Rules;
using Weft.Policy.Output;

namespace Weft.Dataplane.Tests.Rules;

/// <summary>Vectors of reference 10.4.</summary>
public sealed class ChainNamesTests
{
    [Theory]
    [InlineData("1234", 10, "felix1234")]
    [InlineData("123456", 11, "felix123456")]
    [InlineData("_2345", 10, "felix_kMQI")]
    [InlineData("12345678910", 13, "felix_Y2QCZIS")]
    [InlineData("", 10, "felix_")]
    public void LimitedName(string suffix, int max, string expected) => Assert.Equal(expected, ChainNames.Limited("felix", suffix, max));

    [Fact]
    public void PrefixWithoutRoomForAHash_IsAnError() => Assert.Throws<ArgumentException>(() => ChainNames.Limited("felix", "toolong", 6));

    [Theory]
    [InlineData("GlobalNetworkPolicy", "", "long-policy-name-that-gets-hashed", "cali-pi-_PymyFHQQg3808jiz1OJ", "cali-po-_PymyFHQQg3808jiz1OJ")]
    [InlineData("GlobalNetworkPolicy", "", "default.foo", "cali-pi-gnp/default.foo", "cali-po-gnp/default.foo")]
    public void PolicyChains(string kind, string ns, string name, string inbound, string outbound)
    {
        Assert.Equal(inbound, ChainNames.PolicyInbound(new PolicyId(kind, ns, name)));
        Assert.Equal(outbound, ChainNames.PolicyOutbound(new PolicyId(kind, ns, name)));
    }

    [Fact]
    public void KubernetesPolicy_IsNearlyAlwaysHashed() =>
        Assert.Equal("cali-pi-_hbey3K__KRNMm8YLaS9", ChainNames.PolicyInbound(new PolicyId("KubernetesNetworkPolicy", "default", "allow-dns")));

    [Fact]
    public void ProfileChain() => Assert.Equal("cali-pri-kns.default", ChainNames.ProfileInbound("kns.default"));

    [Theory]
    [InlineData("evil\nCOMMIT")]
    [InlineData("a b")]
    [InlineData("x\"y")]
    public void ForeignCharacters_NeverReachTheScript(string name)
    {
        string chain = ChainNames.ProfileInbound(name);

        Assert.Matches("^cali-pri-_[A-Za-z0-9_-]{18}$", chain);
    }

    [Fact]
    public void SetName_IsTruncated() =>
        Assert.Equal("cali40s:5y5I3VdRZfDU01O--xXAPx2", IpSetFamily.NameOf(Weft.Primitives.Net.IpFamily.IPv4, "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug"));
}
