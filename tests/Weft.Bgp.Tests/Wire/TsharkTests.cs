using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Weft.Bgp.Export;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Wire;

/// <summary>What we write, judged by tshark.</summary>
public sealed class TsharkTests
{
    [Fact]
    public async Task EveryMessageWeWrite_IsDecodedByTshark_WithoutARemark()
    {
        byte[] room = new byte[4096];
        List<byte[]> messages = [];
        void Add(int length) => messages.Add(room[..length].ToArray());
        Add(new OpenMessage
        {
            As = 4200000001,
            HoldTime = 90,
            RouterId = IpAddress.Parse("10.0.0.1"),
            HasMultiprotocol = true,
            Families = AddressFamilies.Both,
            FourOctetAs = true,
            RouteRefresh = true,
            ExtendedMessages = true,
            GracefulRestart = true,
            RestartTime = 120,
            RestartFamilies = AddressFamilies.Both,
            ForwardingKept = AddressFamilies.IPv4,
            RestartNotifications = true,
            LongLivedFamilies = AddressFamilies.Both,
            LongLivedKept = AddressFamilies.IPv6,
            LongLivedTimeIPv4 = 3600,
            LongLivedTimeIPv6 = 16777215,
            EnhancedRouteRefresh = true,
            AddPathReceive = AddressFamilies.Both,
            AddPathSend = AddressFamilies.IPv4,
            IPv6NextHops = AddressFamilies.IPv4,
            Role = BgpRole.Customer,
        }.Write(room));
        Add(KeepaliveMessage.Write(room));
        Add(RouteRefreshMessage.Write(room, AddressFamilies.IPv6));
        Add(NotificationMessage.Write(room, new BgpError(ErrorCode.Cease, Subcode.AdministrativeShutdown, ErrorText.ShutdownCommunication("back at noon"))));
        Add(UpdateWriter.WriteEndOfRib(room, IpFamily.IPv4));
        Add(UpdateWriter.WriteEndOfRib(room, IpFamily.IPv6));
        messages.AddRange(Updates(IpFamily.IPv4, "203.0.113.0/24"));
        messages.AddRange(Updates(IpFamily.IPv6, "2001:db8:7::/48"));

        JsonArray packets = await DecodeAsync(messages);

        Assert.Equal(messages.Count, packets.Count);
        string text = packets.ToJsonString();
        Assert.DoesNotContain("malformed", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("_ws.expert", text);
        Assert.Contains("back at noon", text);
        Assert.Equal(["4200000001"], Vectors.Values(packets[0], "bgp.cap.4as"));
        Assert.Equal(["1", "2", "5", "6", "9", "64", "65", "69", "70", "71"], Vectors.Values(packets[0], "bgp.cap.type").Distinct().OrderBy(int.Parse));
        Assert.Equal(["65001", "65010"], Vectors.Values(packets[6], "bgp.update.path_attribute.as_path_segment.as4"));
        Assert.Equal(["203.0.113.0"], Vectors.Values(packets[6], "bgp.nlri_prefix"));
        Assert.Equal(["203.0.113.0"], Vectors.Values(packets[7], "bgp.withdrawn_prefix"));
        Assert.Equal(["2001:db8:7::"], Vectors.Values(packets[8], "bgp.mp_reach_nlri_ipv6_prefix"));
        Assert.Equal(["2001:db8::1"], Vectors.Values(packets[8], "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6"));
        Assert.Equal(["2001:db8:7::"], Vectors.Values(packets[9], "bgp.mp_unreach_nlri_ipv6_prefix"));
    }

    [Theory]
    [InlineData(IpFamily.IPv4)]
    [InlineData(IpFamily.IPv6)]
    public async Task PathIdentifiers_AreUnderstood(IpFamily family)
    {
        List<byte[]> messages = Updates(family, family == IpFamily.IPv4 ? "203.0.113.0/24" : "2001:db8:7::/48", static s => s with { AddPathSend = AddressFamilies.Both });

        JsonArray packets = await DecodeAsync(messages);

        string text = packets.ToJsonString();
        Assert.Equal(2, packets.Count);
        Assert.DoesNotContain("malformed", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("_ws.expert", text);
        Assert.All(packets, static p => Assert.Equal(["1"], Vectors.Values(p, "bgp.nlri_path_id")));
        Assert.Contains(family == IpFamily.IPv4 ? "203.0.113.0" : "2001:db8:7::", text);
    }

    [Fact]
    public async Task IPv4RouteWithIPv6NextHop_IsUnderstood()
    {
        List<byte[]> messages = Updates(IpFamily.IPv4, "203.0.113.0/24", static s => s with
        {
            IPv6NextHops = AddressFamilies.IPv4, LocalAddress = IpAddress.Parse("2001:db8::1"), LocalLinkLocal = IpAddress.Parse("fe80::1"),
        });

        JsonArray packets = await DecodeAsync(messages);

        string text = packets.ToJsonString();
        Assert.DoesNotContain("malformed", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("_ws.expert", text);
        Assert.Equal(["203.0.113.0"], Vectors.Values(packets[0], "bgp.mp_reach_nlri_ipv4_prefix"));
        Assert.Equal(["2001:db8::1"], Vectors.Values(packets[0], "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6"));
        Assert.Equal(["203.0.113.0"], Vectors.Values(packets[1], "bgp.withdrawn_prefix"));
    }

    /// <summary>An announcement with every attribute kind, and its withdrawal, taken from what a member is sent.</summary>
    private static List<byte[]> Updates(IpFamily family, string prefix, Func<NegotiatedSession, NegotiatedSession>? with = null)
    {
        var rib = new RibHarness(family);
        rib.Up("a", "10.0.0.10", 65010);
        var tap = new Tap();
        rib.Up("b", "10.0.0.20", 65020);
        NegotiatedSession session = rib["b"].Session! with { LocalAddress = IpAddress.Parse(family == IpFamily.IPv4 ? "10.0.0.1" : "2001:db8::1") };
        rib.Rib.PeerUp(rib["b"].Id, with?.Invoke(session) ?? session, tap, static () => { });
        byte[] extra =
        [
            0x40, 6, 0, 0xC0, 7, 8, 0, 0, 0xFD, 0xF2, 10, 0, 0, 10, 0xC0, 8, 8, 0xFD, 0xF2, 0, 1, 0xFD, 0xF2, 0, 2,
            0xC0, 16, 8, 0, 2, 0xFD, 0xF2, 0, 0, 0, 9, 0xC0, 32, 12, 0, 0, 0xFD, 0xF2, 0, 0, 0, 1, 0, 0, 0, 2,
        ];
        byte[] nlri = RibHarness.Nlri(prefix);
        byte[] reach = [0x80, 14, (byte)(21 + nlri.Length), 0, 2, 1, 16, 0x20, 1, 0xD, 0xB8, .. new byte[10], 0, 9, 0, .. nlri];
        byte[] announce = family == IpFamily.IPv4
            ? Messages.Update([], [.. Messages.Origin, .. Messages.AsPath(65010), .. Messages.NextHop, .. extra], nlri)
            : Messages.Update([], [.. reach, .. Messages.Origin, .. Messages.AsPath(65010), .. extra], []);
        byte[] withdraw = family == IpFamily.IPv4
            ? Messages.Update(nlri, [], [])
            : Messages.Update([], [0x80, 15, (byte)(3 + nlri.Length), 0, 2, 1, .. nlri], []);
        rib.Settle();
        tap.Messages.Clear();
        rib.Receive("a", announce);
        rib.Settle();
        rib.Receive("a", withdraw);
        rib.Settle();
        Assert.Equal(2, tap.Messages.Count);
        return tap.Messages;
    }

    private static async Task<JsonArray> DecodeAsync(List<byte[]> messages)
    {
        string folder = Directory.CreateTempSubdirectory("weft-tshark-").FullName;
        try
        {
            var dump = new StringBuilder();
            foreach (byte[] message in messages)
            {
                for (int at = 0; at < message.Length; at += 16)
                {
                    dump.Append($"{at:x6}").AppendJoin("", message.Skip(at).Take(16).Select(static b => $" {b:x2}")).Append('\n');
                }

                dump.Append('\n');
            }

            await File.WriteAllTextAsync($"{folder}/dump.txt", dump.ToString());
            await RunAsync("text2pcap", "-q", "-T", "4000,179", "-4", "10.0.0.1,10.0.0.2", $"{folder}/dump.txt", $"{folder}/dump.pcap");
            string json = await RunAsync("tshark", "-r", $"{folder}/dump.pcap", "-d", "tcp.port==179,bgp", "-o", "tcp.desegment_tcp_streams:FALSE",
                "-o", "tcp.analyze_sequence_numbers:FALSE", "-T", "json", "-J", "bgp _ws.expert _ws.malformed", "--no-duplicate-keys");
            return JsonNode.Parse(json)!.AsArray();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new InvalidOperationException($"start {program}: no process; this test needs Debian's tshark");
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program}: {await errors}");
        return output;
    }

    private sealed class Tap : IBlockSink
    {
        public List<byte[]> Messages { get; } = [];

        public void Send(EncodedBlock block, GroupMember member)
        {
            ReadOnlySpan<byte> bytes = block.Bytes.AsSpan(0, block.Length);
            while (!bytes.IsEmpty)
            {
                Assert.Null(MessageFramer.CheckHeader(bytes, 65535, out int length));
                Messages.Add(bytes[..length].ToArray());
                bytes = bytes[length..];
            }

            block.Release();
            member.Returned();
        }
    }
}
