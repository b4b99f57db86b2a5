using Weft.Primitives.Net;

namespace Weft.Primitives.Tests.Net;

public sealed class IpPrefixTests
{
    private static readonly Gen<IpPrefix> s_any = Gen.OneOf(
        Gen.Select(Gen.UInt, Gen.Int[0, 32]).Select((v, l) => new IpPrefix(IpAddress.FromIPv4(v), l)),
        Gen.Select(Gen.ULong, Gen.ULong, Gen.Int[0, 128]).Select((h, v, l) => new IpPrefix(IpAddress.FromIPv6(new UInt128(h, v)), l)));

    [Fact]
    public void HostBits_AreMasked()
    {
        Assert.Equal("10.0.0.0/8", IpPrefix.Parse("10.1.2.3/8").ToString());
        Assert.Equal("fd00:10::/122", IpPrefix.Parse("fd00:10::3f/122").ToString());
        Assert.Equal("0.0.0.0/0", IpPrefix.Parse("1.2.3.4/0").ToString());
    }

    [Theory]
    [InlineData("10.0.0.0")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/08")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("::/129")]
    [InlineData("/8")]
    public void WrongText_IsRefused(string text) => Assert.False(IpPrefix.TryParse(text, out _));

    [Fact]
    public void Net_MayBeABareAddress()
    {
        Assert.True(IpPrefix.TryParseNet("10.0.0.1", out IpPrefix four));
        Assert.True(IpPrefix.TryParseNet("::1", out IpPrefix six));
        Assert.Equal(("10.0.0.1/32", "::1/128"), (four.ToString(), six.ToString()));
    }

    [Theory]
    [InlineData("0.0.0.0/0", "255.255.255.255")]
    [InlineData("10.0.0.0/8", "10.255.255.255")]
    [InlineData("10.0.0.1/32", "10.0.0.1")]
    [InlineData("::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("::/1", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]
    [InlineData("fd00::/127", "fd00::1")]
    public void LastAddress_EndsThePrefix(string prefix, string last) => Assert.Equal(last, IpPrefix.Parse(prefix).LastAddress.ToString());

    [Fact]
    public void Text_RoundTrips() => s_any.Sample(prefix => IpPrefix.Parse(prefix.ToString()) == prefix);

    [Fact]
    public void Contains_AgreesWithTheRangeOfAddresses() => Gen.Select(s_any, s_any).Sample((a, b) =>
    {
        bool byRange = a.Family == b.Family && a.Address <= b.Address && b.LastAddress <= a.LastAddress;
        return a.Contains(b) == byRange && a.Contains(b.Address) == (a.Family == b.Family && a.Address <= b.Address && b.Address <= a.LastAddress);
    });

    [Fact]
    public void CoveringPrefix_SortsBeforeWhatItCovers() => Gen.Select(s_any, s_any).Sample((a, b) => !a.Contains(b) || a.CompareTo(b) <= 0);

    [Fact]
    public void InterfaceAddress_KeepsItsHostBits()
    {
        InterfaceAddress address = InterfaceAddress.Parse("172.16.1.2/24");

        Assert.Equal(("172.16.1.2", "172.16.1.0/24", "172.16.1.2/24"), (address.Address.ToString(), address.Prefix.ToString(), address.ToString()));
    }

    [Theory]
    [InlineData("ee:ee:ee:ee:ee:ee", true)]
    [InlineData("EE-EE-EE-00-01-02", true)]
    [InlineData("ee:ee:ee:ee:ee", false)]
    [InlineData("ee:ee:ee:ee:ee:gg", false)]
    [InlineData("eeee:eeee:eeee:ee", false)]
    public void MacAddress_IsReadInBothSpellings(string text, bool valid)
    {
        bool read = MacAddress.TryParse(text, out MacAddress mac);

        Assert.Equal(valid, read);
        Assert.True(!read || mac.ToString() == text.ToLowerInvariant().Replace('-', ':'));
    }
}
