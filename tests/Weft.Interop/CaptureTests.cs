using System.Globalization;
using Weft.Interop.Raw;
using Weft.Testing.Bgp;

namespace Weft.Interop;

/// <summary>
/// Everything weft sends, judged by tshark from the wire: six neighbours of different kinds, each offering every capability weft offers it, and one feed with every
/// attribute; then the same as a member of a confederation. (Extended messages are the one thing that tshark of Debian 12 cannot read; what weft writes is the same in
/// them, and its own reader and the fuzzer judge their framing.)
/// <code>
///   feeder (external) ---+            +--- external, client, inner (internal)
///   client (internal) ---+--- weft ---+--- old (two-octet AS), six (over IPv6)
/// </code>
/// </summary>
public sealed class CaptureTests
{
    private const ushort HoldTime = 30;

    private static readonly byte[] s_extended = BgpBytes.Attribute(
        0xC0, 16, [0x00, 0x02, .. BgpBytes.Number16(65002), .. BgpBytes.Number32(7), 0x02, 0x02, .. BgpBytes.Number32(4200000001), 0, 7, 0x03, 0x0C, 0, 0, 0, 0, 0, 8]);

    private static readonly byte[] s_large = BgpBytes.Attribute(0xC0, 32, [.. BgpBytes.Number32(65002), .. BgpBytes.Number32(1), .. BgpBytes.Number32(2)]);

    /// <summary>AS_SEQUENCE and AS_SET, both with an AS of four octets.</summary>
    private static readonly byte[] s_path = BgpBytes.Attribute(
        0x40, 2, [2, 2, .. BgpBytes.Number32(65002), .. BgpBytes.Number32(4200000001), 1, 2, .. BgpBytes.Number32(64999), .. BgpBytes.Number32(4200000002)]);

