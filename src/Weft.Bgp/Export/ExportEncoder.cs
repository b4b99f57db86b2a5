using System.Buffers.Binary;
using Weft.Bgp.Rib;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Export;

/// <summary>
/// Turns a canonical block into the attributes a peer gets: the rules of RFC 4271 5 and RFC 4456 8 that belong to the session, not to policy. Runs once per run of
/// prefixes with equal attributes and source.
/// </summary>
internal static class ExportEncoder
{
    /// <summary>Which of the attributes policy set, so that the session's own rules leave them alone.</summary>
    internal readonly record struct PolicyTouch(bool NextHop, bool Med);

    /// <summary>RFC 4271 9.2, RFC 4456 6, RFC 1997, RFC 9234 5: may the route leave by this session at all?</summary>
    public static bool MayExport(ExportProfile profile, RibPeer source, AttributeMarks marks)
    {
        if ((marks & AttributeMarks.NoAdvertise) != 0 || (!profile.IsInterior && (marks & AttributeMarks.NoExport) != 0)
            || (profile.IsConfederation && (marks & AttributeMarks.NoExportSubconfed) != 0))
        {
            return false;
        }

        if ((marks & AttributeMarks.OnlyToCustomer) != 0 && OnlyToCustomer.Bars(profile.Role))
        {
            return false;
        }

        // RFC 9494 4.6.
        if ((marks & AttributeMarks.LongLivedStale) != 0 && !profile.KnowsLongLived && !profile.LongLivedToAll)
        {
            return false;
        }

        bool reflects = profile.IsInternal && source.IsInternal && source.Id != PeerId.Local;
        return !reflects || profile.IsClient || source.IsClient;
    }

    /// <summary>Writes the attributes. Returns their length, or -1 when no next hop of ours fits the family.</summary>
    /// <param name="peers">Every configured peer, for the third-party rule: nobody is told to use itself.</param>
    /// <param name="nextHop">An IPv6 address: the octets for MP_REACH_NLRI, written into <paramref name="nextHopRoom"/>; IPv4: empty, NEXT_HOP is among the attributes.</param>
    public static int Write(
        ExportProfile profile,
        RibPeer source,
        ReadOnlySpan<byte> block,
        PolicyTouch touch,
        RibPeers peers,
        IpFamily family,
        Span<byte> destination,
        Span<byte> nextHopRoom,
        out ReadOnlySpan<byte> nextHop)
    {
        var attributes = new CanonicalAttributes(block);
        int nextHopLength = WriteNextHop(profile, source, attributes.NextHop, touch.NextHop, peers, family, nextHopRoom);
        nextHop = default;
        if (nextHopLength == 0)
        {
            return -1;
        }

        ReadOnlySpan<byte> hop = nextHopRoom[..nextHopLength];
        nextHop = nextHopLength == 4 ? default : hop;
        bool reflected = profile.IsInternal && source.IsInternal && source.Id != PeerId.Local;
        var writer = new AttributeWriter(destination, 0);
        var missing = new Missing { NextHop = nextHopLength == 4, LocalPreference = profile.IsInterior, Originator = reflected, Cluster = reflected, OnlyToCustomer = OnlyToCustomer.MarksSent(profile.Role) };
        bool lostAs = false;
        while (attributes.MoveNext())
        {
            WriteMissingBelow(ref writer, ref missing, attributes.Type, profile, source, hop);
            ReadOnlySpan<byte> value = attributes.Value;
            switch ((AttributeType)attributes.Type)
            {
                case AttributeType.Private when PrivateAttribute.Is(attributes.Type, attributes.Flags):
                    break;
                case AttributeType.AsPath:
                    lostAs = WriteAsPath(ref writer, profile, value);
                    break;
                case AttributeType.Med when !profile.IsInterior && !profile.SendMed && !touch.Med && source.Id != PeerId.Local:
                case AttributeType.LocalPreference when !profile.IsInterior:
                case AttributeType.OriginatorId or AttributeType.ClusterList when !profile.IsInternal:
                    break;
                case AttributeType.LocalPreference:
                    missing.LocalPreference = false;
                    writer.Write(attributes.Flags, attributes.Type, value);
                    break;
                case AttributeType.OriginatorId:
                    missing.Originator = false;
                    writer.Write(attributes.Flags, attributes.Type, value);
                    break;
                case AttributeType.ClusterList when reflected:
                    missing.Cluster = false;
                    WriteClusterList(ref writer, profile.ClusterId, value);
                    break;
                case AttributeType.OnlyToCustomer:
                    missing.OnlyToCustomer = false;
                    writer.Write(attributes.Flags, attributes.Type, value);
                    break;
                case AttributeType.Aggregator when !profile.FourOctetAs:
                    lostAs |= WriteNarrowAggregator(ref writer, value);
                    break;
                case AttributeType.ExtendedCommunities when !profile.IsInterior:
                    WriteTransitive(ref writer, value);
                    break;
                default:
                    writer.Write(attributes.Flags, attributes.Type, value);
                    break;
            }
        }

        WriteMissingBelow(ref writer, ref missing, byte.MaxValue, profile, source, hop);
        if (lostAs)
        {
            WriteAs4(ref writer, profile, block);
        }

        return writer.Length;
    }

