using System.Buffers.Binary;
using System.Text.Json.Nodes;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Wire;

/// <summary>Messages of BIRD and GoBGP: our reader must see what tshark sees.</summary>
public sealed class VectorTests
{
    public static TheoryData<string> Files() =>
        [.. Directory.GetFiles(Path.Combine(Vectors.Folder, "wire"), "*.hex").Select(static f => Path.GetFileName(f)).Order()];

    [Theory]
    [MemberData(nameof(Files))]
    public void MessageOfAnotherImplementation_IsReadAsTsharkReadsIt(string file)
    {
        string path = Path.Combine(Vectors.Folder, "wire", file);
        byte[] message = Vectors.Hex(path);
        string judge = Path.ChangeExtension(path, ".json");
        JsonNode? json = File.Exists(judge) ? JsonNode.Parse(File.ReadAllText(judge)) : null;

        BgpError? header = MessageFramer.CheckHeader(message, 4096, out int length);

        Assert.Null(header);
        Assert.Equal(message.Length, length);
        switch ((MessageType)message[18])
        {
            case MessageType.Open:
                CheckOpen(message, json!);
                break;
            case MessageType.Update:
                CheckUpdate(message, json, Path.GetFileNameWithoutExtension(file));
                break;
            case MessageType.Notification:
                BgpError error = NotificationMessage.Read(message);
                Assert.Equal(Vectors.Values(json, "bgp.notify.major_error"), [((byte)error.Code).ToString()]);
                Assert.All(Vectors.Values(json, "bgp.notify.communication"), text => Assert.Contains(text, error.ToString()));
                break;
            default:
                break;
        }
    }

    private static void CheckOpen(byte[] message, JsonNode json)
    {
        OpenMessage? open = OpenMessage.Read(message, out BgpError? error);

        Assert.Null(error);
        Assert.NotNull(open);
        Assert.Equal(Vectors.Values(json, "bgp.cap.4as"), [open.As.ToString()]);
        Assert.Equal(Vectors.Values(json, "bgp.open.identifier"), [open.RouterId.ToString()]);
        Assert.Equal(Vectors.Values(json, "bgp.open.holdtime"), [open.HoldTime.ToString()]);
        Assert.Equal(Vectors.Values(json, "bgp.cap.mp.afi").Contains("2"), (open.Families & AddressFamilies.IPv6) != 0);
        Assert.Equal(Vectors.Values(json, "bgp.cap.type").Contains("64"), open.GracefulRestart);
        Assert.Equal(Vectors.Values(json, "bgp.cap.type").Contains("6"), open.ExtendedMessages);
        Assert.Equal(Vectors.Values(json, "bgp.cap.type").Contains("2"), open.RouteRefresh);
    }

    private static void CheckUpdate(byte[] message, JsonNode? json, string name)
    {
        bool internalSession = name.Contains("bird-");
        NegotiatedSession session = Messages.Session(65001, internalSession ? 65001 : name.Contains("gobgp") ? 4200000002 : 65001) with
        {
            LocalAs = internalSession ? 65001u : 64512u,
            LocalAddress = IpAddress.Parse("10.255.255.1"),
        };

        (DecodeResult result, Decoded routes) = Messages.Decode(message, session, enforceFirstAs: !internalSession);

        bool extendedNextHop = Vectors.Values(json, "bgp.mp_reach_nlri_ipv4_prefix").Count != 0
            && Vectors.Values(json, "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6").Count != 0;
        if (extendedNextHop)
        {
            // RFC 8950 was negotiated there and is not here: RFC 7606 7.11.
            Assert.Equal((DecodeAction.SessionReset, Subcode.OptionalAttribute), (result.Action, result.Subcode));
            return;
        }

        Assert.Equal(DecodeAction.None, result.Action);
        if (json is null)
        {
            return;
        }

        Assert.Equal(Prefixes(json, "bgp.nlri_prefix", "bgp.mp_reach_nlri_ipv4_prefix", "bgp.mp_reach_nlri_ipv6_prefix"),
            routes.Announced.Select(static r => r.Prefix.ToString()).Order());
        Assert.Equal(Prefixes(json, "bgp.withdrawn_prefix", "bgp.mp_unreach_nlri_ipv4_prefix", "bgp.mp_unreach_nlri_ipv6_prefix"),
            routes.Withdrawn.Select(static p => p.ToString()).Order());
        if (routes.Announced.Count != 0)
        {
            CheckAttributes(routes.Announced[0].Block, json, internalSession);
        }
    }

