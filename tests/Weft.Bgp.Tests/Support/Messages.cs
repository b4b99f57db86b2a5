using System.Buffers.Binary;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Support;

/// <summary>Builds messages octet by octet and decodes them the way a receiver does.</summary>
internal static class Messages
{
    public static readonly byte[] Origin = [0x40, 1, 1, 0];
    public static readonly byte[] NextHop = [0x40, 3, 4, 10, 0, 0, 2];

    public static byte[] AsPath(params uint[] ases)
    {
        byte[] attribute = new byte[3 + (ases.Length == 0 ? 0 : 2 + 4 * ases.Length)];
        attribute[0] = 0x40;
        attribute[1] = 2;
        attribute[2] = (byte)(attribute.Length - 3);
        if (ases.Length != 0)
        {
            attribute[3] = 2;
            attribute[4] = (byte)ases.Length;
            for (int i = 0; i < ases.Length; i++)
            {
                BinaryPrimitives.WriteUInt32BigEndian(attribute.AsSpan(5 + 4 * i), ases[i]);
            }
        }

        return attribute;
    }

    public static byte[] Update(byte[] withdrawn, byte[] attributes, byte[] nlri)
    {
        byte[] message = [.. new byte[19], (byte)(withdrawn.Length >> 8), (byte)withdrawn.Length, .. withdrawn,
            (byte)(attributes.Length >> 8), (byte)attributes.Length, .. attributes, .. nlri];
        MessageFramer.WriteHeader(message, MessageType.Update, message.Length);
        return message;
    }

    public static NegotiatedSession Session(uint localAs = 65001, uint remoteAs = 65002, bool fourOctet = true) => new()
    {
        LocalAs = localAs,
        RemoteAs = remoteAs,
        RemoteRouterId = IpAddress.Parse("10.0.0.2"),
        LocalAddress = IpAddress.Parse("10.0.0.1"),
        RemoteAddress = IpAddress.Parse("10.0.0.2"),
        HoldTime = TimeSpan.FromSeconds(90),
        KeepaliveTime = TimeSpan.FromSeconds(30),
        Families = AddressFamilies.Both,
        FourOctetAs = fourOctet,
        RouteRefresh = true,
        ExtendedMessages = true,
    };

    /// <summary>The outcome and what would be posted to the RIBs.</summary>
    public static (DecodeResult Result, Decoded Routes) Decode(byte[] message, NegotiatedSession session, bool enforceFirstAs = false)
    {
        var settings = new PeerSettings { Name = "p", Address = session.RemoteAddress, RemoteAs = session.RemoteAs, EnforceFirstAs = enforceFirstAs };
        var decoder = new UpdateDecoder(new UpdateBatchPool(), (PeerId)1, session, settings, NullLogger.Instance);
        DecodeResult result = decoder.Decode(message, out _);
        var routes = new Decoded();
        routes.Take(decoder.IPv4);
        routes.Take(decoder.IPv6);
        return (result, routes);
    }
}

/// <summary>A batch spelled out.</summary>
internal sealed class Decoded
{
    public List<(IpPrefix Prefix, byte[] Block)> Announced { get; } = [];

    public List<IpPrefix> Withdrawn { get; } = [];

    public List<IpFamily> EndOfRib { get; } = [];

    /// <summary>Path identifiers of <see cref="Announced"/>, one each; 0 without ADD-PATH.</summary>
    public List<uint> AnnouncedIds { get; } = [];

    /// <summary>Path identifiers of <see cref="Withdrawn"/>.</summary>
    public List<uint> WithdrawnIds { get; } = [];

    public void Take(UpdateBatch? batch)
    {
        if (batch is null)
        {
            return;
        }

        foreach (BatchRecord record in batch.Records)
        {
            if (record.Kind == BatchRecordKind.EndOfRib)
            {
                EndOfRib.Add(batch.Family);
            }

            byte[] block = batch.Bytes.Slice(record.AttributesAt, record.AttributesLength).ToArray();
            var nlri = new NlriReader(batch.Bytes.Slice(record.NlriAt, record.NlriLength), batch.Family, batch.HasPathIds);
            while (nlri.MoveNext())
            {
                if (record.Kind == BatchRecordKind.Announce)
                {
                    AnnouncedIds.Add(nlri.CurrentPathId);
                    Announced.Add((nlri.Current.ToPrefix(batch.Family), block));
                }
                else
                {
                    WithdrawnIds.Add(nlri.CurrentPathId);
                    Withdrawn.Add(nlri.Current.ToPrefix(batch.Family));
                }
            }
        }
    }
}
