using Weft.Cluster.Store;
using Weft.Cluster.Store.Transport;

namespace Weft.Cluster.Tests.Store;

public class TransportTests
{
    [Theory]
    [InlineData("etcdserver: key is not provided", "etcdserver: key is not provided")]
    [InlineData("50%\n", "50%25%0A")]
    [InlineData("ü", "%C3%BC")]
    public void GrpcMessage_IsPercentEncoded(string text, string expected) => Assert.Equal(expected, GrpcCall.PercentEncode(text));

    [Theory]
    [InlineData("5S", 5000.0)]
    [InlineData("250m", 250.0)]
    [InlineData("1H", 3600000.0)]
    [InlineData("4999990u", 4999.99)]
    [InlineData("99999999H", null)]
    [InlineData("5", null)]
    [InlineData("-5S", null)]
    [InlineData("5x", null)]
    [InlineData("", null)]
    public void GrpcTimeout_IsReadByItsUnit_OrIgnored(string text, double? milliseconds) => Assert.Equal(milliseconds, GrpcCall.ParseTimeout(text)?.TotalMilliseconds);

    [Theory]
    [InlineData("2GiB", 2147483648L)]
    [InlineData("64mib", 67108864L)]
    [InlineData("1048576", 1048576L)]
    [InlineData("1KiB", null)]
    [InlineData("99999999999GiB", null)]
    [InlineData("-1GiB", null)]
    [InlineData("GiB", null)]
    public void Quota_IsASizeOfAtLeastOneMebibyte(string text, long? bytes)
    {
        bool ok = StoreSettings.ParseSize(text, out long value, out _);

        Assert.Equal(bytes, ok ? value : null);
    }
}
