using System.Buffers.Binary;

namespace Weft.Bgp.Wire;

/// <summary>
/// The capabilities of an OPEN (RFC 5492): code, length, value, one after another. Repeated ones add up; a later value of the same kind wins where they cannot.
/// </summary>
internal static class Capabilities
{
    private const byte Multiprotocol = 1;
    private const byte RouteRefresh = 2;
    private const byte ExtendedNextHop = 5;
    private const byte ExtendedMessage = 6;
    private const byte Role = 9;
    private const byte GracefulRestart = 64;
    private const byte FourOctetAs = 65;
    private const byte AddPath = 69;
    private const byte EnhancedRouteRefresh = 70;
    private const byte LongLivedGracefulRestart = 71;
    private const byte RouteRefreshOld = 128;

    private const byte ForwardingBit = 0x80;
    private const ushort RestartBit = 0x8000;
    private const ushort NotificationBit = 0x4000;
    private const int LongestStaleTime = 0xFFFFFF;

    /// <summary>
    /// Adds what is said to <paramref name="open"/>; false when a length runs over the end. A capability of the wrong length is ignored (RFC 5492 leaves it open;
    /// refusing the session over it helps nobody).
    /// </summary>
    public static bool Read(ReadOnlySpan<byte> capabilities, ref OpenMessage open)
    {
        while (!capabilities.IsEmpty)
        {
            if (capabilities.Length < 2 || capabilities[1] > capabilities.Length - 2)
            {
                return false;
            }

            ReadOnlySpan<byte> value = capabilities.Slice(2, capabilities[1]);
            open = ReadOne(capabilities[0], value, open);
            capabilities = capabilities[(2 + value.Length)..];
        }

        return true;
    }

    private static OpenMessage ReadOne(byte code, ReadOnlySpan<byte> value, OpenMessage open) => (code, value.Length) switch
    {
        (Multiprotocol, 4) => open with { HasMultiprotocol = true, Families = open.Families | Family(value, value[3]) },
        (FourOctetAs, 4) => open with { FourOctetAs = true, As = BinaryPrimitives.ReadUInt32BigEndian(value) },
        (RouteRefresh or RouteRefreshOld, 0) => open with { RouteRefresh = true },
        (EnhancedRouteRefresh, 0) => open with { EnhancedRouteRefresh = true },
        (ExtendedMessage, 0) => open with { ExtendedMessages = true },
        (Role, 1) => open with
        {
            Role = value[0] <= (byte)BgpRole.Peer ? (BgpRole)value[0] : open.Role,
            RolesContradict = open.RolesContradict || value[0] > (byte)BgpRole.Peer || (open.Role is { } before && before != (BgpRole)value[0]),
        },
        (ExtendedNextHop, _) => ReadExtendedNextHop(value, open),
        (AddPath, _) => ReadAddPath(value, open),
        (GracefulRestart, >= 2) => ReadGracefulRestart(value, open),
        (LongLivedGracefulRestart, _) => ReadLongLived(value, open),
        _ => open,
    };

    /// <summary>RFC 8950 4: AFI 2, SAFI 2, AFI of the next hop 2.</summary>
    private static OpenMessage ReadExtendedNextHop(ReadOnlySpan<byte> value, OpenMessage open)
    {
        AddressFamilies families = open.IPv6NextHops;
        for (; value.Length >= 6; value = value[6..])
        {
            bool overIPv6 = value[2] == 0 && BinaryPrimitives.ReadUInt16BigEndian(value[4..]) == 2;
            families |= overIPv6 ? Family(value, value[3]) & AddressFamilies.IPv4 : AddressFamilies.None;
        }

        return open with { IPv6NextHops = families };
    }

    /// <summary>RFC 7911 4: AFI 2, SAFI 1, 1 receive, 2 send, 3 both; other values void the entry.</summary>
    private static OpenMessage ReadAddPath(ReadOnlySpan<byte> value, OpenMessage open)
    {
        (AddressFamilies receive, AddressFamilies send) = (open.AddPathReceive, open.AddPathSend);
        for (; value.Length >= 4; value = value[4..])
        {
            AddressFamilies family = Family(value, value[2]);
            receive |= value[3] is 1 or 3 ? family : AddressFamilies.None;
            send |= value[3] is 2 or 3 ? family : AddressFamilies.None;
        }

        return open with { AddPathReceive = receive, AddPathSend = send };
    }

    private static OpenMessage ReadGracefulRestart(ReadOnlySpan<byte> value, OpenMessage open)
    {
        ushort first = BinaryPrimitives.ReadUInt16BigEndian(value);
        AddressFamilies families = AddressFamilies.None;
        AddressFamilies kept = AddressFamilies.None;
        for (ReadOnlySpan<byte> rest = value[2..]; rest.Length >= 4; rest = rest[4..])
        {
            AddressFamilies family = Family(rest, rest[2]);
            families |= family;
            kept |= (rest[3] & ForwardingBit) != 0 ? family : AddressFamilies.None;
        }

        return open with
        {
            GracefulRestart = true,
            Restarting = (first & RestartBit) != 0,
            RestartNotifications = (first & NotificationBit) != 0,
            RestartTime = (ushort)(first & 0x0FFF),
            RestartFamilies = families,
            ForwardingKept = kept,
        };
    }