    [Fact]
    public async Task EverythingSent_IsDecodedByTsharkWithoutRemark()
    {
        await using Lab lab = await Lab.CreateAsync();
        (string capture, Daemon dumpcap) = await CaptureAsync(lab);
        Router weft = Router.Start(lab, Settings(
            "local-as = 65001",
            ("feeder", "10.99.0.2", 65002, "role = customer\nlong-lived-stale-time = 1h"),
            ("client", "10.99.0.3", 65001, "route-reflector-client = yes\nlong-lived-stale-time = 1h"),
            ("inner", "10.99.0.4", 65001, ""),
            ("external", "10.99.0.5", 65005, "role = provider\nadd-path = both"),
            ("old", "10.99.0.6", 65006, ""),
            ("six", "2001:db8:99::7", 65007, "extended-next-hop = yes")));

        using RawPeer feeder = await RawPeer.EstablishAsync(lab, "10.99.0.2", 65002, HoldTime);
        using RawPeer client = await RawPeer.EstablishAsync(lab, "10.99.0.3", 65001, HoldTime);
        using RawPeer inner = await RawPeer.EstablishAsync(lab, "10.99.0.4", 65001, HoldTime);
        using RawPeer external = await RawPeer.EstablishAsync(lab, "10.99.0.5", 65005, HoldTime);
        using RawPeer old = await RawPeer.EstablishAsync(lab, "10.99.0.6", 65006, HoldTime, [BgpBytes.Multiprotocol(1), BgpBytes.Multiprotocol(2), BgpBytes.Capability(2)]);
        using RawPeer six = await RawPeer.EstablishAsync(lab, "2001:db8:99::7", 65007, HoldTime, to: Lab.WeftIPv6);
        RawPeer[] listeners = [client, inner, external, old, six];

        await feeder.SendAsync(ExternalRoutes(feeder));
        await client.SendAsync(InternalRoutes(client));
        byte[] last4 = BgpBytes.Nlri("198.51.100.0/24"), last6 = BgpBytes.Nlri("2001:db8:51::/48");
        foreach (RawPeer listener in listeners)
        {
            await listener.UntilAsync("the last routes", p => p.Saw(last6) && p.Saw(last4));
        }

        await inner.SendAsync([.. BgpBytes.RouteRefresh(1), .. BgpBytes.RouteRefresh(2)]);
        await inner.UntilAsync("the refresh of both families, between its marks (RFC 7313)", p => p.Saw(BgpBytes.RouteRefresh(1, 2)) && p.Saw(BgpBytes.RouteRefresh(2, 2)));
        await feeder.SendAsync(Withdrawals(feeder));
        await external.UntilAsync("the withdrawals", p => p.Messages.Count(m => m[18] == 2 && m.AsSpan().IndexOf(last4) >= 0) > 1 && p.Messages.Count(m => m.AsSpan().IndexOf(last6) >= 0) > 1);
        feeder.Socket.Close();
        await client.UntilAsync("its routes kept for long, and marked so (RFC 9494)", p => p.Saw([0xFF, 0xFF, 0, 6]));
        await weft.OperateAsync("shutdown", "external", "upgrade");
        await external.UntilAsync("the hard reset", p => p.IsClosed);
        await weft.OperateAsync("shutdown", "old", "back at noon: zurück um zwölf");
        await old.UntilAsync("the words", p => p.IsClosed);
        await client.SendAsync(BgpBytes.Message(9));
        await client.UntilAsync("an error for what is no message", p => p.IsClosed);
        await weft.Process.StopAsync();

        // What dumpcap has not yet taken from the kernel when it is stopped is lost.
        await Shell.EventuallyAsync("the last words in the capture", async () => (await File.ReadAllBytesAsync(capture)).AsSpan().IndexOf("back at noon"u8) >= 0, () => Task.FromResult(dumpcap.Log));
        await dumpcap.StopAsync();

        string sent = $"bgp && (ip.src == {Lab.WeftIPv4} || ipv6.src == {Lab.WeftIPv6})";
        // The length of an AS number is negotiated; tshark guesses unless told.
        Assert.Empty(await RemarksAsync(capture, $"{sent} && ip.dst != 10.99.0.6", "4"));
        Assert.Empty(await RemarksAsync(capture, $"{sent} && ipv6", "4"));
        Assert.Empty(await RemarksAsync(capture, $"{sent} && ip.dst == 10.99.0.6", "2"));
        HashSet<int> types = await FieldAsync(capture, sent, "bgp.type");
        HashSet<int> offered = await FieldAsync(capture, sent, "bgp.cap.type");
        Assert.Empty(new[] { 1, 2, 3, 4, 5 }.Except(types));
        Assert.Empty(new[] { 1, 2 }.Except(await FieldAsync(capture, sent, "bgp.route_refresh.subtype")));
        Assert.Empty(new[] { 1, 2, 5, 6, 9, 64, 65, 69, 70, 71 }.Except(offered));
        Assert.Empty(new[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 32, 35, 200 }.Except(await FieldAsync(capture, sent, "bgp.update.path_attribute.type_code")));
        Assert.Empty(feeder.Offered.Select(static c => (int)c.Code).Except(offered));
        Assert.Contains("back at noon: zurück um zwölf", await TsharkAsync("-r", capture, "-Y", $"bgp.type == 3 && {sent}", "-T", "fields", "-e", "bgp.notify.communication"));

        // RFC 8538 3: with both sides' N flag the shutdown (6/2) travels inside a Hard Reset (6/9).
        Assert.Equal([2, 9], (await FieldAsync(capture, $"bgp.type == 3 && {sent}", "bgp.notify.minor_error_cease")).Order());
    }

