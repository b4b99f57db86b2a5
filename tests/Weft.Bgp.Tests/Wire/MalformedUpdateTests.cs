using Weft.Bgp.Rib;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Wire;

/// <summary>RFC 7606, attribute by attribute.</summary>
public sealed class MalformedUpdateTests
{
    private static readonly byte[] Nlri = [24, 192, 0, 2];

    public static TheoryData<string, byte[], byte, byte> Cases() => new()
    {
        // name, attribute put behind ORIGIN, AS_PATH and NEXT_HOP, action, subcode
        { "origin of 3", [0x40, 1, 1, 3], (byte)DecodeAction.TreatAsWithdraw, Subcode.InvalidOrigin },
        { "origin of two octets", [0x40, 1, 2, 0, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.AttributeLength },
        { "origin marked optional", [0xC0, 1, 1, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.AttributeFlags },
        { "AS_PATH with an empty segment", [0x40, 2, 2, 2, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.MalformedAsPath },
        { "AS_PATH with an unknown segment", [0x40, 2, 6, 9, 1, 0, 0, 0, 1], (byte)DecodeAction.TreatAsWithdraw, Subcode.MalformedAsPath },
        { "AS_PATH one octet too long", [0x40, 2, 7, 2, 1, 0, 0, 0, 1, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.MalformedAsPath },
        { "AS_PATH with AS 0", [0x40, 2, 10, 2, 2, 0, 0, 0xFD, 0xEA, 0, 0, 0, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.MalformedAsPath },
        { "AGGREGATOR of AS 0", [0xC0, 7, 8, 0, 0, 0, 0, 10, 0, 0, 1], (byte)DecodeAction.DiscardAttribute, Subcode.OptionalAttribute },
        { "next hop of three octets", [0x40, 3, 3, 10, 0, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.AttributeLength },
        { "next hop 224.0.0.1", [0x40, 3, 4, 224, 0, 0, 1], (byte)DecodeAction.TreatAsWithdraw, Subcode.InvalidNextHop },
        { "MED of three octets", [0x80, 4, 3, 0, 0, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.AttributeLength },
        { "ATOMIC_AGGREGATE with a value", [0x40, 6, 1, 0], (byte)DecodeAction.DiscardAttribute, Subcode.OptionalAttribute },
        { "AGGREGATOR of seven octets", [0xC0, 7, 7, 0, 0, 0, 0, 0, 0, 0], (byte)DecodeAction.DiscardAttribute, Subcode.OptionalAttribute },
        { "communities of three octets", [0xC0, 8, 3, 0, 0, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.AttributeLength },
        { "communities of none", [0xC0, 8, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.AttributeLength },
        { "extended communities of four octets", [0xC0, 16, 4, 0, 0, 0, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.AttributeLength },
        { "large communities of eight octets", [0xC0, 32, 8, 0, 0, 0, 0, 0, 0, 0, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.AttributeLength },
        { "AS4_PATH from a four-octet speaker", [0xC0, 17, 6, 2, 1, 0, 0, 0, 1], (byte)DecodeAction.DiscardAttribute, Subcode.OptionalAttribute },
        { "unknown well-known attribute", [0x40, 99, 1, 0], (byte)DecodeAction.SessionReset, Subcode.UnrecognizedWellKnown },
        { "attribute longer than the section", [0xC0, 8, 200, 0], (byte)DecodeAction.TreatAsWithdraw, Subcode.AttributeLength },
        { "two octets of an attribute", [0xC0, 8], (byte)DecodeAction.TreatAsWithdraw, Subcode.MalformedAttributeList },
        { "ORIGIN twice", [0x40, 1, 1, 0, 0x40, 1, 1, 1], (byte)DecodeAction.DiscardAttribute, Subcode.MalformedAttributeList },
        { "MP_REACH with an IPv6 next hop of 15 octets", [0x80, 14, 20, 0, 2, 1, 15, .. new byte[16]], (byte)DecodeAction.SessionReset, Subcode.OptionalAttribute },
        { "MP_REACH with a prefix of 129 bits", [0x80, 14, 22, 0, 2, 1, 16, 0x20, .. new byte[16], 129], (byte)DecodeAction.SessionReset, Subcode.OptionalAttribute },
        { "MP_UNREACH of two octets", [0x80, 15, 2, 0, 2], (byte)DecodeAction.SessionReset, Subcode.OptionalAttribute },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void DefectiveAttribute_GetsTheAnswerOfItsRfc(string name, byte[] attribute, byte action, byte subcode)
    {
        // The attribute under test replaces the good one of its type.
        List<byte[]> attributes = [Messages.Origin, Messages.AsPath(65002), Messages.NextHop];
        attributes.RemoveAll(a => attribute.Length > 1 && a[1] == attribute[1]);
        byte[] message = Messages.Update([], [.. attributes.SelectMany(static a => a), .. attribute], Nlri);

        (DecodeResult result, Decoded routes) = Messages.Decode(message, Messages.Session());

        Assert.True((DecodeAction)action == result.Action, name);
        Assert.Equal(subcode, result.Subcode);
        Assert.Equal((DecodeAction)action == DecodeAction.DiscardAttribute ? 1 : 0, routes.Announced.Count);
        Assert.Equal((DecodeAction)action == DecodeAction.TreatAsWithdraw ? 1 : 0, routes.Withdrawn.Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void MissingMandatoryAttribute_WithdrawsRoutes_KeepsSession(byte missing)
    {
        byte[][] all = [Messages.Origin, Messages.AsPath(65002), Messages.NextHop];
        byte[] message = Messages.Update([], [.. all.Where(a => a[1] != missing).SelectMany(static a => a)], Nlri);

        (DecodeResult result, Decoded routes) = Messages.Decode(message, Messages.Session());

        Assert.Equal((DecodeAction.TreatAsWithdraw, missing), (result.Action, result.Attribute));
        Assert.Equal([IpPrefix.Parse("192.0.2.0/24")], routes.Withdrawn);
    }

    [Fact]
    public void LocalPreferenceFromExternalPeer_IsDiscardedUnread()
    {
        byte[] message = Messages.Update([], [.. Messages.Origin, .. Messages.AsPath(65002), .. Messages.NextHop, 0x40, 5, 4, 0, 0, 1, 0], Nlri);

        (DecodeResult result, Decoded routes) = Messages.Decode(message, Messages.Session());

        Assert.Equal(DecodeAction.None, result.Action);
        Assert.True(CanonicalAttributes.Find(routes.Announced[0].Block, AttributeType.LocalPreference).IsEmpty);
    }

    [Fact]
    public void UnknownTransitiveAttribute_IsKeptWithPartial_UnknownNonTransitive_IsDropped()
    {
        byte[] message = Messages.Update([], [.. Messages.Origin, .. Messages.AsPath(65002), .. Messages.NextHop, 0x80, 98, 1, 7, 0xC0, 99, 1, 8], Nlri);

        (_, Decoded routes) = Messages.Decode(message, Messages.Session());

        var attributes = new CanonicalAttributes(routes.Announced[0].Block);
        byte last = 0;
        byte flags = 0;
        while (attributes.MoveNext())
        {
            (last, flags) = (attributes.Type, attributes.Flags);
            Assert.NotEqual(98, attributes.Type);
        }

        Assert.Equal((99, 0xE0), (last, flags));
    }

    [Fact]
    public void FirstAsOfAnotherPeer_WithdrawsRoutes()
    {
        byte[] message = Messages.Update([], [.. Messages.Origin, .. Messages.AsPath(65003), .. Messages.NextHop], Nlri);

        (DecodeResult result, Decoded routes) = Messages.Decode(message, Messages.Session(), enforceFirstAs: true);

        Assert.Equal((DecodeAction.TreatAsWithdraw, Subcode.MalformedAsPath), (result.Action, result.Subcode));
        Assert.Single(routes.Withdrawn);
    }

    [Theory]
    [InlineData(new byte[] { 33, 1, 2, 3, 4, 5 })]
    [InlineData(new byte[] { 24, 192, 0 })]
    public void NlriThatCannotBeFound_ResetsTheSession(byte[] nlri)
    {
        byte[] message = Messages.Update([], [.. Messages.Origin, .. Messages.AsPath(65002), .. Messages.NextHop], nlri);

        (DecodeResult result, _) = Messages.Decode(message, Messages.Session());

        Assert.Equal((DecodeAction.SessionReset, Subcode.InvalidNetworkField), (result.Action, result.Subcode));
    }

    [Fact]
    public void EndOfRib_IsSeen_InBothFamilies()
    {
        byte[] room = new byte[64];
        byte[] ipv4 = room[..UpdateWriter.WriteEndOfRib(room, IpFamily.IPv4)];
        byte[] ipv6 = room[..UpdateWriter.WriteEndOfRib(room, IpFamily.IPv6)];

        Assert.Equal([IpFamily.IPv4], Messages.Decode(ipv4, Messages.Session()).Routes.EndOfRib);
        Assert.Equal([IpFamily.IPv6], Messages.Decode(ipv6, Messages.Session()).Routes.EndOfRib);
    }

    [Fact]
    public void TwoOctetPath_IsMergedWithAs4Path()
    {
        // AS_PATH 100 AS_TRANS AS_TRANS, AS4_PATH 4200000001 4200000002: one two-octet speaker put itself in front.
        byte[] path = [0x40, 2, 8, 2, 3, 0, 100, 0x5B, 0xA0, 0x5B, 0xA0];
        byte[] as4 = [0xC0, 17, 10, 2, 2, 0xFA, 0x56, 0xEA, 0x01, 0xFA, 0x56, 0xEA, 0x02];
        byte[] message = Messages.Update([], [.. Messages.Origin, .. path, .. Messages.NextHop, .. as4], Nlri);

        (DecodeResult result, Decoded routes) = Messages.Decode(message, Messages.Session(fourOctet: false));

        Assert.Equal(DecodeAction.None, result.Action);
        Assert.Equal("100 4200000001 4200000002", AsPath.ToText(CanonicalAttributes.Find(routes.Announced[0].Block, AttributeType.AsPath)));
    }

    [Fact]
    public void RandomBytes_NeverThrow_AlwaysHaveAnOutcome()
    {
        Gen.Select(Gen.Byte.Array[0, 120], Gen.Byte.Array[0, 60], Gen.Byte.Array[0, 40], Gen.Bool).Sample((attributes, withdrawn, nlri, four) =>
        {
            (DecodeResult result, _) = Messages.Decode(Messages.Update(withdrawn, attributes, nlri), Messages.Session(fourOctet: four), enforceFirstAs: true);
            return Enum.IsDefined(result.Action) && (result.Action == DecodeAction.None) == (result.Code == ErrorCode.None);
        }, iter: 20000);
    }

    [Fact]
    public void DamagedGoodUpdate_NeverThrows_AcceptedMeansValid()
    {
        byte[] good = Messages.Update([24, 10, 9, 9], [.. Messages.Origin, .. Messages.AsPath(65002, 65003), .. Messages.NextHop, 0x80, 4, 4, 0, 0, 0, 9,
            0xC0, 8, 4, 1, 2, 3, 4, 0x80, 14, 26, 0, 2, 1, 16, 0x20, 1, 0xD, 0xB8, .. new byte[12], 0, 32, 0x20, 1, 0xD, 0xB8], Nlri);
        Gen.Select(Gen.Int[19, good.Length - 1], Gen.Byte, Gen.Int[19, good.Length - 1], Gen.Byte).Sample((at1, b1, at2, b2) =>
        {
            byte[] bad = [.. good];
            bad[at1] = b1;
            bad[at2] = b2;
            (DecodeResult result, Decoded routes) = Messages.Decode(bad, Messages.Session(), enforceFirstAs: true);
            foreach ((_, byte[] block) in routes.Announced)
            {
                Assert.True(AsPath.IsWellFormed(CanonicalAttributes.Find(block, AttributeType.AsPath), 4));
                Assert.Equal(1, CanonicalAttributes.Find(block, AttributeType.Origin).Length);
            }

            Assert.False(result.Action == DecodeAction.TreatAsWithdraw && routes.Announced.Count != 0);
        }, iter: 20000);
    }

    [Fact]
    public void RandomBytes_AtTheFramer_NeverThrow()
    {
        Gen.Byte.Array[0, 64].Sample(bytes =>
        {
            var sequence = new System.Buffers.ReadOnlySequence<byte>(bytes);
            FrameStatus status = MessageFramer.TryRead(in sequence, 4096, out _, out BgpError? error);
            return status != FrameStatus.Bad || error is not null;
        });
        Gen.Byte.Array[10, 120].Sample(body =>
        {
            byte[] message = [.. new byte[19], .. body];
            MessageFramer.WriteHeader(message, MessageType.Open, message.Length);
            OpenMessage? open = OpenMessage.Read(message, out BgpError? error);
            return (open is null) == (error is not null);
        });
    }
}
