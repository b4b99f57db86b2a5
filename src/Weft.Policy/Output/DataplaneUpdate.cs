using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Policy.Output;

/// <summary>
/// What the calculation graph tells the dataplane. Every record carries the whole current state of its object (not a change to it), except
/// <see cref="IpSetDeltaUpdate"/>. An object arrives after everything it refers to and goes before it.
/// </summary>
public abstract record DataplaneUpdate;

/// <summary>Everything known at the first in-sync has been sent: writing to the kernel may begin.</summary>
public sealed record InSync : DataplaneUpdate;

public enum IpSetType : byte
{
    Ip,
    IpAndPort,
    Net,
}

/// <summary>One member of a set: a prefix, and for <see cref="IpSetType.IpAndPort"/> the protocol number and port.</summary>
public readonly record struct IpSetMember(IpPrefix Prefix, byte Protocol = 0, ushort Port = 0)
{
    public override string ToString() => Protocol == 0 ? Prefix.ToString() : $"{Prefix.Address},{Protocol}:{Port}";
}

/// <param name="Id">Stable id derived from the selector ("s:..." or "n:..."), the same on every node and after every restart.</param>
/// <param name="Type">Kind of members.</param>
/// <param name="Members">All of them, both families.</param>
public sealed record IpSetUpdate(string Id, IpSetType Type, IReadOnlySet<IpSetMember> Members) : DataplaneUpdate;

public sealed record IpSetDeltaUpdate(string Id, IReadOnlyList<IpSetMember> Added, IReadOnlyList<IpSetMember> Removed) : DataplaneUpdate;

public sealed record IpSetRemove(string Id) : DataplaneUpdate;

/// <summary>A policy of any kind. Text: short kind, namespace, name ("np/ns1/allow-web", "gnp/deny-all").</summary>
public readonly record struct PolicyId(string Kind, string Namespace, string Name)
{
    /// <summary>Short kind as chain names use it.</summary>
    public string ShortKind => Kind switch
    {
        "NetworkPolicy" => "np",
        "GlobalNetworkPolicy" => "gnp",
        "StagedNetworkPolicy" => "snp",
        "StagedGlobalNetworkPolicy" => "sgnp",
        "StagedKubernetesNetworkPolicy" => "sknp",
        "KubernetesNetworkPolicy" => "knp",
        "KubernetesClusterNetworkPolicy" => "kcnp",
        _ => Kind,
    };

    public bool IsStaged => Kind.StartsWith("Staged", StringComparison.Ordinal);

    public override string ToString() => string.IsNullOrEmpty(Namespace) ? $"{ShortKind}/{Name}" : $"{ShortKind}/{Namespace}/{Name}";
}

public enum RuleAction : byte
{
    Allow,
    Deny,
    Log,
    Pass,
}

/// <summary>A range of port numbers, inclusive.</summary>
public readonly record struct PortRange(ushort Min, ushort Max);

/// <summary>ICMP type and optional code.</summary>
public readonly record struct IcmpMatch(byte Type, byte? Code);

/// <summary>A rule as the dataplane sees it: selectors have become set ids. Every match given must hold; lists are alternatives.</summary>
public sealed record DataplaneRule
{
    public required RuleAction Action { get; init; }

    /// <summary>None for both families.</summary>
    public IpFamily IpVersion { get; init; }

    /// <summary>Protocol number; null for any.</summary>
    public byte? Protocol { get; init; }

    public byte? NotProtocol { get; init; }

    public IReadOnlyList<IpPrefix> SrcNets { get; init; } = [];

    public IReadOnlyList<IpPrefix> DstNets { get; init; } = [];

    public IReadOnlyList<IpPrefix> NotSrcNets { get; init; } = [];

    public IReadOnlyList<IpPrefix> NotDstNets { get; init; } = [];

    public IReadOnlyList<PortRange> SrcPorts { get; init; } = [];

    public IReadOnlyList<PortRange> DstPorts { get; init; } = [];

    public IReadOnlyList<PortRange> NotSrcPorts { get; init; } = [];

    public IReadOnlyList<PortRange> NotDstPorts { get; init; } = [];

    /// <summary>All of these sets must contain the source.</summary>
    public IReadOnlyList<string> SrcIpSetIds { get; init; } = [];

    public IReadOnlyList<string> DstIpSetIds { get; init; } = [];

    public IReadOnlyList<string> NotSrcIpSetIds { get; init; } = [];

    public IReadOnlyList<string> NotDstIpSetIds { get; init; } = [];

    /// <summary>Alternatives beside <see cref="SrcPorts"/>: (address, port) is in one of these sets.</summary>
    public IReadOnlyList<string> SrcNamedPortIpSetIds { get; init; } = [];

    public IReadOnlyList<string> DstNamedPortIpSetIds { get; init; } = [];

    public IReadOnlyList<string> NotSrcNamedPortIpSetIds { get; init; } = [];

    public IReadOnlyList<string> NotDstNamedPortIpSetIds { get; init; } = [];

