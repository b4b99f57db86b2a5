using Microsoft.Extensions.Logging;
using Weft.Bgp.Rib;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Session;

/// <summary>
/// One UPDATE after another into the open batch of each family. Pure but for the batches; owned by one receiver. RFC 7606's answers end here: discarded attributes are
/// not written, routes treated as withdrawn become withdrawals, and only a reset goes back to the caller.
/// </summary>
internal sealed class UpdateDecoder
{
    private readonly UpdateBatchPool _pool;
    private readonly PeerId _peer;
    private readonly NegotiatedSession _session;
    private readonly bool _enforceFirstAs;
    private readonly bool _marks;
    private readonly AttributeContext _context;
    private readonly bool _linkLocalHops;
    private readonly ILogger _logger;
    private readonly string _name;

    public UpdateDecoder(UpdateBatchPool pool, PeerId peer, NegotiatedSession session, PeerSettings settings, ILogger logger)
    {
        _pool = pool;
        _peer = peer;
        _session = session;
        _enforceFirstAs = settings.EnforceFirstAs && !session.IsInternal;
        _context = new AttributeContext(session.IsInternal, session.FourOctetAs, session.Families, session.IsConfederation, session.HasConfederation)
        {
            IPv6NextHops = session.IPv6NextHops,
            PathIds = session.AddPathReceive,
        };
        _linkLocalHops = session.IPv6NextHops != AddressFamilies.None && session.RemoteAddress is { IsIPv6: true, IsLinkLocal: true };
        _marks = OnlyToCustomer.MarksReceived(session.LocalRole);
        _logger = logger;
        _name = settings.Name;
    }

    /// <summary>Batches being filled; taken by the receiver when it posts them.</summary>
    public UpdateBatch? IPv4 { get; set; }

    public UpdateBatch? IPv6 { get; set; }

    public bool HasFullBatch => IPv4 is { IsFull: true } || IPv6 is { IsFull: true };

    /// <summary>Decodes a whole message. A result of <see cref="DecodeAction.SessionReset"/> must be answered by a NOTIFICATION with <paramref name="data"/>.</summary>
    public DecodeResult Decode(ReadOnlySpan<byte> message, out byte[] data)
    {
        data = [];
        DecodeResult result = UpdateReader.Read(message, out UpdateReader update);
        if (result.Action == DecodeAction.SessionReset)
        {
            return result;
        }

        bool ipv4 = (_session.Families & AddressFamilies.IPv4) != 0;
        bool pathIds = HasPathIds(IpFamily.IPv4);
        if (NlriReader.Count(update.Withdrawn, IpFamily.IPv4, pathIds) < 0 || NlriReader.Count(update.Nlri, IpFamily.IPv4, pathIds) < 0)
        {
            // RFC 7606 3 j: prefixes that cannot be found cannot be withdrawn either.
            return DecodeResult.Update(DecodeAction.SessionReset, Subcode.InvalidNetworkField, 0);
        }

        if (update.Withdrawn.IsEmpty && update.Nlri.IsEmpty && update.Attributes.IsEmpty)
        {
            // RFC 4724 2.
            BatchOf(IpFamily.IPv4).AddEndOfRib();
            return result;
        }

        result = AttributeReader.Read(update.Attributes, _context, !update.Nlri.IsEmpty, out AttributeReader attributes);
        if (result.Action == DecodeAction.SessionReset)
        {
            data = Offender(update.Attributes, result);
            return result;
        }

        if (ipv4 && !update.Withdrawn.IsEmpty)
        {
            BatchOf(IpFamily.IPv4).AddWithdraw(update.Withdrawn);
        }

        if (!attributes.UnreachNlri.IsEmpty)
        {
            BatchOf(attributes.UnreachFamily).AddWithdraw(attributes.UnreachNlri);
        }
        else if (attributes.IsOnlyUnreach && attributes.UnreachFamily != IpFamily.None && update.Nlri.IsEmpty && update.Withdrawn.IsEmpty)
        {
            BatchOf(attributes.UnreachFamily).AddEndOfRib();
        }

        if (ipv4 && !update.Nlri.IsEmpty)
        {
            result = result.Or(Announce(IpFamily.IPv4, in attributes, attributes.NextHop, update.Attributes.Length, update.Nlri, result));
        }

        if (!attributes.ReachNlri.IsEmpty)
        {
            result = result.Or(Announce(attributes.ReachFamily, in attributes, OnLink(attributes.ReachNextHop), update.Attributes.Length, attributes.ReachNlri, result));
        }

        if (result.Action != DecodeAction.None)
        {
            Log.UpdateError(_logger, _name, result.Action == DecodeAction.TreatAsWithdraw ? "treated as withdrawal" : "lost an attribute",
                result.Attribute, (byte)result.Code, result.Subcode);
        }

        return result;
    }

