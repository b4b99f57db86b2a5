using System.Buffers.Binary;
using Weft.Bgp;
using Weft.Bgp.Rib;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;
using Weft.Testing.Bgp;

namespace Weft.Fuzz.Targets;

/// <summary>
/// A stream of UPDATEs of three peers, one with path identifiers, through a whole RIB and out to five others, alone and as a member of a confederation: what leaves must
/// be decoded again without a remark (the harness's peers see to that), and when everything is withdrawn nobody may still hold a route.
/// </summary>
internal sealed class RibTarget : FuzzTarget
{
    private static readonly string[] s_speakers = ["external", "internal", "paths"];

    private static readonly Confederation s_confederation = new() { Id = 65000, Members = [65001, 65012, 65022] };

    public override string Name => "rib";

    public override bool IsBgp => true;

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            byte[][] all = [.. UpdateSeeds.All()];
            return [.. all, all.SelectMany(static b => b).ToArray()];
        }
    }

    public override ulong Run(byte[] input)
    {
        ulong signature = Mix(Run(input, IpFamily.IPv4, null), Run(input, IpFamily.IPv6, null));
        return Mix(signature, Run(input, IpFamily.IPv4, s_confederation));
    }

    private static ulong Run(byte[] input, IpFamily family, Confederation? confederation)
    {
        var rib = new RibHarness(family, maximumPaths: 2, confederation: confederation);
        rib.Up("external", "10.0.0.10", 65010);
        rib.Up("internal", "10.0.0.11", 65001);
        rib.Up("paths", "10.0.0.12", 65012, session: static s => s with { AddPathReceive = AddressFamilies.Both });
        TestPeer[] listeners =
        [
            rib.Up("a", "10.0.0.20", 65020, session: s => s with { LocalAddress = Local(family) }),
            rib.Up("narrow", "10.0.0.21", 65021, session: s => s with { FourOctetAs = false, ExtendedMessages = false, LocalAddress = Local(family) }),
            rib.Up("reflected", "10.0.0.22", 65001, p => p with { RouteReflectorClient = true }, s => s with { LocalAddress = Local(family) }),
            rib.Up("provider", "10.0.0.23", 65023, p => p with { Role = BgpRole.Customer }, s => s with { LocalAddress = Local(family), LocalRole = BgpRole.Customer }),
            rib.Up("told paths", "10.0.0.24", 65022, session: s => s with { LocalAddress = Local(family), AddPathSend = AddressFamilies.Both }),
        ];
        rib.Settle();
        ulong signature = 5;
        ReadOnlySpan<byte> rest = input;
        int turn = 0;
        while (rest.Length >= 23 && rest[18] == 2 && MessageFramer.CheckHeader(rest, 65535, out int length) is null && length <= rest.Length)
        {
            signature = Mix(signature, Receive(rib, s_speakers[turn++ % s_speakers.Length], rest[..length]));
            rest = rest[length..];
            if (turn % 3 == 0)
            {
                rib.Settle();
            }
        }

        rib.Settle();
        foreach (TestPeer listener in listeners)
        {
            signature = Mix(signature, Magnitude(listener.Seen.Count + listener.SeenPaths.Count) << 8 | Magnitude(listener.Messages));
        }

        foreach (string speaker in s_speakers)
        {
            rib.Down(speaker);
        }

        rib.Settle();
        foreach (TestPeer listener in listeners)
        {
            int left = listener.Seen.Count + listener.SeenPaths.Count;
            Require(left == 0, $"{listener.Settings.Name} still holds {left} routes of peers that are gone");
        }

        return signature;
    }

    private static IpAddress Local(IpFamily family) => IpAddress.Parse(family == IpFamily.IPv4 ? "10.0.0.1" : "2001:db8::1");

    private static ulong Receive(RibHarness rib, string name, ReadOnlySpan<byte> message)
    {
        TestPeer peer = rib[name];
        DecodeResult result = peer.Decoder!.Decode(message, out _);
        UpdateBatch? ipv4 = peer.Decoder.IPv4;
        UpdateBatch? ipv6 = peer.Decoder.IPv6;
        (peer.Decoder.IPv4, peer.Decoder.IPv6) = (null, null);
        UpdateBatch? mine = rib.Rib.Family == IpFamily.IPv4 ? ipv4 : ipv6;
        if (result.Action != DecodeAction.SessionReset && mine is not null)
        {
            rib.Rib.OnMessage(new RibMessage(mine, null));
        }

        return (ulong)result.Action << 8 | result.Subcode;
    }
}