    [Fact]
    public async Task MemberOfAConfederation_IsDecodedByTsharkWithoutRemark()
    {
        await using Lab lab = await Lab.CreateAsync();
        (string capture, Daemon dumpcap) = await CaptureAsync(lab);
        Router weft = Router.Start(lab, Settings(
            "local-as = 65101\nconfederation-id = 65000\nconfederation-members = 65102",
            ("feeder", "10.99.0.2", 65002, ""), ("member", "10.99.0.3", 65102, ""), ("external", "10.99.0.5", 65005, "")));
        using RawPeer feeder = await RawPeer.EstablishAsync(lab, "10.99.0.2", 65002, HoldTime);
        using RawPeer member = await RawPeer.EstablishAsync(lab, "10.99.0.3", 65102, HoldTime);
        using RawPeer external = await RawPeer.EstablishAsync(lab, "10.99.0.5", 65005, HoldTime);

        await feeder.SendAsync(ExternalRoutes(feeder));
        byte[] last4 = BgpBytes.Nlri("198.51.100.0/24"), last6 = BgpBytes.Nlri("2001:db8:51::/48");
        foreach (RawPeer listener in new[] { member, external })
        {
            await listener.UntilAsync("the last routes", p => p.Saw(last6) && p.Saw(last4));
        }

        // In from the feeder, out to the two others. What dumpcap has not yet taken from the kernel when it is stopped is lost.
        await Shell.EventuallyAsync("all of it in the capture", async () => Occurrences(await File.ReadAllBytesAsync(capture), last6) >= 3, () => Task.FromResult(dumpcap.Log));
        await weft.Process.StopAsync();
        await dumpcap.StopAsync();

        string sent = $"bgp && ip.src == {Lab.WeftIPv4}";
        Assert.Empty(await RemarksAsync(capture, sent, "4"));
        Assert.Contains(3, await FieldAsync(capture, $"{sent} && ip.dst == 10.99.0.3", "bgp.update.path_attribute.as_path_segment.type"));
        Assert.DoesNotContain(3, await FieldAsync(capture, $"{sent} && ip.dst == 10.99.0.5", "bgp.update.path_attribute.as_path_segment.type"));
    }

    private static int Occurrences(ReadOnlySpan<byte> data, ReadOnlySpan<byte> what)
    {
        int count = 0;
        for (int at; (at = data.IndexOf(what)) >= 0; count++)
        {
            data = data[(at + what.Length)..];
        }

        return count;
    }

    private static byte[] ExternalRoutes(RawPeer to)
    {
        byte[] rest =
        [
            .. BgpBytes.Attribute(0x80, 4, BgpBytes.Number32(50)), .. BgpBytes.Attribute(0x40, 6), .. BgpBytes.Attribute(0xC0, 7, [.. BgpBytes.Number32(4200000001), 192, 0, 2, 1]),
            .. BgpBytes.Communities(0xFDEA000A, 0xFDEA000B), .. s_extended, .. s_large, .. BgpBytes.Attribute(0xC0, 200, 1, 2, 3, 4),
        ];
        byte[] head = [.. BgpBytes.Origin(2), .. s_path];
        byte[] next6 = [.. BgpBytes.Address("2001:db8:99::2"), .. BgpBytes.Address("fe80::2")];
        return
        [
            // Enough with the same attributes to fill more than one message.
            .. Enumerable.Range(0, 20).SelectMany(i => BgpBytes.Update([], [.. head, .. BgpBytes.NextHop("10.99.0.2"), .. rest], Many(to, i))),
            .. Enumerable.Range(0, 20).SelectMany(i => BgpBytes.Update([], [.. head, .. rest, .. BgpBytes.MpReach(2, next6, Many6(to, i))], [])),
            .. BgpBytes.Update([], [.. BgpBytes.Origin(), .. BgpBytes.AsPath(65002), .. BgpBytes.NextHop("10.99.0.2")], to.Nlri(1, "198.51.100.0/24")),
            .. BgpBytes.Update([], [.. BgpBytes.Origin(), .. BgpBytes.AsPath(65002), .. BgpBytes.MpReach(2, next6.AsSpan(0, 16), to.Nlri(2, "2001:db8:51::/48"))], []),
            .. BgpBytes.EndOfRib(1), .. BgpBytes.EndOfRib(2),
        ];
    }

