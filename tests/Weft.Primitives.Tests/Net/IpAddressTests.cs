using System.Net;
using Weft.Primitives.Net;

namespace Weft.Primitives.Tests.Net;

public sealed class IpAddressTests
{
    private static readonly Gen<IpAddress> s_any = Gen.OneOf(
        Gen.UInt.Select(IpAddress.FromIPv4),
        Gen.Select(Gen.ULong, Gen.ULong).Select((high, low) => IpAddress.FromIPv6(new UInt128(high, low))));

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("10.1.2.3")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("2001:db8::1")]
    [InlineData("fe80::ecee:eeff:feee:eeee")]
    public void Text_RoundTrips(string text) => Assert.Equal(text, IpAddress.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("10.1.2")]
    [InlineData("10.1.2.3.4")]
    [InlineData("10.1.2.256")]
    [InlineData("10.01.2.3")]
    [InlineData("0x7f.0.0.1")]
    [InlineData(" 10.1.2.3")]
    [InlineData("10.1.2.3 ")]
    [InlineData("-1.0.0.0")]
    [InlineData("fe80::1%eth0")]
    [InlineData("[::1]")]
    [InlineData("1::2::3")]
    [InlineData(":::")]
    public void WrongText_IsRefused(string text) => Assert.False(IpAddress.TryParse(text, out _));

    [Fact]
    public void Bytes_AndText_RoundTrip() => s_any.Sample(address =>
    {
        byte[] bytes = new byte[16];
        int length = address.CopyTo(bytes);
        return IpAddress.FromBytes(bytes.AsSpan(0, length)) == address && IpAddress.Parse(address.ToString()) == address
            && address.ToIPAddress().Equals(IPAddress.Parse(address.ToString()));
    });

    [Fact]
    public void Order_IsByFamilyThenNumber() => Gen.Select(s_any, s_any).Sample((a, b) =>
    {
        int expected = a.Family != b.Family ? a.Family.CompareTo(b.Family) : a.Value.CompareTo(b.Value);
        return Math.Sign(a.CompareTo(b)) == Math.Sign(expected) && (a == b) == (expected == 0);
    });

    [Theory]
    [InlineData("127.0.0.1", true, false, false)]
    [InlineData("::1", true, false, false)]
    [InlineData("169.254.1.1", false, true, false)]
    [InlineData("fe80::1", false, true, false)]
    [InlineData("febf::1", false, true, false)]
    [InlineData("fec0::1", false, false, false)]
    [InlineData("224.0.0.5", false, false, true)]
    [InlineData("ff02::1", false, false, true)]
    [InlineData("10.0.0.1", false, false, false)]
    public void SpecialRanges_AreRecognised(string text, bool loopback, bool linkLocal, bool multicast)
    {
        IpAddress address = IpAddress.Parse(text);

        Assert.Equal((loopback, linkLocal, multicast), (address.IsLoopback, address.IsLinkLocal, address.IsMulticast));
    }

    [Fact]
    public void Add_WrapsAtTheEndOfTheFamily()
    {
        Assert.Equal("0.0.0.0", IpAddress.Parse("255.255.255.255").Add(1).ToString());
        Assert.Equal("::", IpAddress.Parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").Add(1).ToString());
    }
}