    private static void CheckAttributes(byte[] block, JsonNode json, bool internalSession)
    {
        Assert.Equal(Vectors.Values(json, "bgp.update.path_attribute.origin"), [CanonicalAttributes.Find(block, AttributeType.Origin)[0].ToString()]);
        string path = AsPath.ToText(CanonicalAttributes.Find(block, AttributeType.AsPath)).Replace("{", "").Replace("}", "");
        Assert.Equal(string.Join(' ', Vectors.Values(json, "bgp.update.path_attribute.as_path_segment.as4")), path);
        AssertNumber(json, "bgp.update.path_attribute.multi_exit_disc", block, AttributeType.Med);
        if (internalSession)
        {
            AssertNumber(json, "bgp.update.path_attribute.local_pref", block, AttributeType.LocalPreference);
        }

        ReadOnlySpan<byte> nextHop = new CanonicalAttributes(block).NextHop;
        string[] hops =
        [
            .. Vectors.Values(json, "bgp.update.path_attribute.next_hop"),
            .. Vectors.Values(json, "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv4"),
            .. Vectors.Values(json, "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6"),
        ];
        Assert.Equal(hops[0], IpAddress.FromBytes(nextHop[..Math.Min(16, nextHop.Length)]).ToString());
        ReadOnlySpan<byte> communities = CanonicalAttributes.Find(block, AttributeType.Communities);
        List<string> ases = Vectors.Values(json, "bgp.update.path_attribute.community_as");
        List<string> values = Vectors.Values(json, "bgp.update.path_attribute.community_value");
        for (int i = 0; i < ases.Count; i++)
        {
            Assert.True(AttributeRewriter.Contains(communities, uint.Parse(ases[i]) << 16 | uint.Parse(values[i])));
        }

        List<string> large = Vectors.Values(json, "bgp.large_communities.ga");
        ReadOnlySpan<byte> largeOctets = CanonicalAttributes.Find(block, AttributeType.LargeCommunities);
        Assert.Equal(large.Count * 12, largeOctets.Length);
        Assert.Equal(large, large.Count == 0 ? [] : [BinaryPrimitives.ReadUInt32BigEndian(largeOctets).ToString()]);
        List<string> aggregator = Vectors.Values(json, "bgp.update.path_attribute.aggregator_as");
        ReadOnlySpan<byte> aggregatorOctets = CanonicalAttributes.Find(block, AttributeType.Aggregator);
        Assert.Equal(aggregator, aggregatorOctets.IsEmpty ? [] : [BinaryPrimitives.ReadUInt32BigEndian(aggregatorOctets).ToString()]);
        Assert.Equal(Vectors.Values(json, "bgp.ext_com.value_an4").Count * 8, CanonicalAttributes.Find(block, AttributeType.ExtendedCommunities).Length);
    }

    private static void AssertNumber(JsonNode json, string key, byte[] block, AttributeType type)
    {
        ReadOnlySpan<byte> value = CanonicalAttributes.Find(block, type);
        Assert.Equal(Vectors.Values(json, key), value.IsEmpty ? [] : [BinaryPrimitives.ReadUInt32BigEndian(value).ToString()]);
    }

    private static IEnumerable<string> Prefixes(JsonNode json, params string[] keys)
    {
        List<string> found = [];
        Walk(json);
        return found.Order();

        void Walk(JsonNode? node)
        {
            if (node is JsonArray list)
            {
                foreach (JsonNode? item in list)
                {
                    Walk(item);
                }
            }
            else if (node is JsonObject map)
            {
                foreach (string key in keys)
                {
                    if (map.ContainsKey(key))
                    {
                        found.Add($"{map[key]}/{map["bgp.prefix_length"]}");
                    }
                }

                foreach ((_, JsonNode? value) in map)
                {
                    Walk(value);
                }
            }
        }
    }
}
