namespace Weft.Dataplane.Rules.Model;

/// <summary>IANA protocol numbers that rules name.</summary>
internal static class IpProtocol
{
    public const byte Icmp = 1;
    public const byte IpInIp = 4;
    public const byte Tcp = 6;
    public const byte Udp = 17;
    public const byte Icmpv6 = 58;
    public const byte Sctp = 132;
}
