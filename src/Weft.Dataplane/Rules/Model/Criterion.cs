using Weft.Primitives.Net;

namespace Weft.Dataplane.Rules.Model;

/// <summary>
/// One thing a rule asks of a packet, as data. What it asks is the same for every backend; how the kernel is told is the backend's own affair.
/// </summary>
public abstract record Criterion;

/// <summary>Which of the packet's two ends.</summary>
public enum PacketEnd : byte
{
    Source,
    Destination,
}

/// <summary>By which way the packet passes an interface.</summary>
public enum InterfaceWay : byte
{
    In,
    Out,
}

/// <summary>What the table of connections says of the packet's connection. Several together: any of them.</summary>
[Flags]
public enum ConntrackStates : byte
{
    None = 0,
    Related = 1,
    Established = 2,
    New = 4,
    Invalid = 8,

    /// <summary>The destination was translated.</summary>
    Dnat = 16,
}

/// <summary>What a set holds of a packet's end.</summary>
public enum SetKey : byte
{
    Address,

    /// <summary>Address, protocol and port.</summary>
    AddressAndPort,
}

/// <summary>The span over which a limit counts.</summary>
public enum RateUnit : byte
{
    Second,
    Minute,
    Hour,
    Day,
}

/// <summary>(packet mark AND mask) equals the mark.</summary>
public sealed record MarkCriterion(uint Mark, uint Mask, bool Negated) : Criterion;

/// <param name="Name">A trailing "+" matches every name that starts so.</param>
public sealed record InterfaceCriterion(InterfaceWay Way, string Name) : Criterion
{
    public bool IsPrefix => Name.EndsWith('+');
}

/// <summary>The source address would not be routed back through the interface the packet came by.</summary>
public sealed record ReversePathFailsCriterion : Criterion;

/// <summary>The address is one of this host's, of the outgoing interface only when so limited.</summary>
public sealed record LocalAddressCriterion(PacketEnd End, bool LimitToOutInterface, bool Negated) : Criterion;

public sealed record ConntrackCriterion(ConntrackStates States, bool Negated) : Criterion;

/// <param name="Number">IANA protocol number.</param>
public sealed record ProtocolCriterion(byte Number, bool Negated) : Criterion;

public sealed record NetCriterion(PacketEnd End, IpPrefix Net, bool Negated) : Criterion;

/// <param name="Set">Its name in the kernel.</param>
public sealed record SetCriterion(PacketEnd End, SetKey Key, string Set, bool Negated) : Criterion;

/// <summary>The port lies in one of the ranges. Only beside a protocol that has ports.</summary>
public sealed record PortsCriterion(PacketEnd End, IReadOnlyList<(ushort First, ushort Last)> Ports, bool Negated) : Criterion
{
    public bool Equals(PortsCriterion? other) => other is not null && End == other.End && Negated == other.Negated && Ports.SequenceEqual(other.Ports);

    public override int GetHashCode() => HashCode.Combine(End, Negated, Ports.Count > 0 ? Ports[0] : default);
}

/// <summary>Only beside the family's own ICMP protocol.</summary>
/// <param name="Code">Null for any.</param>
public sealed record IcmpCriterion(IpFamily Family, int Type, int? Code, bool Negated) : Criterion;

/// <summary>Not more packets than this so far.</summary>
/// <param name="Burst">0 for the kernel's default of 5.</param>
public sealed record LimitCriterion(long Packets, RateUnit Unit, int Burst) : Criterion;

/// <summary>The packet belongs to a connection that IPVS handles.</summary>
public sealed record IpvsCriterion(bool Negated) : Criterion;