    /// <summary>RFC 7313: between the routes told before and those told after.</summary>
    public void AddRefreshMark(AddressFamilies family, BatchRecordKind kind) => BatchOf(family == AddressFamilies.IPv4 ? IpFamily.IPv4 : IpFamily.IPv6).AddMark(kind);

    /// <summary>
    /// Between neighbours that know each other by the link alone (RFC 8950, unnumbered), the link-local half of a next hop is what both surely have; the global half may
    /// belong to a subnet that is not ours.
    /// </summary>
    private ReadOnlySpan<byte> OnLink(ReadOnlySpan<byte> nextHop) =>
        _linkLocalHops && nextHop.Length == 32 && IpAddress.FromBytes(nextHop[16..]).IsLinkLocal ? nextHop[16..] : nextHop;

    private DecodeResult Announce(
        IpFamily family, in AttributeReader attributes, ReadOnlySpan<byte> nextHop, int attributesLength, ReadOnlySpan<byte> nlri, DecodeResult result)
    {
        UpdateBatch batch = BatchOf(family);
        if (result.Action == DecodeAction.TreatAsWithdraw)
        {
            batch.AddWithdraw(nlri);
            return result;
        }

        Span<byte> room = batch.Room(4 * attributesLength + 64 + nlri.Length);
        int length = attributes.WriteCanonical(nextHop, room);
        if (_marks)
        {
            length = OnlyToCustomer.Insert(room, length, _session.RemoteAs);
        }

        DecodeResult semantic = Check(room[..length], nextHop);
        if (semantic.Action == DecodeAction.TreatAsWithdraw)
        {
            batch.AddWithdraw(nlri);
            return semantic;
        }

        batch.AddAnnounce(length, nlri);
        return result;
    }

    /// <summary>What only the session can judge: the first AS, and a next hop that is us (RFC 4271 6.3).</summary>
    private DecodeResult Check(ReadOnlySpan<byte> block, ReadOnlySpan<byte> nextHop)
    {
        if (block.Length > ushort.MaxValue)
        {
            return DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.MalformedAttributeList, 0);
        }

        if (_enforceFirstAs && FirstAs(CanonicalAttributes.Find(block, AttributeType.AsPath)) != _session.RemoteAs)
        {
            return DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.MalformedAsPath, 0, (byte)AttributeType.AsPath);
        }

        int length = nextHop.Length == 4 ? 4 : 16;
        bool own = _session.LocalAddress.ByteLength == length && IpAddress.FromBytes(nextHop[..length]) == _session.LocalAddress;
        return own ? DecodeResult.Update(DecodeAction.TreatAsWithdraw, Subcode.InvalidNextHop, 0, (byte)AttributeType.NextHop) : DecodeResult.Ok;
    }

    /// <summary>RFC 5065 5.1: from another member AS a path begins with that AS in AS_CONFED_SEQUENCE.</summary>
    private uint FirstAs(ReadOnlySpan<byte> path) => _session.IsConfederation ? AsPath.FirstMember(path) : AsPath.First(path);

    private UpdateBatch BatchOf(IpFamily family) => family == IpFamily.IPv4
        ? IPv4 ??= _pool.Rent(_peer, IpFamily.IPv4, HasPathIds(IpFamily.IPv4))
        : IPv6 ??= _pool.Rent(_peer, IpFamily.IPv6, HasPathIds(IpFamily.IPv6));

    private bool HasPathIds(IpFamily family) => (_session.AddPathReceive & (family == IpFamily.IPv4 ? AddressFamilies.IPv4 : AddressFamilies.IPv6)) != 0;

    /// <summary>RFC 4271 6.3: the data field holds the attribute at fault, whole.</summary>
    private static byte[] Offender(ReadOnlySpan<byte> attributes, DecodeResult result)
    {
        ReadOnlySpan<byte> rest = attributes[Math.Min(result.Offset, attributes.Length)..];
        if (rest.Length < 4 || result.Subcode == Subcode.MalformedAttributeList)
        {
            return [];
        }

        bool extended = (rest[0] & AttributeFlags.ExtendedLength) != 0;
        int length = extended ? 4 + (rest[2] << 8 | rest[3]) : 3 + rest[2];
        return rest[..Math.Min(length, rest.Length)].ToArray();
    }
}
