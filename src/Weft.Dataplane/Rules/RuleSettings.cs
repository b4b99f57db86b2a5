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

    /// <summary>maxIpsetSize: a set that needs more members is refused, and the policies that ask it deny everything.</summary>
    public int MaxSetSize { get; init; } = 1_048_576;

    public IReadOnlyList<FailsafePort> FailsafeInbound { get; init; } = [new(Tcp, 22), new(Udp, 68), .. s_failsafeBoth];

    public IReadOnlyList<FailsafePort> FailsafeOutbound { get; init; } = [new(Udp, 53), new(Udp, 67), .. s_failsafeBoth];

    internal MarkBits Marks => MarkBits.From(MarkMask);

    internal RuleAction DenyTarget => Deny == DenyAction.Drop ? RuleAction.Drop : RuleAction.Reject;
}
