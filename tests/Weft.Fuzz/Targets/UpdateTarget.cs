using System.Buffers.Binary;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;
using Weft.Testing.Bgp;

namespace Weft.Fuzz.Targets;

/// <summary>UPDATE in every kind of session: whatever is not answered by a reset yields batches whose blocks and prefixes are valid to the last octet.</summary>
internal sealed class UpdateTarget : FuzzTarget
{
    private static readonly PeerSettings s_settings = new() { Name = "p", Address = IpAddress.Parse("10.0.0.2"), RemoteAs = 65002, EnforceFirstAs = false };

    private readonly UpdateBatchPool _pool = new();
    private readonly UpdateDecoder[] _decoders;

    public UpdateTarget()
    {
        NegotiatedSession external = Messages.Session();
        NegotiatedSession[] sessions =
        [
            external, Messages.Session(remoteAs: 65001), Messages.Session(fourOctet: false), external with { Families = AddressFamilies.IPv4 },
            external with { Families = AddressFamilies.IPv6, ExtendedMessages = false },
            external with { AddPathReceive = AddressFamilies.Both },
            external with { IPv6NextHops = AddressFamilies.IPv4, LocalRole = BgpRole.Customer, RemoteRole = BgpRole.Provider },
            external with { HasConfederation = true, IsConfederation = true, AddPathReceive = AddressFamilies.IPv6 },
        ];
        _decoders = [.. sessions.Select(s => new UpdateDecoder(_pool, (PeerId)1, s, s_settings, NullLogger.Instance))];
    }

    public override string Name => "update";

    public override bool IsBgp => true;

    public override IEnumerable<byte[]> Seeds => UpdateSeeds.All();

    public override ulong Run(byte[] input)
    {
        if (input.Length < 23 || input[18] != 2 || MessageFramer.CheckHeader(input, 65535, out int length) is not null || length > input.Length)
        {
            return 0;
        }

        ulong signature = 1;
        foreach (UpdateDecoder decoder in _decoders)
        {
            DecodeResult result = decoder.Decode(input.AsSpan(0, length), out byte[] data);
            Require(data.Length <= length, "NOTIFICATION data longer than the message");
            signature = Mix(signature, (ulong)result.Action << 24 | (ulong)result.Attribute << 16 | (ulong)result.Code << 8 | result.Subcode);
            (UpdateBatch? ipv4, UpdateBatch? ipv6) = (decoder.IPv4, decoder.IPv6);
            (decoder.IPv4, decoder.IPv6) = (null, null);
            signature = Mix(signature, Check(ipv4, result));
            signature = Mix(signature, Check(ipv6, result));
        }

        return signature;
    }

    private ulong Check(UpdateBatch? batch, DecodeResult result)
    {
        if (batch is null)
        {
            return 0;
        }

        ulong signature = 7;
        foreach (BatchRecord record in batch.Records)
        {
            signature = Mix(signature, (ulong)record.Kind << 8 | Magnitude(record.NlriLength));
            if (record.Kind == BatchRecordKind.Announce)
            {
                // A next hop that is us spoils the routes of its own family alone; everything else spoils the UPDATE.
                Require(
                    result.Action is DecodeAction.None or DecodeAction.DiscardAttribute || result.Subcode == Subcode.InvalidNextHop,
                    "a route announced by an UPDATE that is to be treated as withdrawn");
                signature = Mix(signature, CheckBlock(batch.Bytes.Slice(record.AttributesAt, record.AttributesLength)));
            }
        }

        _pool.Return(batch);
        return signature;
    }

    /// <summary>Walks a canonical block with nothing of weft's but the layout its documentation promises.</summary>
    private static ulong CheckBlock(ReadOnlySpan<byte> block)
    {
        ulong signature = 11;
        Require(block[0] is 4 or 16 or 32, "a next hop of an impossible length");
        int at = 1 + block[0];
        int last = -1; // Type 0 is reserved, and passed on as any unknown one.
        while (at < block.Length)
        {
            byte flags = block[at];
            byte type = block[at + 1];
            bool extended = (flags & 0x10) != 0;
            int length = extended ? BinaryPrimitives.ReadUInt16BigEndian(block[(at + 2)..]) : block[at + 2];
            at += extended ? 4 : 3;
            Require(type > last, "attributes not in rising order");
            Require(at + length <= block.Length, "an attribute that leaves its block");
            Require(extended == length > 255, "extended length where one octet does, or the other way round");
            Require(type is not (3 or 14 or 15 or 17 or 18), "an attribute that has no place in a canonical block");
            CheckValue(type, block.Slice(at, length));
            signature = Mix(signature, (ulong)type << 16 | (ulong)flags << 8 | Magnitude(length));
            at += length;
            last = type;
        }

        return signature;
    }

    private static void CheckValue(byte type, ReadOnlySpan<byte> value)
    {
        bool fits = type switch
        {
            1 => value.Length == 1 && value[0] <= 2,
            2 => IsPath(value),
            4 or 5 or 9 => value.Length == 4,
            6 => value.IsEmpty,
            7 => value.Length == 8 && BinaryPrimitives.ReadUInt32BigEndian(value) != 0,
            8 or 10 => value.Length > 0 && value.Length % 4 == 0,
            16 => value.Length > 0 && value.Length % 8 == 0,
            32 => value.Length > 0 && value.Length % 12 == 0,
            _ => true,
        };
        Require(fits, $"attribute {type} was accepted with the value {Convert.ToHexString(value)}");
    }

    private static bool IsPath(ReadOnlySpan<byte> path)
    {
        while (!path.IsEmpty)
        {
            if (path.Length < 2 || path[0] is < 1 or > 4 || path[1] == 0 || path.Length < 2 + 4 * path[1])
            {
                return false;
            }

            for (int i = 0; i < path[1]; i++)
            {
                if (BinaryPrimitives.ReadUInt32BigEndian(path[(2 + 4 * i)..]) == 0)
                {
                    return false;
                }
            }

            path = path[(2 + 4 * path[1])..];
        }

        return true;
    }
}
