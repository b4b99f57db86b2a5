using System.Buffers;
using Weft.Bgp.Wire;
using Weft.Testing.Bgp;

namespace Weft.Fuzz.Targets;

/// <summary>The byte stream cut into messages: the same messages whether it comes in one piece or in many.</summary>
internal sealed class FramerTarget : FuzzTarget
{
    public override string Name => "framer";

    public override bool IsBgp => true;

    public override IEnumerable<byte[]> Seeds =>
    [
        [.. BgpBytes.Keepalive(), .. BgpBytes.RouteRefresh(1), .. BgpBytes.Notification(6, 2, 3, 65, 66, 67), .. BgpBytes.EndOfRib(1)],
        BgpBytes.Open(65001, "10.0.0.1", 90, BgpBytes.FourOctetAs(65001)),
        BgpBytes.Message(2, new byte[4100]),
    ];

    public override ulong Run(byte[] input)
    {
        List<int> whole = [];
        ulong signature = Cut(new ReadOnlySequence<byte>(input), 4096, whole);
        List<int> pieces = [];
        ulong again = Cut(Segmented(input, 1 + input.Length % 7), 4096, pieces);
        Require(signature == again && whole.SequenceEqual(pieces), "messages depend on how the bytes arrived");
        return Mix(signature, Cut(new ReadOnlySequence<byte>(input), 65535, []));
    }

    private static ulong Cut(ReadOnlySequence<byte> buffer, int maximum, List<int> lengths)
    {
        ulong signature = 1;
        while (true)
        {
            FrameStatus status = MessageFramer.TryRead(in buffer, maximum, out ReadOnlySequence<byte> message, out BgpError? error);
            signature = Mix(signature, (ulong)status << 16 | (ulong)(error?.Code ?? 0) << 8 | (error?.Subcode ?? 0));
            if (status != FrameStatus.Complete)
            {
                return signature;
            }

            Require(message.Length >= BgpBytes.HeaderLength && message.Length <= maximum, "a message of an impossible length");
            lengths.Add((int)message.Length);
            signature = Mix(signature, message.ToArray()[18] + (Magnitude((int)message.Length) << 8));
            buffer = buffer.Slice(message.Length);
        }
    }

    private static ReadOnlySequence<byte> Segmented(byte[] input, int size)
    {
        Piece first = new(input.AsMemory(0, Math.Min(size, input.Length)), null);
        Piece last = first;
        for (int at = size; at < input.Length; at += size)
        {
            last = new Piece(input.AsMemory(at, Math.Min(size, input.Length - at)), last);
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, Piece? before)
        {
            Memory = memory;
            RunningIndex = before is null ? 0 : before.RunningIndex + before.Memory.Length;
            before?.Next = this;
        }
    }
}