    /// <summary>From a client of the reflector, already reflected once before.</summary>
    private static byte[] InternalRoutes(RawPeer to)
    {
        byte[] attributes =
        [
            .. BgpBytes.Origin(1), .. BgpBytes.AsPath(4200000007, 65009), .. BgpBytes.Attribute(0x80, 4, BgpBytes.Number32(5)), .. BgpBytes.Attribute(0x40, 5, BgpBytes.Number32(200)),
            .. BgpBytes.Attribute(0x80, 9, 10, 255, 9, 9), .. BgpBytes.Attribute(0x80, 10, 10, 255, 8, 8),
        ];
        return
        [
            .. BgpBytes.Update([], [.. attributes, .. BgpBytes.NextHop("10.99.0.3")], to.Nlri(1, "203.0.113.0/24", "203.0.113.128/25")),
            .. BgpBytes.Update([], [.. attributes, .. BgpBytes.MpReach(2, BgpBytes.Address("2001:db8:99::3"), to.Nlri(2, "2001:db8:113::/48"))], []),
            .. BgpBytes.EndOfRib(1), .. BgpBytes.EndOfRib(2),
        ];
    }

    private static byte[] Withdrawals(RawPeer to) =>
    [
        .. BgpBytes.Update([.. to.Nlri(1, "198.51.100.0/24"), .. Many(to, 3)], [], []),
        .. BgpBytes.Update([], BgpBytes.MpUnreach(2, [.. to.Nlri(2, "2001:db8:51::/48"), .. Many6(to, 3)]), []),
    ];

    private static byte[] Many(RawPeer to, int block) => to.Nlri(1, [.. Enumerable.Range(0, 150).Select(i => $"100.{64 + block}.{i}.0/24")]);

    private static byte[] Many6(RawPeer to, int block) => to.Nlri(2, [.. Enumerable.Range(0, 150).Select(i => $"2001:db8:{1000 + block}:{i}::/64")]);

    private static string Settings(string router, params (string Name, string Address, uint As, string More)[] neighbors) => $"""
        [router]
        router-id = {Lab.WeftIPv4}
        {router}
        run-dir = RUN_DIR
        install-routes = no
        restart-time = 0s
        networks = 10.65.0.0/26, 2001:db8:65::/64

        """ + string.Join('\n', neighbors.Select(static n => $"""
        [neighbor:{n.Name}]
        address = {n.Address}
        remote-as = {n.As}
        families = ipv4, ipv6
        passive = yes
        {n.More}
        """));

    private static async Task<(string File, Daemon Dumpcap)> CaptureAsync(Lab lab)
    {
        string file = Path.Combine(lab.Folder, "wire.pcapng");
        Daemon dumpcap = lab.Own(new Daemon("dumpcap", lab.WeftNamespace, "dumpcap", "-q", "-i", "eth0", "-f", "tcp port 179", "-w", file));
        await Shell.EventuallyAsync("the capture runs", () => Task.FromResult(File.Exists(file)), () => Task.FromResult(dumpcap.Log));
        return (file, dumpcap);
    }

    /// <summary>Lines of tshark's table of remarks that concern BGP.</summary>
    private static async Task<IEnumerable<string>> RemarksAsync(string capture, string filter, string octets) =>
        (await TsharkAsync("-r", capture, "-q", "-o", $"bgp.asn_len:{octets} octet", "-z", $"expert,note,{filter}")).Split('\n')
            .Where(static l => l.Contains(" BGP ", StringComparison.Ordinal) || l.Contains("alformed", StringComparison.Ordinal));

    private static async Task<HashSet<int>> FieldAsync(string capture, string filter, string field) =>
    [
        .. (await TsharkAsync("-r", capture, "-Y", filter, "-T", "fields", "-e", field)).Split([',', '\n'], StringSplitOptions.RemoveEmptyEntries)
            .Select(static v => int.Parse(v, CultureInfo.InvariantCulture)),
    ];

    private static Task<string> TsharkAsync(params string[] arguments) => Shell.RunAsync("tshark", arguments);
}
