using Weft.Bgp;
using System.Collections;
using Weft.Hosting.Configuration;
using Weft.Node.Router;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Router;

public sealed class RouterSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("weft-router-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private (RouterSettings Settings, IReadOnlyList<string> Problems) Read(string text, bool datastore = false)
    {
        string path = Path.Combine(_folder, "weft.conf");
        File.WriteAllText(path, text);
        SettingsReader reader = SettingsReader.Load(path, new Hashtable());
        RouterSettings settings = RouterSettings.Read(reader, datastore);
        return (settings, reader.Problems);
    }

    private string Key(string content, UnixFileMode mode)
    {
        string path = Path.Combine(_folder, "bgp.key");
        File.WriteAllText(path, content);
        File.SetUnixFileMode(path, mode);
        return path;
    }

    [Fact]
    public void SwitchOfTheReadme_IsAllASwitchNeeds()
    {
        string key = Key("secret\n", UnixFileMode.UserRead | UnixFileMode.UserWrite);

        (RouterSettings settings, IReadOnlyList<string> problems) = Read($"""
            [router]
            router-id = 10.255.0.1
            local-as = 65001
            listen = 0.0.0.0:179
            install-routes = yes
            networks = 10.255.0.1/32

            [neighbor:node1]
            address = 172.16.1.2
            remote-as = 64512
            password-file = {key}
            import = all
            export = all
            """);

        Assert.Empty(problems);
        Assert.Equal(IpAddress.Parse("10.255.0.1"), settings.RouterId);
        Assert.Equal(65001u, settings.LocalAs);
        Assert.Equal("0.0.0.0:179", Assert.Single(settings.Listen!.Value).ToString());
        Assert.Equal(IpPrefix.Parse("10.255.0.1/32"), Assert.Single(settings.Networks));
        NeighborSettings node1 = Assert.Single(settings.Neighbors);
        Assert.Equal(("node1", IpAddress.Parse("172.16.1.2"), 64512u, "secret"), (node1.Name, node1.Address, node1.RemoteAs, node1.Password!.Reveal()));
        Assert.DoesNotContain("secret", node1.ToString().Replace("(secret)", string.Empty));
    }

    [Fact]
    public void EveryProblem_IsReportedAtOnce_WithFileSectionAndKey()
    {
        (_, IReadOnlyList<string> problems) = Read("""
            [router]
            router-id = fd00::1
            listen = 0.0.0.0:99999
            networks = 10.0.0.1/8
            hold-time = 2s
            route-protocol = 2

            [neighbor:a]
            address = somewhere
            remote-as = 0
            password = one
            password-file = /nonexistent/bgp.key
            import = most

            [neighbor:b]
            address = fe80::1
            remote-as = 64512
            source-address = 10.0.0.1
            ttl-security = 1
            multihop = 2
            """);

        string all = string.Join('\n', problems);
        foreach (string expected in (string[])
        [
            "[router] router-id", "[router] local-as", "[router] listen", "[router] networks", "[router] hold-time", "[router] route-protocol",
            "[neighbor:a] address", "[neighbor:a] remote-as", "[neighbor:a] password-file: password is set too", "/nonexistent/bgp.key", "[neighbor:a] import",
            "[neighbor:b] interface", "[neighbor:b] source-address", "[neighbor:b] ttl-security",
        ])
        {
            Assert.Contains(expected, all);
        }

        Assert.All(problems, p => Assert.StartsWith(_folder, p));
    }

    [Theory]
    [InlineData("", UnixFileMode.UserRead, "1 to 80 bytes")]
    [InlineData("two\nlines\n", UnixFileMode.UserRead, "one line")]
    [InlineData("secret", UnixFileMode.UserRead | UnixFileMode.GroupRead, "mode 440")]
    public void PasswordFile_ThatIsWrongOrReadableByOthers_IsRefused_WithoutItsContent(string content, UnixFileMode mode, string expected)
    {
        string key = Key(content, mode);

        (_, IReadOnlyList<string> problems) = Read($"[router]\nrouter-id=1.1.1.1\nlocal-as=1\n[neighbor:a]\naddress=10.0.0.2\nremote-as=2\npassword-file={key}\n");

        string problem = Assert.Single(problems);
        Assert.Contains(expected.Replace("440", mode.HasFlag(UnixFileMode.GroupRead) ? "440" : "400"), problem);
        Assert.DoesNotContain("secret", problem);
    }

    [Theory]
    [InlineData("maximum-prefixes = 100", 100, 100)]
    [InlineData("maximum-prefixes = ipv6 7", 0, 7)]
    [InlineData("maximum-prefixes = ipv4 1000, ipv6 200", 1000, 200)]
    public void MaximumPrefixes_ArePerFamily(string text, int ipv4, int ipv6)
    {
        (RouterSettings settings, IReadOnlyList<string> problems) = Read($"[router]\nrouter-id=1.1.1.1\nlocal-as=1\n[neighbor:a]\naddress=10.0.0.2\nremote-as=2\n{text}\nmaximum-prefixes-action = warn\n");

        Assert.Empty(problems);
        Weft.Bgp.PrefixLimit limit = settings.Neighbors[0].Peering.Limit!;
        Assert.Equal((ipv4, ipv6, 80, Weft.Bgp.PrefixLimitAction.Warn), (limit.IPv4, limit.IPv6, limit.Warning, limit.Action));
    }

    [Theory]
    [InlineData("maximum-prefixes = many", "maximum-prefixes")]
    [InlineData("maximum-prefixes = ipv4 5 6", "maximum-prefixes")]
    [InlineData("maximum-prefixes-action = panic", "maximum-prefixes-action")]
    [InlineData("send-hold-time = 60s", "longer than the hold time (90 s)")]
    public void LimitsThatCannotBe_AreReported(string text, string expected)
    {
        (_, IReadOnlyList<string> problems) = Read($"[router]\nrouter-id=1.1.1.1\nlocal-as=1\n[neighbor:a]\naddress=10.0.0.2\nremote-as=2\n{text}\n");

        Assert.Contains(expected, Assert.Single(problems));
    }

    [Fact]
    public void Confederation_IsRead_AndItsMembersHaveNoRoles()
    {
        const string Router = "[router]\nrouter-id=1.1.1.1\nlocal-as=65101\nconfederation-id = 65000\nconfederation-members = 65102, 1.10\n";

        (RouterSettings settings, IReadOnlyList<string> good) = Read(Router);
        (_, IReadOnlyList<string> role) = Read(Router + "[neighbor:a]\naddress=10.0.0.2\nremote-as=65102\nrole = peer\n");
        (_, IReadOnlyList<string> alone) = Read("[router]\nrouter-id=1.1.1.1\nlocal-as=65101\nconfederation-members = 65102\n");

        Assert.Empty(good);
        Assert.Equal(new Weft.Bgp.Confederation { Id = 65000, Members = [65102, 65546] }, settings.Confederation);
        Assert.Contains("only an external neighbour has a role", Assert.Single(role));
        Assert.Contains("needs confederation-id", Assert.Single(alone));
    }

    [Theory]
    [InlineData("range=10.0.0.0/24\nremote-as=65001, 65010-65020", "65001, 65010-65020", 0u)]
    [InlineData("range=10.0.0.0/24\nremote-as=any", "any", 0u)]
    [InlineData("range=fd00::/64\nremote-as=1.10", "65546", 65546u)]
    public void Range_TakesNeighboursOfSeveralAses(string text, string accepted, uint single)
    {
        (RouterSettings settings, IReadOnlyList<string> problems) = Read($"[router]\nrouter-id=1.1.1.1\nlocal-as=1\n[neighbor:a]\n{text}\n");

        Assert.Empty(problems);
        Assert.Equal((accepted, single, 100), (settings.Neighbors[0].AcceptedAs!.ToString(), settings.Neighbors[0].RemoteAs, settings.Neighbors[0].MaximumNeighbors));
    }

    [Theory]
    [InlineData("[neighbor:a]\nrange=10.0.0.0/24\naddress=10.0.0.2\nremote-as=2\n", "is for one neighbour")]
    [InlineData("[neighbor:a]\naddress=10.0.0.2\nremote-as=2, 3\n", "several are for a range")]
    [InlineData("[neighbor:a]\nrange=10.0.0.0/24\nremote-as=5-2\n", "remote-as")]
    [InlineData("[neighbor:a]\nrange=10.0.0.0/24\nremote-as=any\n[neighbor:b]\nrange=10.0.0.0/24\nremote-as=any\n", "is the range of [neighbor:a] too")]
    [InlineData("[neighbor:a]\nrange=10.0.0.0/24\nremote-as=any\npassword=x\n[neighbor:b]\naddress=10.0.0.9\nremote-as=3\n", "needs one of its own")]
    [InlineData("[neighbor:a]\nrange=fe80::/64\nremote-as=any\n", "the same on every link")]
    public void RangeThatCannotBe_IsReported(string text, string expected)
    {
        (_, IReadOnlyList<string> problems) = Read("[router]\nrouter-id=1.1.1.1\nlocal-as=1\n" + text);

        Assert.Contains(expected, Assert.Single(problems));
    }

    [Fact]
    public void TwoNeighboursWithOneAddress_AreReported()
    {
        (_, IReadOnlyList<string> problems) = Read("[router]\nrouter-id=1.1.1.1\nlocal-as=1\n[neighbor:a]\naddress=10.0.0.2\nremote-as=2\n[neighbor:b]\naddress=10.0.0.2\nremote-as=3\n");

        Assert.Contains("[neighbor:a] too", Assert.Single(problems));
    }

    [Fact]
    public void UnnumberedNeighbour_HasBothFamilies_ExtendedNextHops_AndMayBeInAnyAs()
    {
        (RouterSettings settings, IReadOnlyList<string> problems) = Read("[router]\nrouter-id=1.1.1.1\nlocal-as=1\n[neighbor:a]\ninterface=eth0\nremote-as=any\n[neighbor:b]\ninterface=eth1\nremote-as=2\nextended-next-hop=no\nfamilies=ipv6\n");

        Assert.Empty(problems);
        Assert.Equal([true, true], settings.Neighbors.Select(n => n.IsUnnumbered));
        Assert.Equal([(AddressFamilies.Both, true), (AddressFamilies.IPv6, false)], settings.Neighbors.Select(n => (n.Families, n.Paths.ExtendedNextHop)));
        Assert.Equal((true, false), (settings.Neighbors[0].At(default).Passive, settings.Neighbors[0].At(IpAddress.Parse("fe80::2")).Passive));
    }

    [Theory]
    [InlineData("interface=eth0\nremote-as=2\nmultihop=2", "[neighbor:x] multihop: a neighbour known by its link is on that link")]
    [InlineData("interface=eth0\nremote-as=2\n[neighbor:y]\ninterface=eth0\nremote-as=3", "eth0 is the link of [neighbor:x] too")]
    [InlineData("address=fe80::1\nremote-as=2", "[neighbor:x] interface: missing; the link-local address fe80::1 needs it")]
    [InlineData("address=::\nremote-as=2", ":: cannot be the address of a neighbour")]
    [InlineData("address=10.0.0.1\nremote-as=2\npassword=p\nao-key-file=/nowhere", "excludes a password: a connection is signed in one way")]
    [InlineData("address=10.0.0.1\nremote-as=2\nadvertisement-interval=1h", "advertisement-interval")]
    public void NeighbourThatCannotBe_IsReported(string text, string expected)
    {
        (_, IReadOnlyList<string> problems) = Read($"[router]\nrouter-id=1.1.1.1\nlocal-as=1\n[neighbor:x]\n{text}\n");

        Assert.Contains(problems, p => p.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void WithADatastore_RouterIdAndAsMayBeMissing_AndExportIsPools()
    {
        (RouterSettings settings, IReadOnlyList<string> problems) = Read("[neighbor:tor]\naddress=10.0.0.1\nremote-as=65001\n", datastore: true);

        Assert.Empty(problems);
        Assert.Null(settings.LocalAs);
        Assert.Null(settings.RouterId);
        Assert.Equal(RouteFilterKind.Pools, Assert.Single(settings.Neighbors).Export.Kind);
    }

    [Theory]
    [InlineData("all", true)]
    [InlineData("none", true)]
    [InlineData("pools", true)]
    [InlineData("10.0.0.0/8", true)]
    [InlineData("10.0.0.0/8+, 2001:db8::/32{48, 64} 192.168.0.0/16{16,24}", true)]
    [InlineData("", false)]
    [InlineData("10.0.0.1/8", false)]
    [InlineData("10.0.0.0/8{4,24}", false)]
    [InlineData("10.0.0.0/8{24,16}", false)]
    [InlineData("10.0.0.0/8{16,33}", false)]
    [InlineData("10.0.0.0/8{16", false)]
    [InlineData("10.0.0.0/8++", false)]
    [InlineData("all, 10.0.0.0/8", false)]
    public void RouteFilter_TakesKeywordsAndPrefixesWithRanges(string text, bool expected) =>
        Assert.Equal(expected, RouteFilterSetting.TryParse(text, out _, out _));

    [Fact]
    public void RouteFilter_PlusAndRange_BoundTheLength()
    {
        Assert.True(RouteFilterSetting.TryParse("10.0.0.0/8, 10.0.0.0/8+, 10.0.0.0/8{16, 24}", out RouteFilterSetting filter, out _));

        Assert.Equal([(8, 8), (8, 32), (16, 24)], filter.Prefixes.Select(p => (p.MinimumLength, p.MaximumLength)));
    }

    [Theory]
    [InlineData("10.0.0.1", "10.0.0.1:179")]
    [InlineData("10.0.0.1:1790", "10.0.0.1:1790")]
    [InlineData("[fd00::1]:1790", "[fd00::1]:1790")]
    [InlineData("fd00::1", "[fd00::1]:179")]
    [InlineData("10.0.0.1:0", null)]
    [InlineData("[10.0.0.1]:179", null)]
    [InlineData("host:179", null)]
    public void Endpoint_IsAddressWithOptionalPort(string text, string? expected)
    {
        bool ok = ListenEndpoint.TryParse(text, 179, out ListenEndpoint endpoint);

        Assert.Equal(expected, ok ? endpoint.ToString() : null);
    }
}
