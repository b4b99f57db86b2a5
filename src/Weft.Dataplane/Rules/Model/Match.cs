using Weft.Primitives.Net;

namespace Weft.Dataplane.Rules.Model;

/// <summary>
/// The match part of a rule: criteria, every one of which must hold. A value: each call returns a longer match.
/// <c>Match.All.Protocol(IpProtocol.Tcp).DestinationPorts([(80, 80)])</c>.
/// </summary>
public readonly record struct Match
{
    private readonly Criterion[]? _criteria;

    private Match(Criterion[] criteria)
    {
        _criteria = criteria;
    }

    /// <summary>Matches every packet.</summary>
    public static Match All => default;

    /// <summary>In the order in which they were added, which is the order of the text and of the kernel's work.</summary>
    public IReadOnlyList<Criterion> Criteria => _criteria ?? [];

    /// <summary>None of the bits is set.</summary>
    public Match MarkClear(uint bits) => With(new MarkCriterion(0, bits, Negated: false));

    /// <summary>At least one of the bits is set.</summary>
    public Match MarkNotClear(uint bits) => With(new MarkCriterion(0, bits, Negated: true));

    /// <summary>Every one of the bits is set.</summary>
    public Match MarkSet(uint bits) => With(new MarkCriterion(bits, bits, Negated: false));

    public Match MarkEquals(uint mark, uint mask) => With(new MarkCriterion(mark, mask, Negated: false));

    public Match MarkNotEquals(uint mark, uint mask) => With(new MarkCriterion(mark, mask, Negated: true));

    /// <param name="name">A trailing "+" matches every name that starts so.</param>
    public Match InInterface(string name) => With(new InterfaceCriterion(InterfaceWay.In, name));

    /// <inheritdoc cref="InInterface"/>
    public Match OutInterface(string name) => With(new InterfaceCriterion(InterfaceWay.Out, name));

    public Match Interface(InterfaceWay way, string name) => With(new InterfaceCriterion(way, name));

    /// <summary>The source address would not be routed back through the interface the packet came by.</summary>
    public Match ReversePathFails() => With(new ReversePathFailsCriterion());

    public Match SourceIsLocal(bool limitToOutInterface = false) => With(new LocalAddressCriterion(PacketEnd.Source, limitToOutInterface, Negated: false));

    public Match SourceIsNotLocal(bool limitToOutInterface = false) => With(new LocalAddressCriterion(PacketEnd.Source, limitToOutInterface, Negated: true));

    public Match DestinationIsLocal() => With(new LocalAddressCriterion(PacketEnd.Destination, LimitToOutInterface: false, Negated: false));

    public Match DestinationIsNotLocal() => With(new LocalAddressCriterion(PacketEnd.Destination, LimitToOutInterface: false, Negated: true));

    public Match ConntrackState(ConntrackStates states) => With(new ConntrackCriterion(states, Negated: false));

    public Match NotConntrackState(ConntrackStates states) => With(new ConntrackCriterion(states, Negated: true));

    public Match Protocol(byte number) => With(new ProtocolCriterion(number, Negated: false));

    public Match NotProtocol(byte number) => With(new ProtocolCriterion(number, Negated: true));

    public Match Net(PacketEnd end, IpPrefix net, bool negated = false) => With(new NetCriterion(end, net, negated));

    public Match SourceNet(IpPrefix net) => Net(PacketEnd.Source, net);

    public Match DestinationNet(IpPrefix net) => Net(PacketEnd.Destination, net);

    /// <summary>The address is in the set.</summary>
    public Match IpSet(PacketEnd end, string set, bool negated = false) => With(new SetCriterion(end, SetKey.Address, set, negated));

    public Match SourceIpSet(string set) => IpSet(PacketEnd.Source, set);

    public Match NotSourceIpSet(string set) => IpSet(PacketEnd.Source, set, negated: true);

    public Match DestinationIpSet(string set) => IpSet(PacketEnd.Destination, set);

    public Match NotDestinationIpSet(string set) => IpSet(PacketEnd.Destination, set, negated: true);

    /// <summary>Address, protocol and port are in the set.</summary>
    public Match IpPortSet(PacketEnd end, string set, bool negated = false) => With(new SetCriterion(end, SetKey.AddressAndPort, set, negated));

    /// <param name="end">Whose port.</param>
    /// <param name="ports">At most 15 slots; a single port takes one, a range two.</param>
    /// <param name="negated">The port lies in none of them.</param>
    public Match Ports(PacketEnd end, IReadOnlyList<(ushort First, ushort Last)> ports, bool negated = false) => With(new PortsCriterion(end, ports, negated));

    /// <inheritdoc cref="Ports"/>
    public Match SourcePorts(IReadOnlyList<(ushort First, ushort Last)> ports) => Ports(PacketEnd.Source, ports);

    /// <inheritdoc cref="Ports"/>
    public Match DestinationPorts(IReadOnlyList<(ushort First, ushort Last)> ports) => Ports(PacketEnd.Destination, ports);

    public Match IcmpType(IpFamily family, int type, int? code = null, bool negated = false) => With(new IcmpCriterion(family, type, code, negated));

    /// <param name="packets">How many within the unit.</param>
    /// <param name="unit">The span.</param>
    /// <param name="burst">0 for the kernel's default of 5.</param>
    public Match Limit(long packets, RateUnit unit, int burst = 0) => With(new LimitCriterion(packets, unit, burst));

    /// <summary>The packet belongs to a connection that IPVS handles.</summary>
    public Match Ipvs() => With(new IpvsCriterion(Negated: false));

    public Match NotIpvs() => With(new IpvsCriterion(Negated: true));

    /// <summary>Both.</summary>
    public Match And(Match other) => new([.. Criteria, .. other.Criteria]);

    public bool Equals(Match other) => Criteria.SequenceEqual(other.Criteria);

    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (Criterion criterion in Criteria)
        {
            hash.Add(criterion);
        }

        return hash.ToHashCode();
    }

    public override string ToString() => string.Join(" and ", Criteria);

    private Match With(Criterion criterion) => new([.. Criteria, criterion]);
}
