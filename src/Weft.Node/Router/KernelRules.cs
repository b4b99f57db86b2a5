using System.Collections.Immutable;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>What becomes of a learnt route in the kernel.</summary>
internal enum KernelAction : byte
{
    Install,

    /// <summary>Left alone: the agent programs routes of that pool, or nobody does.</summary>
    Skip,

    /// <summary>Through the IPIP device.</summary>
    Tunnel,

    /// <summary>Through the IPIP device unless the next hop is in the node's own subnet.</summary>
    TunnelAcrossSubnets,
}

/// <summary>One line of <see cref="KernelRules"/>: learnt routes inside the prefix.</summary>
internal readonly record struct KernelRule(IpPrefix Prefix, KernelAction Action);

/// <summary>
/// Which learnt routes the router writes into the kernel (Calico's calico_kernel_programming): the first rule whose prefix contains the route decides, and a
/// route that no rule names is installed. Which pools the router programs is decided by programClusterRoutes; the agent takes the others.
/// <code>
///   programClusterRoutes      IPIP pools   pools without encapsulation
///   EnabledNoEncapOnly (*)    agent        router
///   Enabled                   router       router
///   EnabledIPIPOnly           router       agent
///   Disabled                  agent        agent                         (*) default; VXLAN pools are always the agent's
/// </code>
/// </summary>
internal sealed record KernelRules(ImmutableArray<KernelRule> Rules, IpPrefix OwnSubnet)
{
    public static readonly KernelRules InstallEverything = new([], default);

    /// <summary>Nodes that this one speaks to encrypted (WireGuard): the agent routes to them, so routes through them are not written.</summary>
    public ImmutableArray<IpAddress> Encrypted { get; init; } = [];

    /// <summary>No rule can do anything but install.</summary>
    public bool InstallsAll => Rules.IsEmpty && Encrypted.IsEmpty;

    /// <param name="configuration">The cluster's BGPConfiguration, or null.</param>
    /// <param name="pools">Pools with a valid CIDR.</param>
    /// <param name="serviceRanges">Never installed: kube-proxy owns them.</param>
    /// <param name="ownSubnet">Subnet of the node's IPv4 address; unset: no IPv4 pool rule can be made.</param>
    public static KernelRules From(BGPConfigurationSpec? configuration, IEnumerable<(IpPrefix Cidr, IPPoolSpec Spec)> pools, IEnumerable<IpPrefix> serviceRanges, IpPrefix ownSubnet)
    {
        string programs = configuration?.ProgramClusterRoutes ?? string.Empty;
        bool ipip = programs is "Enabled" or "EnabledIPIPOnly";
        bool plain = programs is not ("EnabledIPIPOnly" or "Disabled");
        List<KernelRule> rules = [];
        foreach ((IpPrefix cidr, IPPoolSpec spec) in pools)
        {
            KernelAction action = Decide(spec, ipip, plain);
            if (cidr.IsIPv6 ? action == KernelAction.Skip : ownSubnet.IsIPv4)
            {
                rules.Add(new KernelRule(cidr, action));
            }
        }

        // Pools never overlap, so their order only serves the reader: that of the text, as upstream.
        rules.Sort((a, b) => string.CompareOrdinal(a.Prefix.ToString(), b.Prefix.ToString()));
        return new KernelRules([.. serviceRanges.Select(p => new KernelRule(p, KernelAction.Skip)), .. rules], ownSubnet);
    }

    public KernelAction Decide(IpPrefix route, IpAddress nextHop)
    {
        bool encrypted = Encrypted.Contains(nextHop);
        foreach (KernelRule rule in Rules)
        {
            if (rule.Prefix.Contains(route))
            {
                return encrypted ? KernelAction.Skip
                    : rule.Action != KernelAction.TunnelAcrossSubnets ? rule.Action
                    : OwnSubnet.Contains(nextHop) ? KernelAction.Install
                    : KernelAction.Tunnel;
            }
        }

        return encrypted ? KernelAction.Skip : KernelAction.Install;
    }

    public bool Equals(KernelRules? other) => other is not null && OwnSubnet == other.OwnSubnet && Rules.SequenceEqual(other.Rules) && Encrypted.SequenceEqual(other.Encrypted);

    public override int GetHashCode() => HashCode.Combine(OwnSubnet, Rules.Length);

    private static KernelAction Decide(IPPoolSpec spec, bool ipip, bool plain)
    {
        bool isVxlan = spec.VxlanMode is "Always" or "CrossSubnet";
        bool isIpip = spec.IpipMode is "Always" or "CrossSubnet";
        return isVxlan || (isIpip ? !ipip : !plain) ? KernelAction.Skip
            : !isIpip ? KernelAction.Install
            : spec.IpipMode == "Always" ? KernelAction.Tunnel
            : KernelAction.TunnelAcrossSubnets;
    }
}
