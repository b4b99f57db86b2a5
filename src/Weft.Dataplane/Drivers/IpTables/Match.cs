using System.Text;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>
/// The match part of a rule: fragments of iptables text joined by blanks, every one of which must match. A value: each call returns a longer
/// match. <c>Match.All.Protocol("tcp").DestinationPorts([(80, 80)])</c>.
/// </summary>
public readonly record struct Match
{
    private readonly string? _text;

    private Match(string text)
    {
        _text = text;
    }

    /// <summary>Matches every packet.</summary>
    public static Match All => default;

    internal string Text => _text ?? string.Empty;

    public Match MarkClear(uint bits) => And($"-m mark --mark 0/{Hex(bits)}");

    public Match MarkNotClear(uint bits) => And($"-m mark ! --mark 0/{Hex(bits)}");

    /// <summary>Every bit of the mask is set.</summary>
    public Match MarkSet(uint bits) => And($"-m mark --mark {Hex(bits)}/{Hex(bits)}");

    public Match MarkEquals(uint mark, uint mask) => And($"-m mark --mark {Hex(mark)}/{Hex(mask)}");

    public Match MarkNotEquals(uint mark, uint mask) => And($"-m mark ! --mark {Hex(mark)}/{Hex(mask)}");

    /// <param name="name">A trailing "+" matches every name that starts so.</param>
    public Match InInterface(string name) => And($"--in-interface {name}");

    public Match OutInterface(string name) => And($"--out-interface {name}");

    /// <summary>The source address would not be routed back through the interface the packet came by.</summary>
    public Match ReversePathFails() => And("-m rpfilter --invert --validmark");

    /// <param name="type">"LOCAL", "BROADCAST" ...</param>
    public Match SourceAddressType(string type, bool limitToOutInterface = false) =>
        And($"-m addrtype --src-type {type}{(limitToOutInterface ? " --limit-iface-out" : string.Empty)}");

    public Match NotSourceAddressType(string type, bool limitToOutInterface = false) =>
        And($"-m addrtype ! --src-type {type}{(limitToOutInterface ? " --limit-iface-out" : string.Empty)}");

    public Match DestinationAddressType(string type) => And($"-m addrtype --dst-type {type}");

    public Match NotDestinationAddressType(string type) => And($"-m addrtype ! --dst-type {type}");

    /// <param name="states">"RELATED,ESTABLISHED", "INVALID", "DNAT" ...</param>
    public Match ConntrackState(string states) => And($"-m conntrack --ctstate {states}");

    public Match NotConntrackState(string states) => And($"-m conntrack ! --ctstate {states}");

    /// <param name="nameOrNumber">"tcp", "47".</param>
    public Match Protocol(string nameOrNumber) => And($"-p {nameOrNumber}");

    public Match NotProtocol(string nameOrNumber) => And($"! -p {nameOrNumber}");

    public Match SourceNet(string cidr) => And($"--source {cidr}");

    public Match NotSourceNet(string cidr) => And($"! --source {cidr}");

    public Match DestinationNet(string cidr) => And($"--destination {cidr}");

    public Match NotDestinationNet(string cidr) => And($"! --destination {cidr}");

    public Match SourceIpSet(string set) => And($"-m set --match-set {set} src");

    public Match NotSourceIpSet(string set) => And($"-m set ! --match-set {set} src");

    public Match DestinationIpSet(string set) => And($"-m set --match-set {set} dst");

    public Match NotDestinationIpSet(string set) => And($"-m set ! --match-set {set} dst");

    /// <summary>A set of address and port pairs.</summary>
    public Match SourceIpPortSet(string set) => And($"-m set --match-set {set} src,src");

    public Match NotSourceIpPortSet(string set) => And($"-m set ! --match-set {set} src,src");

    public Match DestinationIpPortSet(string set) => And($"-m set --match-set {set} dst,dst");

    public Match NotDestinationIpPortSet(string set) => And($"-m set ! --match-set {set} dst,dst");

    /// <param name="ports">At most 15 slots; a single port takes one, a range two.</param>
    public Match SourcePorts(ReadOnlySpan<(ushort First, ushort Last)> ports) => And($"-m multiport --source-ports {Ports(ports)}");

    public Match NotSourcePorts(ReadOnlySpan<(ushort First, ushort Last)> ports) => And($"-m multiport ! --source-ports {Ports(ports)}");

    public Match DestinationPorts(ReadOnlySpan<(ushort First, ushort Last)> ports) => And($"-m multiport --destination-ports {Ports(ports)}");

    public Match NotDestinationPorts(ReadOnlySpan<(ushort First, ushort Last)> ports) => And($"-m multiport ! --destination-ports {Ports(ports)}");

    public Match IcmpType(int type, int? code = null) => And($"-m icmp --icmp-type {TypeAndCode(type, code)}");

    public Match NotIcmpType(int type, int? code = null) => And($"-m icmp ! --icmp-type {TypeAndCode(type, code)}");

    public Match Icmpv6Type(int type, int? code = null) => And($"-m icmp6 --icmpv6-type {TypeAndCode(type, code)}");

    public Match NotIcmpv6Type(int type, int? code = null) => And($"-m icmp6 ! --icmpv6-type {TypeAndCode(type, code)}");

    /// <param name="rate">"10/second".</param>
    /// <param name="burst">0 for the kernel's default of 5.</param>
    public Match Limit(string rate, int burst = 0) => And(burst == 0 ? $"-m limit --limit {rate}" : $"-m limit --limit {rate} --limit-burst {burst}");

    /// <summary>The packet belongs to a connection that IPVS handles.</summary>
    public Match Ipvs() => And("-m ipvs --ipvs");

    public Match NotIpvs() => And("-m ipvs ! --ipvs");

    /// <summary>A fragment that has no method here.</summary>
    public Match Fragment(string text) => And(text);

    public override string ToString() => Text;

    internal static string Hex(uint value) => $"0x{value:x}";

    private Match And(string fragment) => new(_text is null ? fragment : $"{_text} {fragment}");

    private static string TypeAndCode(int type, int? code) => code is null ? $"{type}" : $"{type}/{code}";

    private static string Ports(ReadOnlySpan<(ushort First, ushort Last)> ports)
    {
        StringBuilder text = new();
        foreach ((ushort first, ushort last) in ports)
        {
            text.Append(text.Length == 0 ? string.Empty : ",").Append(first);
            if (last != first)
            {
                text.Append(':').Append(last);
            }
        }

        return text.ToString();
    }
}
