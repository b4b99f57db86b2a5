using Weft.Model.Resources;
using Weft.Model.Selectors;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Conversion;

/// <summary>A policy of any kind as the graph works with it: selectors joined and parsed, defaults filled.</summary>
/// <param name="Id">Identity; the tier is no part of it.</param>
/// <param name="Tier">Never empty.</param>
/// <param name="Order">Infinity when absent.</param>
/// <param name="Selector">Which endpoints it applies to, namespace and service account included.</param>
/// <param name="Directions">Which directions it governs.</param>
/// <param name="Inbound">Ingress rules.</param>
/// <param name="Outbound">Egress rules.</param>
/// <param name="Traits">Untracked, pre-DNAT, forward.</param>
/// <param name="Activation">Whether it is programmed without a local endpoint too.</param>
/// <param name="Problem">
/// Not null: the policy cannot be enforced as written. Its selector then says which endpoints fail closed; it is never programmed itself.
/// </param>
internal sealed record PolicyValue(
    PolicyId Id,
    string Tier,
    double Order,
    Selector Selector,
    PolicyDirections Directions,
    IReadOnlyList<RuleValue> Inbound,
    IReadOnlyList<RuleValue> Outbound,
    PolicyTraits Traits,
    PolicyActivation Activation,
    string? Problem = null);

[Flags]
internal enum PolicyDirections : byte
{
    None = 0,
    Ingress = 1,
    Egress = 2,
    Both = Ingress | Egress,
}

internal enum PolicyActivation : byte
{
    WhenMatching,

    /// <summary>performanceHints: AssumeNeededOnEveryNode.</summary>
    Always,
}

/// <summary>A rule before its selectors, named ports and services have become sets.</summary>
internal sealed record RuleValue(
    RuleAction Action,
    IpFamily IpVersion,
    byte? Protocol,
    byte? NotProtocol,
    IcmpMatch? Icmp,
    IcmpMatch? NotIcmp,
    RuleEntity Source,
    RuleEntity Destination,
    IReadOnlyList<KeyValuePair<string, string>> Annotations);

/// <summary>One end of a rule.</summary>
internal sealed record RuleEntity(
    IReadOnlyList<IpPrefix> Nets,
    IReadOnlyList<IpPrefix> NotNets,
    Selector? Selector,
    Selector? NotSelector,
    IReadOnlyList<Port> Ports,
    IReadOnlyList<Port> NotPorts,
    string? Service)
{
    public static readonly RuleEntity Any = new([], [], null, null, [], [], null);
}

/// <summary>A profile's rules; its labels go to the label indexes apart.</summary>
internal sealed record ProfileValue(string Name, IReadOnlyList<RuleValue> Inbound, IReadOnlyList<RuleValue> Outbound, string? Problem = null);

/// <summary>A tier object.</summary>
internal readonly record struct TierValue(double? Order, bool DefaultIsPass);

/// <summary>A port an endpoint declares by name.</summary>
internal readonly record struct NamedPort(string Name, byte Protocol, ushort Number);

/// <summary>What an object brings into the sets whose selector it matches.</summary>
/// <param name="Labels">Its own.</param>
/// <param name="Parents">Profiles whose labels it inherits.</param>
/// <param name="Nets">Members of sets of networks.</param>
/// <param name="Ports">With each address, members of sets of a named port.</param>
/// <param name="Node">Where a workload runs; empty for what is no workload.</param>
internal sealed record SetSource(
    IReadOnlyDictionary<string, string> Labels, IReadOnlyList<string> Parents, IReadOnlyList<IpPrefix> Nets, IReadOnlyList<NamedPort> Ports, string Node = "");

/// <summary>A workload endpoint of any node.</summary>
internal sealed record WorkloadValue(
    WorkloadEndpointId Id,
    string ResourceName,
    string Node,
    string InterfaceName,
    MacAddress? Mac,
    SetSource Source,
    IReadOnlyList<IpPrefix> AllowSpoofedSourcePrefixes,
    long Revision,
    string? Problem = null);

/// <summary>A host endpoint of any node.</summary>
internal sealed record HostEndpointValue(
    string Name, string Node, string InterfaceName, IReadOnlyList<IpAddress> ExpectedIps, SetSource Source, string? Problem = null);

/// <summary>A node of the cluster: addresses, tunnels, labels.</summary>
/// <param name="Name">The node.</param>
/// <param name="IPv4">Its own address; null when unknown.</param>
/// <param name="IPv6">Its own address; null when unknown.</param>
/// <param name="Subnet">The network its IPv4 address is in.</param>
/// <param name="SubnetV6">The network its IPv6 address is in.</param>
/// <param name="Addresses">All of its addresses.</param>
/// <param name="Tunnels">Addresses of its tunnel devices.</param>
/// <param name="Vtep">Its VXLAN device, or null.</param>
/// <param name="Labels">For node selectors.</param>
internal sealed record NodeValue(
    string Name,
    IpAddress? IPv4,
    IpAddress? IPv6,
    IpPrefix? Subnet,
    IpPrefix? SubnetV6,
    IReadOnlyList<IpPrefix> Addresses,
    IReadOnlyList<TunnelAddress> Tunnels,
    VXLANTunnelEndpointUpdate? Vtep,
    IReadOnlyDictionary<string, string> Labels);

internal readonly record struct TunnelAddress(IpPrefix Address, TunnelTypes Type);

/// <summary>A block or an address of it, and the node it is on.</summary>
internal readonly record struct BlockRoute(IpPrefix Destination, string Node);
