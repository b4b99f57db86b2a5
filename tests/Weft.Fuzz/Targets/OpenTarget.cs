using Weft.Bgp.Wire;
using Weft.Testing.Bgp;

namespace Weft.Fuzz.Targets;

/// <summary>OPEN: what is accepted can be written and read again without a loss.</summary>
internal sealed class OpenTarget : FuzzTarget
{
    public override string Name => "open";

    public override bool IsBgp => true;

    public override IEnumerable<byte[]> Seeds =>
    [
        BgpBytes.Open(65001, "10.0.0.1", 90),
        BgpBytes.Open(
            4200000001, "10.0.0.1", 90, BgpBytes.Multiprotocol(1), BgpBytes.Multiprotocol(2), BgpBytes.Capability(2), BgpBytes.Capability(70), BgpBytes.Capability(6),
            BgpBytes.FourOctetAs(4200000001), BgpBytes.Capability(64, 0x40, 120, 0, 1, 1, 0x80, 0, 2, 1, 0), BgpBytes.Capability(69, 0, 1, 1, 3, 0, 2, 1, 1),
            BgpBytes.Capability(5, 0, 1, 0, 1, 0, 2), BgpBytes.Capability(9, 3), BgpBytes.Capability(71, 0, 1, 1, 0x80, 0, 0, 60), BgpBytes.Capability(73, 1, 65, 0)),
        BgpBytes.Message(1, [4, 0xFD, 0xE9, 0, 90, 10, 0, 0, 1, 255, 255, 0, 9, 2, 0, 6, 65, 4, 0, 0, 0xFD, 0xE9]),
    ];

    public override IReadOnlyList<byte[]> Words => [[2, 6, 65, 4], [1, 4, 0, 1, 0, 1], [64, 2, 0, 0], [69, 4, 0, 1, 1, 3], [255, 255], [9, 1, 3], [70, 0], [128, 0], [71, 7], [5, 6]];

    public override ulong Run(byte[] input)
    {
        if (input.Length < BgpBytes.HeaderLength || input[18] != 1 || MessageFramer.CheckHeader(input, 4096, out int length) is not null || length != input.Length)
        {
            return 0;
        }

        OpenMessage? open = OpenMessage.Read(input, out BgpError? error);
        if (open is null)
        {
            Require(error is not null, "refused without an error");
            return Mix(2, (ulong)error!.Code << 8 | error.Subcode);
        }

        Span<byte> room = stackalloc byte[4096];
        byte[] written = room[..open.Write(room)].ToArray();
        Require(MessageFramer.CheckHeader(written, 4096, out int size) is null && size == written.Length, "our OPEN has a bad header");
        OpenMessage? again = OpenMessage.Read(written, out _);
        Require(again is not null, "our OPEN is not readable");
        byte[] twice = room[..again!.Write(room)].ToArray();
        Require(written.AsSpan().SequenceEqual(twice), "an OPEN changes from one reading to the next");
        ulong signature = 3;
        foreach (byte b in written.AsSpan(29))
        {
            signature = Mix(signature, b > 128 ? 200UL : b);
        }

        return signature;
    }
}
