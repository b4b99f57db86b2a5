using Weft.Testing.Bgp;

namespace Weft.Fuzz.Targets;

/// <summary>Good UPDATEs with every attribute kind.</summary>
internal static class UpdateSeeds
{
    public static IEnumerable<byte[]> All()
    {
        byte[] basic = [.. BgpBytes.Origin(), .. BgpBytes.AsPath(65002, 65010), .. BgpBytes.NextHop("10.0.0.2")];
        yield return BgpBytes.EndOfRib(1);
        yield return BgpBytes.EndOfRib(2);
        yield return BgpBytes.Update([], basic, BgpBytes.Nlri("192.0.2.0/24", "198.51.100.0/24"));
        yield return BgpBytes.Update(BgpBytes.Nlri("192.0.2.0/24"), [], []);
        yield return BgpBytes.Update(BgpBytes.Nlri("192.0.2.0/24"), basic, BgpBytes.Nlri("198.51.100.0/24"));
        yield return BgpBytes.Update(
            [],
            [
                .. basic, .. BgpBytes.Attribute(0x80, 4, 0, 0, 0, 5), .. BgpBytes.Attribute(0x40, 5, 0, 0, 0, 200), .. BgpBytes.Attribute(0x40, 6),
                .. BgpBytes.Attribute(0xC0, 7, 0, 0, 0xFD, 0xEA, 10, 0, 0, 9), .. BgpBytes.Communities(0xFDEA0001, 0xFFFFFF01, 0xFFFF0000),
                .. BgpBytes.Attribute(0x80, 9, 10, 0, 0, 7), .. BgpBytes.Attribute(0x80, 10, 10, 0, 0, 8, 10, 0, 0, 9),
                .. BgpBytes.Attribute(0xC0, 16, 0, 2, 0xFD, 0xEA, 0, 0, 0, 9), .. BgpBytes.Attribute(0xC0, 32, 0, 0, 0xFD, 0xEA, 0, 0, 0, 1, 0, 0, 0, 2),
                .. BgpBytes.Attribute(0xC0, 35, 0, 0, 0xFD, 0xEA), .. BgpBytes.Attribute(0xC0, 99, 1, 2, 3),
            ],
            BgpBytes.Nlri("203.0.113.0/24"));
        byte[] path = [.. BgpBytes.Origin(), .. BgpBytes.AsPath(65002)];
        byte[] global = BgpBytes.Address("2001:db8::2");
        yield return BgpBytes.Update([], [.. BgpBytes.MpReach(2, global, BgpBytes.Nlri("2001:db8:2::/48", "::/0")), .. path], []);
        yield return BgpBytes.Update([], [.. BgpBytes.MpReach(2, [.. global, .. BgpBytes.Address("fe80::2")], BgpBytes.Nlri("2001:db8:3::/48")), .. path], []);
        yield return BgpBytes.Update([], [.. BgpBytes.MpReach(1, BgpBytes.Address("10.0.0.2"), BgpBytes.Nlri("10.1.0.0/16")), .. path], []);
        yield return BgpBytes.Update([], [.. BgpBytes.MpReach(1, global, BgpBytes.Nlri("10.2.0.0/16")), .. path], []);
        yield return BgpBytes.Update([], BgpBytes.MpUnreach(2, BgpBytes.Nlri("2001:db8:2::/48")), []);

        // With AS sets and confederation segments, narrow paths with AS4_PATH, and path identifiers in front of the prefixes.
        yield return BgpBytes.Update(
            [], [.. BgpBytes.Origin(2), .. BgpBytes.Attribute(0x40, 2, 2, 1, 0, 0, 0xFD, 0xEA, 1, 2, 0, 0, 0, 9, 0, 0, 0, 8), .. BgpBytes.NextHop("10.0.0.2")], BgpBytes.Nlri("10.3.0.0/16"));
        yield return BgpBytes.Update(
            [], [.. BgpBytes.Origin(2), .. BgpBytes.Attribute(0x40, 2, 3, 1, 0, 0, 0xFD, 0xEA, 4, 1, 0, 0, 0, 9, 2, 1, 0, 0, 0, 7), .. BgpBytes.NextHop("10.0.0.2")], BgpBytes.Nlri("10.4.0.0/16"));
        yield return BgpBytes.Update(
            [],
            [.. BgpBytes.Origin(), .. BgpBytes.Attribute(0x40, 2, 2, 2, 0xFD, 0xEA, 0x5B, 0xA0), .. BgpBytes.NextHop("10.0.0.2"), .. BgpBytes.Attribute(0xC0, 7, 0x5B, 0xA0, 10, 0, 0, 1),
                .. BgpBytes.Attribute(0xC0, 17, 2, 1, 0, 2, 0, 0), .. BgpBytes.Attribute(0xC0, 18, 0, 2, 0, 0, 10, 0, 0, 1)],
            BgpBytes.Nlri("10.5.0.0/16"));
        yield return BgpBytes.Update([0, 0, 0, 1, .. BgpBytes.Nlri("10.6.0.0/16")], basic, [0, 0, 0, 7, .. BgpBytes.Nlri("10.6.0.0/16"), 0, 0, 0, 8, .. BgpBytes.Nlri("10.6.0.0/16")]);
    }
}