    /// <summary>(address, port) sets of services; all must match.</summary>
    public IReadOnlyList<string> DstIpPortSetIds { get; init; } = [];

    public IcmpMatch? Icmp { get; init; }

    public IcmpMatch? NotIcmp { get; init; }

    /// <summary>Annotations of the rule; rendered as comments.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Annotations { get; init; } = [];

    /// <summary>By content, so that a rule that says the same is not sent again.</summary>
    public bool Equals(DataplaneRule? other) =>
        other is not null && Action == other.Action && IpVersion == other.IpVersion && Protocol == other.Protocol && NotProtocol == other.NotProtocol
        && Icmp == other.Icmp && NotIcmp == other.NotIcmp
        && SrcNets.SequenceEqual(other.SrcNets) && DstNets.SequenceEqual(other.DstNets)
        && NotSrcNets.SequenceEqual(other.NotSrcNets) && NotDstNets.SequenceEqual(other.NotDstNets)
        && SrcPorts.SequenceEqual(other.SrcPorts) && DstPorts.SequenceEqual(other.DstPorts)
        && NotSrcPorts.SequenceEqual(other.NotSrcPorts) && NotDstPorts.SequenceEqual(other.NotDstPorts)
        && SrcIpSetIds.SequenceEqual(other.SrcIpSetIds) && DstIpSetIds.SequenceEqual(other.DstIpSetIds)
        && NotSrcIpSetIds.SequenceEqual(other.NotSrcIpSetIds) && NotDstIpSetIds.SequenceEqual(other.NotDstIpSetIds)
        && SrcNamedPortIpSetIds.SequenceEqual(other.SrcNamedPortIpSetIds) && DstNamedPortIpSetIds.SequenceEqual(other.DstNamedPortIpSetIds)
        && NotSrcNamedPortIpSetIds.SequenceEqual(other.NotSrcNamedPortIpSetIds) && NotDstNamedPortIpSetIds.SequenceEqual(other.NotDstNamedPortIpSetIds)
        && DstIpPortSetIds.SequenceEqual(other.DstIpPortSetIds) && Annotations.SequenceEqual(other.Annotations);

    public override int GetHashCode() => HashCode.Combine(Action, IpVersion, Protocol, SrcNets.Count, DstNets.Count, SrcIpSetIds.Count, DstIpSetIds.Count, DstPorts.Count);

    /// <summary>Every set the rule refers to.</summary>
    public IEnumerable<string> IpSetIds =>
        SrcIpSetIds.Concat(DstIpSetIds).Concat(NotSrcIpSetIds).Concat(NotDstIpSetIds).Concat(SrcNamedPortIpSetIds).Concat(DstNamedPortIpSetIds)
            .Concat(NotSrcNamedPortIpSetIds).Concat(NotDstNamedPortIpSetIds).Concat(DstIpPortSetIds);
}

/// <summary>The rules of an active policy.</summary>
public sealed record ActivePolicyUpdate(
    PolicyId Id, string Tier, IReadOnlyList<DataplaneRule> InboundRules, IReadOnlyList<DataplaneRule> OutboundRules, string OriginalSelector, PolicyTraits Traits)
    : DataplaneUpdate
{
    public bool Equals(ActivePolicyUpdate? other) =>
        other is not null && Id == other.Id && Tier == other.Tier && Traits == other.Traits && OriginalSelector == other.OriginalSelector
        && InboundRules.SequenceEqual(other.InboundRules) && OutboundRules.SequenceEqual(other.OutboundRules);

    public override int GetHashCode() => Id.GetHashCode();
}

[Flags]
public enum PolicyTraits : byte
{
    None = 0,
    Untracked = 1,
    PreDnat = 2,
    ApplyOnForward = 4,
}

public sealed record ActivePolicyRemove(PolicyId Id) : DataplaneUpdate;

public sealed record ActiveProfileUpdate(string Name, IReadOnlyList<DataplaneRule> InboundRules, IReadOnlyList<DataplaneRule> OutboundRules) : DataplaneUpdate
{
    public bool Equals(ActiveProfileUpdate? other) =>
        other is not null && Name == other.Name && InboundRules.SequenceEqual(other.InboundRules) && OutboundRules.SequenceEqual(other.OutboundRules);

    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);
}

public sealed record ActiveProfileRemove(string Name) : DataplaneUpdate;

/// <summary>The policies of one tier that apply to one endpoint, in order, per direction.</summary>
public sealed record TierPolicies(string Name, bool DefaultIsPass, IReadOnlyList<PolicyId> Ingress, IReadOnlyList<PolicyId> Egress)
{
    public bool Equals(TierPolicies? other) =>
        other is not null && Name == other.Name && DefaultIsPass == other.DefaultIsPass && Ingress.SequenceEqual(other.Ingress) && Egress.SequenceEqual(other.Egress);

    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);
}

