using Weft.Dataplane.Rules.Model;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Dataplane.Rules.Model.RuleAction;

namespace Weft.Dataplane.Rules;

/// <summary>What happens to packets from a workload to its own host that its policy let through.</summary>
public enum EndpointToHostAction
{
    Drop,
    Return,
    Accept,
}

/// <summary>How a packet that is denied is answered.</summary>
public enum DenyAction
{
    Drop,
    Reject,
}

/// <summary>What becomes of a packet that policy let through: the rest of the host's own rules are asked, or not.</summary>
public enum AllowAction
{
    Accept,
    Return,
}

/// <summary>What becomes of packets to an advertised service address that nothing on the node takes: without this they would go back where they came from.</summary>
public enum LoopPrevention
{
    Drop,
    Reject,
    Disabled,
}

/// <summary>A port that stays open whatever the policy of a host endpoint says, so that a mistake there cannot lock everybody out.</summary>
/// <param name="Protocol">Number.</param>
/// <param name="Net">Only from or to here; default for everywhere.</param>
public readonly record struct FailsafePort(byte Protocol, ushort Port, IpPrefix Net = default);

/// <summary>Everything the rendering of rules depends on beside policy itself; names and defaults are those of FelixConfiguration.</summary>
public sealed record RuleSettings
{
    private const byte Tcp = 6;
    private const byte Udp = 17;

    private static readonly FailsafePort[] s_failsafeBoth =
    [
        new(Tcp, 179), new(Tcp, 2379), new(Tcp, 2380), new(Tcp, 5473), new(Tcp, 6443), new(Tcp, 6666), new(Tcp, 6667),
    ];

    /// <summary>Host side interfaces of workloads begin with one of these.</summary>
    public IReadOnlyList<string> InterfacePrefixes { get; init; } = ["cali"];

    /// <summary>iptablesMarkMask.</summary>
    public uint MarkMask { get; init; } = 0xffff0000;

    public DenyAction Deny { get; init; } = DenyAction.Drop;

    /// <summary>iptablesFilterAllowAction.</summary>
    public AllowAction FilterAllow { get; init; } = AllowAction.Accept;

    /// <summary>iptablesMangleAllowAction.</summary>
    public AllowAction MangleAllow { get; init; } = AllowAction.Accept;

    /// <summary>serviceLoopPrevention.</summary>
    public LoopPrevention ServiceLoop { get; init; } = LoopPrevention.Drop;

    public EndpointToHostAction EndpointToHost { get; init; } = EndpointToHostAction.Drop;

    /// <summary>disableConntrackInvalidCheck is false.</summary>
    public bool DropInvalid { get; init; } = true;

    /// <summary>vxlanPort: encapsulated packets from a workload are dropped, or it could reach any network behind the host's tunnel.</summary>
    public ushort VxlanPort { get; init; } = 4789;

    public bool AllowVxlanFromWorkloads { get; init; }

    public bool AllowIpipFromWorkloads { get; init; }

    /// <summary>Which overlays are in use: their packets between nodes are let through, and nobody else's.</summary>
    public Encapsulations Encapsulation { get; init; }

    public TunnelSettings Tunnels { get; init; } = new();

    /// <summary>natPortRange: "1024-65535"; null for the kernel's choice.</summary>
    public string? NatPortRange { get; init; }

    /// <summary>natOutgoingExclusions is IPPoolsAndHostIPs: nodes see the addresses of pods.</summary>
    public bool NatExcludesHosts { get; init; }

    /// <summary>natOutgoingAddress: IPv4 traffic out of the pools gets this source instead of the interface's.</summary>
    public IpAddress NatAddress { get; init; }

    /// <summary>iptablesNATOutgoingInterfaceFilter: only what leaves by this interface is translated; null for any.</summary>
    public string? NatInterface { get; init; }

    /// <summary>externalNodesList: besides nodes, these may send encapsulated packets to this one.</summary>
    public IReadOnlyList<IpPrefix> ExternalNodes { get; init; } = [];

    /// <summary>logPrefix of Log rules: %t tier, %k short kind, %n name, %p namespace and name.</summary>
    public string LogPrefix { get; init; } = "calico-packet";

    /// <summary>logActionRateLimit: "10/second"; null for no limit.</summary>
    public string? LogRate { get; init; }

    /// <summary>logActionRateLimitBurst.</summary>
    public int LogBurst { get; init; } = 5;

    /// <summary>Denied packets are told to the agent (NFLOG groups 1 and 2): what "weft drops" shows.</summary>
    public bool LogsDenied { get; init; }

    /// <summary>So are the packets that rules allow or pass, one per connection.</summary>
    public bool LogsAllowed { get; init; }

    /// <summary>maxIpsetSize: a set that needs more members is refused, and the policies that ask it deny everything.</summary>
    public int MaxSetSize { get; init; } = 1_048_576;

    public IReadOnlyList<FailsafePort> FailsafeInbound { get; init; } = [new(Tcp, 22), new(Udp, 68), .. s_failsafeBoth];

    public IReadOnlyList<FailsafePort> FailsafeOutbound { get; init; } = [new(Udp, 53), new(Udp, 67), .. s_failsafeBoth];

    internal MarkBits Marks => MarkBits.From(MarkMask);

    internal RuleAction FilterAllowTarget => FilterAllow == AllowAction.Accept ? RuleAction.Accept : RuleAction.Return;

    internal RuleAction MangleAllowTarget => MangleAllow == AllowAction.Accept ? RuleAction.Accept : RuleAction.Return;

    internal RuleAction DenyTarget => Deny == DenyAction.Drop ? RuleAction.Drop : RuleAction.Reject;
}
