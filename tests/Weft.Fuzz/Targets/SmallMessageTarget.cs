using Weft.Bgp;
using Weft.Bgp.Wire;
using Weft.Testing.Bgp;

namespace Weft.Fuzz.Targets;

/// <summary>NOTIFICATION and ROUTE-REFRESH, and the words an operator reads of them.</summary>
internal sealed class SmallMessageTarget : FuzzTarget
{
    public override string Name => "small-message";

    public override bool IsBgp => true;

    public override IEnumerable<byte[]> Seeds =>
    [
        BgpBytes.Notification(6, 2, [12, .. "back at noon"u8]),
        BgpBytes.Notification(6, 9, 6, 4, 2, 0x68, 0x69),
        BgpBytes.Notification(3, 1), BgpBytes.Notification(2, 7, 1, 4, 0, 1, 0, 1), BgpBytes.Notification(6, 1, 0, 1, 1, 0, 0, 0, 9), BgpBytes.Notification(1, 2, 0, 18),
        BgpBytes.RouteRefresh(1), BgpBytes.RouteRefresh(2, 1), BgpBytes.RouteRefresh(2, 2), BgpBytes.Message(5, 0, 1, 0, 1, 1, 2, 3),
    ];

    public override IReadOnlyList<byte[]> Words => [[0xC3, 0x28], [0xF0, 0x9F, 0x92, 0xA9], [0xED, 0xA0, 0x80], [0], [10], [27, 91, 50, 74]];

    public override ulong Run(byte[] input)
    {
        if (input.Length < BgpBytes.HeaderLength || input[18] is not (3 or 5) || MessageFramer.CheckHeader(input, 65535, out int length) is not null || length > input.Length)
        {
            return 0;
        }

        ReadOnlySpan<byte> message = input.AsSpan(0, length);
        if (message[18] == 5)
        {
            bool read = RouteRefreshMessage.TryRead(message, out AddressFamilies family, out RouteRefreshSubtype subtype);
            return Mix(read ? 2UL : 1, (ulong)family << 8 | (byte)subtype);
        }

        BgpError error = NotificationMessage.Read(message);
        string text = error.ToString();
        Require(text.Length > 0 && text.Length < 8192, "a NOTIFICATION without words, or with a book");
        Require(!text.Any(char.IsControl), "control characters of a peer reach the operator's terminal");
        Span<byte> room = stackalloc byte[4096];
        int written = NotificationMessage.Write(room, error);
        Require(MessageFramer.CheckHeader(room[..written], 4096, out int size) is null && size == written, "our NOTIFICATION has a bad header");
        return Mix((ulong)error.Code << 8 | error.Subcode, Magnitude(text.Length) << 8 | Magnitude(error.Data.Length));
    }
}