/// <summary>A workload endpoint of this node. Workload is "namespace/pod" (orchestrator k8s) or the container's id.</summary>
public readonly record struct WorkloadEndpointId(string Orchestrator, string Workload, string Endpoint)
{
    public override string ToString() => $"{Orchestrator}/{Workload}/{Endpoint}";
}

/// <param name="Id">Identity.</param>
/// <param name="ResourceName">Namespace and name of the v3 object, for messages.</param>
/// <param name="InterfaceName">Host side interface.</param>
/// <param name="Mac">Null when not known.</param>
/// <param name="Networks">Addresses of the pod as host prefixes, both families.</param>
/// <param name="ProfileIds">In order.</param>
/// <param name="Tiers">In order, only those with a policy that applies.</param>
/// <param name="AllowSpoofedSourcePrefixes">Exempt from the reverse path check.</param>
/// <param name="Revision">Revision of the stored object this was computed from: a CNI ADD waits until it is in the kernel.</param>
/// <param name="Problem">Not null: the stored object or something it needs is invalid, and the endpoint must be programmed closed (drop all).</param>
public sealed record WorkloadEndpointUpdate(
    WorkloadEndpointId Id,
    string ResourceName,
    string InterfaceName,
    MacAddress? Mac,
    IReadOnlyList<IpPrefix> Networks,
    IReadOnlyList<string> ProfileIds,
    IReadOnlyList<TierPolicies> Tiers,
    IReadOnlyList<IpPrefix> AllowSpoofedSourcePrefixes,
    long Revision,
    string? Problem = null) : DataplaneUpdate
{
    public bool Equals(WorkloadEndpointUpdate? other) =>
        other is not null && Id == other.Id && ResourceName == other.ResourceName && InterfaceName == other.InterfaceName && Mac == other.Mac
        && Revision == other.Revision && Problem == other.Problem && Networks.SequenceEqual(other.Networks) && ProfileIds.SequenceEqual(other.ProfileIds)
        && Tiers.SequenceEqual(other.Tiers) && AllowSpoofedSourcePrefixes.SequenceEqual(other.AllowSpoofedSourcePrefixes);

    public override int GetHashCode() => Id.GetHashCode();
}

public sealed record WorkloadEndpointRemove(WorkloadEndpointId Id) : DataplaneUpdate;

/// <param name="Problem">Not null: it or something it needs is invalid, and beside failsafes nothing may reach or leave the host through its interfaces.</param>
/// <param name="ClosesForwarded">So it is for what passes through the host too.</param>
public sealed record HostEndpointUpdate(
    string Name,
    string InterfaceName,
    IReadOnlyList<IpAddress> ExpectedIps,
    IReadOnlyList<string> ProfileIds,
    IReadOnlyList<TierPolicies> Tiers,
    IReadOnlyList<TierPolicies> UntrackedTiers,
    IReadOnlyList<TierPolicies> PreDnatTiers,
    IReadOnlyList<TierPolicies> ForwardTiers,
    string? Problem = null,
    bool ClosesForwarded = false) : DataplaneUpdate
{
    public bool Equals(HostEndpointUpdate? other) =>
        other is not null && Name == other.Name && InterfaceName == other.InterfaceName && ExpectedIps.SequenceEqual(other.ExpectedIps)
        && ProfileIds.SequenceEqual(other.ProfileIds) && Tiers.SequenceEqual(other.Tiers) && UntrackedTiers.SequenceEqual(other.UntrackedTiers)
        && PreDnatTiers.SequenceEqual(other.PreDnatTiers) && ForwardTiers.SequenceEqual(other.ForwardTiers)
        && Problem == other.Problem && ClosesForwarded == other.ClosesForwarded;

    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);
}

public sealed record HostEndpointRemove(string Name) : DataplaneUpdate;

/// <summary>Addresses of a node of the cluster.</summary>
public sealed record HostMetadataUpdate(string Node, IpAddress? IPv4, IpAddress? IPv6) : DataplaneUpdate;

public sealed record HostMetadataRemove(string Node) : DataplaneUpdate;

public enum EncapMode : byte
{
    Never,
    Always,
    CrossSubnet,
}

/// <param name="Cidr">The pool.</param>
/// <param name="Masquerade">natOutgoing.</param>
/// <param name="Ipip">IPIP mode.</param>
/// <param name="Vxlan">VXLAN mode.</param>
/// <param name="AllowedUses">Workload, Tunnel, LoadBalancer.</param>
public sealed record IpamPoolUpdate(IpPrefix Cidr, bool Masquerade, EncapMode Ipip, EncapMode Vxlan, IReadOnlyList<string> AllowedUses) : DataplaneUpdate
{
    public bool Equals(IpamPoolUpdate? other) =>
        other is not null && Cidr == other.Cidr && Masquerade == other.Masquerade && Ipip == other.Ipip && Vxlan == other.Vxlan
        && AllowedUses.SequenceEqual(other.AllowedUses);

    public override int GetHashCode() => Cidr.GetHashCode();
}

public sealed record IpamPoolRemove(IpPrefix Cidr) : DataplaneUpdate;
