using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Linux.Tests.Netfilter;

public class ConntrackSocketTests
{
    [Theory]
    [InlineData(IpFamily.IPv4, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9")]
    [InlineData(IpFamily.IPv6, "fd00::1", "fd00::2", "fd00::3", "fd00::9")]
    public void Delete_TakesConnectionsOfTheAddressAtEitherEnd_AndNoOthers(IpFamily family, string pod, string peer, string other, string translated)
    {
        using TestNamespace space = new();
        ProcessRunner runner = new(space.Space);
        Insert(pod, peer, 1);
        Insert(peer, pod, 2);
        Insert(peer, translated, 3, "--dst-nat", pod);
        Insert(peer, other, 4);
        using ConntrackSocket conntrack = ConntrackSocket.Open(space.Space);

        conntrack.Delete(family, new HashSet<IpAddress> { IpAddress.Parse(pod) }, out int deleted).ThrowIfFailed("delete");

        Assert.Equal(3, deleted);
        string left = List();
        Assert.Contains("sport=4 ", left);
        Assert.DoesNotContain("sport=1 ", left);
        conntrack.Delete(family, new HashSet<IpAddress> { IpAddress.Parse(pod) }, out int again).ThrowIfFailed("delete");
        Assert.Equal(0, again);

        void Insert(string source, string destination, int port, params string[] more)
        {
            ProcessResult result = runner.Run(new ProcessRequest("conntrack",
            [
                "-I", "-s", source, "-d", destination, "-p", "tcp", "--sport", $"{port}", "--dport", "80",
                "--state", "ESTABLISHED", "-t", "100", .. more,
            ]));
            Assert.True(result.IsSuccess, result.ToString());
        }

        string List() => runner.Run(new ProcessRequest("conntrack", "-L", "-f", family == IpFamily.IPv4 ? "ipv4" : "ipv6")).OutputText;
    }
}