    /// <summary>RFC 9494 3.1: AFI 2, SAFI 1, flags 1, stale time 3.</summary>
    private static OpenMessage ReadLongLived(ReadOnlySpan<byte> value, OpenMessage open)
    {
        open = open with { LongLived = open.LongLived || value.Length % 7 == 0 };
        for (; value.Length >= 7; value = value[7..])
        {
            AddressFamilies family = Family(value, value[2]);
            uint seconds = BinaryPrimitives.ReadUInt32BigEndian(value[3..]) & LongestStaleTime;
            open = open with
            {
                LongLivedFamilies = open.LongLivedFamilies | family,
                LongLivedKept = open.LongLivedKept | ((value[3] & ForwardingBit) != 0 ? family : AddressFamilies.None),
                LongLivedTimeIPv4 = family == AddressFamilies.IPv4 ? seconds : open.LongLivedTimeIPv4,
                LongLivedTimeIPv6 = family == AddressFamilies.IPv6 ? seconds : open.LongLivedTimeIPv6,
            };
        }

        return open;
    }

    /// <summary>Writes all of them; returns the octets used, at most 120.</summary>
    public static int Write(OpenMessage open, Span<byte> destination)
    {
        var writer = new Writer(destination);
        foreach (AddressFamilies family in stackalloc AddressFamilies[] { AddressFamilies.IPv4, AddressFamilies.IPv6 })
        {
            if (open.HasMultiprotocol && (open.Families & family) != 0)
            {
                writer.Put(Multiprotocol, [0, Afi(family), 0, 1]);
            }
        }

        writer.PutIf(open.RouteRefresh, RouteRefresh);
        writer.PutIf(open.EnhancedRouteRefresh, EnhancedRouteRefresh);
        writer.PutIf(open.ExtendedMessages, ExtendedMessage);
        if ((open.IPv6NextHops & AddressFamilies.IPv4) != 0)
        {
            writer.Put(ExtendedNextHop, [0, 1, 0, 1, 0, 2]);
        }

        if (open.Role is BgpRole role)
        {
            writer.Put(Role, [(byte)role]);
        }

        if (open.GracefulRestart)
        {
            int flags = (open.Restarting ? RestartBit : 0) | (open.RestartNotifications ? NotificationBit : 0) | open.RestartTime & 0x0FFF;
            writer.PutFamilies(GracefulRestart, [(byte)(flags >> 8), (byte)flags], open.RestartFamilies, family => [(byte)((open.ForwardingKept & family) != 0 ? ForwardingBit : 0)]);
        }

        if (open.LongLived || open.LongLivedFamilies != AddressFamilies.None)
        {
            writer.PutFamilies(LongLivedGracefulRestart, [], open.LongLivedFamilies, family => LongLivedEntry(open, family));
        }

        if ((open.AddPathReceive | open.AddPathSend) is var both and not AddressFamilies.None)
        {
            writer.PutFamilies(AddPath, [], both, family => [(byte)(((open.AddPathReceive & family) != 0 ? 1 : 0) | ((open.AddPathSend & family) != 0 ? 2 : 0))]);
        }

        if (open.FourOctetAs)
        {
            Span<byte> value = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(value, open.As);
            writer.Put(FourOctetAs, value);
        }

        return writer.Length;
    }

    private static byte[] LongLivedEntry(OpenMessage open, AddressFamilies family)
    {
        uint seconds = Math.Min(family == AddressFamilies.IPv4 ? open.LongLivedTimeIPv4 : open.LongLivedTimeIPv6, LongestStaleTime);
        return [(byte)((open.LongLivedKept & family) != 0 ? ForwardingBit : 0), (byte)(seconds >> 16), (byte)(seconds >> 8), (byte)seconds];
    }

    private static AddressFamilies Family(ReadOnlySpan<byte> afi, byte safi) => OpenMessage.Family(BinaryPrimitives.ReadUInt16BigEndian(afi), safi);

    private static byte Afi(AddressFamilies family) => family == AddressFamilies.IPv4 ? (byte)1 : (byte)2;

    private ref struct Writer(Span<byte> destination)
    {
        private readonly Span<byte> _destination = destination;

        public int Length { get; private set; }

        public void PutIf(bool wanted, byte code)
        {
            if (wanted)
            {
                Put(code, []);
            }
        }

        public void Put(byte code, scoped ReadOnlySpan<byte> value)
        {
            _destination[Length] = code;
            _destination[Length + 1] = (byte)value.Length;
            value.CopyTo(_destination[(Length + 2)..]);
            Length += 2 + value.Length;
        }

        /// <summary>A head, then for each family its AFI, SAFI and what <paramref name="entry"/> adds.</summary>
        public void PutFamilies(byte code, scoped ReadOnlySpan<byte> head, AddressFamilies families, Func<AddressFamilies, byte[]> entry)
        {
            byte[] value = [.. head, .. EntryOf(AddressFamilies.IPv4), .. EntryOf(AddressFamilies.IPv6)];
            Put(code, value);

            byte[] EntryOf(AddressFamilies family) => (families & family) == 0 ? [] : [0, Afi(family), 1, .. entry(family)];
        }
    }
}