    /// <summary>RFC 4271 5.1.3. Returns the octets written: 4, 16 or 32; 0 when we have no address of the family to offer.</summary>
    private static int WriteNextHop(
        ExportProfile profile, RibPeer source, ReadOnlySpan<byte> received, bool setByPolicy, RibPeers peers, IpFamily family, Span<byte> destination)
    {
        bool usable = received.Length == 4 ? family == IpFamily.IPv4 : received.Length is 16 or 32 && profile.TakesIPv6NextHop;
        if (usable && (setByPolicy || Keeps(profile, source, received, peers)))
        {
            // A link-local address says nothing beyond its own link (RFC 2545 3).
            int length = received.Length == 4 ? 4 : 16;
            received[..length].CopyTo(destination);
            return length;
        }

        if (profile.Self.Family != family && !(profile.Self.IsIPv6 && profile.TakesIPv6NextHop))
        {
            return 0;
        }

        int written = profile.Self.CopyTo(destination);
        return profile.SelfLinkLocal.Family == IpFamily.IPv6 ? written + profile.SelfLinkLocal.CopyTo(destination[written..]) : written;
    }

    /// <summary>
    /// RFC 4271 5.1.3. The same for every member of a group and at every time, or a neighbour that comes back would be told another next hop than before: so it is
    /// asked of the peers that are configured, not of those in the group just now. The source never hears of its own routes, whatever their next hop.
    /// </summary>
    private static bool Keeps(ExportProfile profile, RibPeer source, ReadOnlySpan<byte> received, RibPeers peers)
    {
        if (profile.NextHop == NextHopMode.Self)
        {
            return false;
        }

        IpAddress address = IpAddress.FromBytes(received[..(received.Length == 4 ? 4 : 16)]);
        if (address.IsUnspecified || (address.IsIPv6 && address.IsLinkLocal))
        {
            return false;
        }

        // RFC 4456 10: a reflector leaves the next hop alone. Who is named itself is not told (UpdateGroup.NextHopOwner).
        if (profile.IsInterior)
        {
            return true;
        }

        bool usable = profile.NextHop == NextHopMode.Keep || (profile.SharedSubnet.Family == address.Family && profile.SharedSubnet.Contains(address));
        return usable && (source.Address == address || peers.Find(address) == PeerId.None);
    }

    private struct Missing
    {
        public bool NextHop;
        public bool LocalPreference;
        public bool Originator;
        public bool Cluster;
        public bool OnlyToCustomer;
    }

    /// <summary>Attributes leave in rising order of type (RFC 4271 5): whatever is added goes in before the first higher one.</summary>
    private static void WriteMissingBelow(
        ref AttributeWriter writer, ref Missing missing, byte type, ExportProfile profile, RibPeer source, scoped ReadOnlySpan<byte> nextHop)
    {
        if (missing.NextHop && type > (byte)AttributeType.NextHop)
        {
            missing.NextHop = false;
            writer.Write(AttributeFlags.Transitive, (byte)AttributeType.NextHop, nextHop);
        }

        if (missing.LocalPreference && type > (byte)AttributeType.LocalPreference)
        {
            missing.LocalPreference = false;
            writer.Write(AttributeFlags.Transitive, AttributeType.LocalPreference, profile.DefaultLocalPreference);
        }

        if (missing.Originator && type > (byte)AttributeType.OriginatorId)
        {
            missing.Originator = false;
            writer.Write(AttributeFlags.Optional, AttributeType.OriginatorId, source.RouterId);
        }

        if (missing.Cluster && type > (byte)AttributeType.ClusterList)
        {
            missing.Cluster = false;
            writer.Write(AttributeFlags.Optional, AttributeType.ClusterList, profile.ClusterId);
        }

        if (missing.OnlyToCustomer && type > (byte)AttributeType.OnlyToCustomer)
        {
            missing.OnlyToCustomer = false;
            OnlyToCustomer.Write(ref writer, profile.LocalAs);
        }
    }

