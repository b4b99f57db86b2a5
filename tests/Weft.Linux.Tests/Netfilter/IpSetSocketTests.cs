using Weft.Linux.Netfilter;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Linux.Tests.Netfilter;

/// <summary>What the socket writes the ipset program reads, and the other way round.</summary>
public class IpSetSocketTests
{
    [Theory]
    [InlineData(IpSetTypes.Ip, IpFamily.IPv4, "10.0.0.1", "10.0.0.2")]
    [InlineData(IpSetTypes.Ip, IpFamily.IPv6, "fd00::1", "fd00::2")]
    [InlineData(IpSetTypes.Net, IpFamily.IPv4, "10.0.0.0/8", "192.0.2.1")]
    [InlineData(IpSetTypes.Net, IpFamily.IPv6, "fd00::/16", "2001:db8::1")]
    [InlineData(IpSetTypes.IpPort, IpFamily.IPv4, "10.0.0.1,tcp:80", "10.0.0.1,sctp:65535")]
    [InlineData(IpSetTypes.IpPort, IpFamily.IPv6, "fd00::1,udp:53", "fd00::1,tcp:1")]
    public void Members_AreTheSameForTheIpsetProgram(string type, IpFamily family, string first, string second)
    {
        using TestNamespace space = new();
        ProcessRunner tools = new(space.Space);
        using IpSetSocket socket = IpSetSocket.Open(space.Space);
        IpSetHeader set = new("cali40test", type, family, 1000);

        socket.Create(set).ThrowIfFailed("create");
        socket.Add(set, [Entry(first), Entry(second), Entry(first)]).ThrowIfFailed("add");

        string saved = tools.Run(new ProcessRequest("ipset", "save")).OutputText;
        Assert.Contains($"create cali40test {type} family {(family == IpFamily.IPv4 ? "inet" : "inet6")} hashsize 1024 maxelem 1000", saved);
        Assert.Contains($"add cali40test {first}\n", saved);
        Assert.Contains($"add cali40test {second}\n", saved);
        List<IpSetEntry> members = [];
        socket.ListMembers("cali40test", members).ThrowIfFailed("list");
        Assert.Equal(new HashSet<IpSetEntry> { Entry(first), Entry(second) }, [.. members]);
        socket.Remove(set, [Entry(first), Entry(first)]).ThrowIfFailed("remove");
        socket.ListMembers("cali40test", members).ThrowIfFailed("list");
        Assert.Equal([Entry(second)], members);
        List<IpSetHeader> headers = [];
        socket.ListHeaders(headers).ThrowIfFailed("list");
        Assert.Equal([set with { HashSize = 1024, Elements = 1 }], headers);
    }

    [Fact]
    public void Swap_ExchangesContents_AndDestroyRefusesWhatARuleUses()
    {
        using TestNamespace space = new();
        ProcessRunner tools = new(space.Space);
        using IpSetSocket socket = IpSetSocket.Open(space.Space);
        IpSetHeader one = new("one", IpSetTypes.Net, IpFamily.IPv4, 10), other = one with { Name = "other", MaxElements = 5000, HashSize = 4096 };
        socket.Create(one).ThrowIfFailed("create");
        socket.Create(other).ThrowIfFailed("create");
        socket.Add(other, [Entry("10.0.0.0/8")]).ThrowIfFailed("add");
        Assert.True(tools.Run(new ProcessRequest("iptables-nft", "-A", "INPUT", "-m", "set", "--match-set", "one", "src")).IsSuccess);

        socket.Swap("one", "other").ThrowIfFailed("swap");

        List<IpSetEntry> members = [];
        socket.ListMembers("one", members).ThrowIfFailed("list");
        Assert.Equal([Entry("10.0.0.0/8")], members);
        Assert.Equal(Errno.IPSET_ERR_BUSY, socket.Destroy("one").Errno);
        Assert.Equal(Errno.None, socket.Destroy("other").Errno);
        Assert.Equal(Errno.ENOENT, socket.ListMembers("other", members).Errno);
        Assert.Equal(Errno.None, socket.Destroy("other").Errno);
        Assert.Equal(Errno.EEXIST, socket.Create(one).Errno);
        Assert.Equal(Errno.IPSET_ERR_TYPE_MISMATCH, SwapWith(IpSetTypes.Ip));

        Errno SwapWith(string type)
        {
            socket.Create(new IpSetHeader("wrong", type, IpFamily.IPv4, 10)).ThrowIfFailed("create");
            return socket.Swap("one", "wrong").Errno;
        }
    }

    [Fact]
    public void MoreThanOneMessageHolds_IsWrittenAndReadBack_AndWhatDoesNotFitIsRefused()
    {
        using TestNamespace space = new();
        using IpSetSocket socket = IpSetSocket.Open(space.Space);
        IpSetHeader set = new("many", IpSetTypes.IpPort, IpFamily.IPv6, 5000);
        IpAddress start = IpAddress.Parse("fd00::");
        IpSetEntry[] entries = [.. Enumerable.Range(0, 5000).Select(i => new IpSetEntry(start.Add((UInt128)i).ToPrefix(), 6, (ushort)i))];
        socket.Create(set).ThrowIfFailed("create");

        socket.Add(set, entries).ThrowIfFailed("add");

        List<IpSetEntry> members = [];
        socket.ListMembers("many", members).ThrowIfFailed("list");
        Assert.Equal(entries.ToHashSet(), [.. members]);
        IpSetHeader small = set with { Name = "small", MaxElements = 100 };
        socket.Create(small).ThrowIfFailed("create");
        Assert.Equal(Errno.IPSET_ERR_HASH_FULL, socket.Add(small, entries).Errno);
        Assert.Equal("IPSET_ERR_HASH_FULL (4352)", Errno.IPSET_ERR_HASH_FULL.Describe());
    }

    private static IpSetEntry Entry(string text)
    {
        if (!text.Contains(','))
        {
            return new IpSetEntry(IpPrefix.TryParseNet(text, out IpPrefix net) ? net : throw new FormatException(text));
        }

        int comma = text.IndexOf(','), colon = text.LastIndexOf(':');
        byte protocol = text[(comma + 1)..colon] switch { "tcp" => 6, "udp" => 17, _ => 132 };
        return new IpSetEntry(IpAddress.Parse(text[..comma]).ToPrefix(), protocol, ushort.Parse(text[(colon + 1)..]));
    }
}