    /// <summary>True when ASes were lost in two octets, so AS4_PATH must follow.</summary>
    private static bool WriteAsPath(ref AttributeWriter writer, ExportProfile profile, ReadOnlySpan<byte> path)
    {
        Span<byte> value = writer.Begin(AttributeFlags.Transitive, (byte)AttributeType.AsPath);
        if (profile.FourOctetAs)
        {
            writer.End(PathOf(profile, path, value));
            return false;
        }

        Span<byte> wide = value[(path.Length + 8)..];
        int length = PathOf(profile, path, wide);
        bool lost = AsPath.Narrow(wide[..length], value, out int narrow);
        writer.End(narrow);
        return lost;
    }

    private static int PathOf(ExportProfile profile, ReadOnlySpan<byte> path, Span<byte> destination)
    {
        if (profile.IsConfederation)
        {
            return AsPath.Prepend(path, profile.LocalAs, destination, AsPath.ConfederationSequence);
        }

        if (!profile.IsInternal)
        {
            if (profile.HasConfederation)
            {
                // Where the own AS will stand in front there is room for the path before.
                Span<byte> outside = destination.Slice(6, path.Length);
                path = outside[..AsPath.WithoutConfederation(path, outside)];
            }

            return AsPath.Prepend(path, profile.LocalAs, destination);
        }

        path.CopyTo(destination);
        return path.Length;
    }

    private static bool WriteNarrowAggregator(ref AttributeWriter writer, ReadOnlySpan<byte> aggregator)
    {
        Span<byte> narrow = stackalloc byte[6];
        uint number = BinaryPrimitives.ReadUInt32BigEndian(aggregator);
        bool lost = number > ushort.MaxValue;
        BinaryPrimitives.WriteUInt16BigEndian(narrow, lost ? OpenMessage.AsTrans : (ushort)number);
        aggregator[4..].CopyTo(narrow[2..]);
        writer.Write(AttributeFlags.Optional | AttributeFlags.Transitive, (byte)AttributeType.Aggregator, narrow);
        return lost;
    }

    /// <summary>RFC 6793 4.2.2: to a speaker of two octets the full path and aggregator go beside. Order of types yields here: they stand last.</summary>
    private static void WriteAs4(ref AttributeWriter writer, ExportProfile profile, ReadOnlySpan<byte> block)
    {
        const byte Flags = AttributeFlags.Optional | AttributeFlags.Transitive;
        Span<byte> value = writer.Begin(Flags, (byte)AttributeType.As4Path);
        int length = PathOf(profile, CanonicalAttributes.Find(block, AttributeType.AsPath), value);

        // RFC 6793 3: AS4_PATH names no member of a confederation.
        writer.End(profile.HasConfederation ? AsPath.WithoutConfederation(value[..length], value) : length);
        ReadOnlySpan<byte> aggregator = CanonicalAttributes.Find(block, AttributeType.Aggregator);
        if (aggregator.Length == 8 && BinaryPrimitives.ReadUInt32BigEndian(aggregator) > ushort.MaxValue)
        {
            writer.Write(Flags, (byte)AttributeType.As4Aggregator, aggregator);
        }
    }

    /// <summary>RFC 4456 8: the own cluster id in front.</summary>
    private static void WriteClusterList(ref AttributeWriter writer, uint clusterId, ReadOnlySpan<byte> list)
    {
        Span<byte> value = writer.Begin(AttributeFlags.Optional, (byte)AttributeType.ClusterList);
        BinaryPrimitives.WriteUInt32BigEndian(value, clusterId);
        list.CopyTo(value[4..]);
        writer.End(4 + list.Length);
    }

    /// <summary>RFC 4360 6: communities whose type is not transitive stay inside the AS.</summary>
    private static void WriteTransitive(ref AttributeWriter writer, ReadOnlySpan<byte> communities)
    {
        const byte NonTransitive = 0x40;
        Span<byte> value = writer.Begin(AttributeFlags.Optional | AttributeFlags.Transitive, (byte)AttributeType.ExtendedCommunities);
        int length = 0;
        for (int at = 0; at < communities.Length; at += 8)
        {
            if ((communities[at] & NonTransitive) == 0)
            {
                communities.Slice(at, 8).CopyTo(value[length..]);
                length += 8;
            }
        }

        if (length != 0)
        {
            writer.End(length);
        }
    }
}
