using System.Globalization;
using Weft.Hosting.Commands;

namespace Weft.Lab;

/// <summary>What runs as top-of-rack switch.</summary>
internal enum SwitchKind
{
    Weft,

    /// <summary>Debian's BIRD as the first switch, weft as the others: a foreign speaker must agree.</summary>
    Bird,
}

/// <summary>What serves the datastore.</summary>
internal enum StoreKind
{
    Weft,

    /// <summary>Debian's etcd.</summary>
    Etcd,
}

/// <summary>How pods of different nodes reach each other.</summary>
internal enum OverlayKind
{
    /// <summary>The switches know every block of pods.</summary>
    None,

    /// <summary>All of it in VXLAN: the switches know nodes only.</summary>
    Vxlan,

    /// <summary>VXLAN between racks, direct within one.</summary>
    CrossSubnet,
}

/// <summary>The size and the parts of a rack, as asked for on the command line.</summary>
internal sealed record LabOptions
{
    public const int MaxNodes = 100;
    public const int MaxPodsPerNode = 50;
    public const int MaxSwitches = 16;

    public int Nodes { get; init; } = 3;

    /// <summary>Per node.</summary>
    public int Pods { get; init; } = 2;

    public int Switches { get; init; } = 2;

    public SwitchKind Switch { get; init; }

    public StoreKind Store { get; init; }

    public OverlayKind Overlay { get; init; }

    /// <summary>Both families everywhere: rack subnets, pods, BGP sessions.</summary>
    public bool IPv6 { get; init; }

    /// <summary>Leave the rack up at the end.</summary>
    public bool Keep { get; init; }

    private static readonly CommandOption s_nodes = new("--nodes", null, "N", $"Nodes, spread over the racks (1..{MaxNodes}, default 3).");
    private static readonly CommandOption s_pods = new("--pods", null, "M", $"Pods per node (1..{MaxPodsPerNode}, default 2).");
    private static readonly CommandOption s_switches = new("--switches", null, "K", $"Top-of-rack switches, one rack each (1..{MaxSwitches}, default 2).");
    private static readonly CommandOption s_switch = new("--switch", null, "weft|bird", "\"bird\" makes the first switch a BIRD (Debian package bird2).");
    private static readonly CommandOption s_store = new("--store", null, "weft|etcd", "\"etcd\" uses Debian's etcd instead of weft store.");
    private static readonly CommandOption s_overlay = new("--overlay", null, "none|vxlan|cross-subnet", "Pods in VXLAN, everywhere or only between racks (default none).");
    private static readonly CommandOption s_ipv6 = new("--ipv6", null, null, "Both families everywhere.");
    private static readonly CommandOption s_keep = new("--keep", null, null, "Leave the rack up; \"weft lab down\" removes it.");

    public static CommandSyntax Syntax { get; } = new(
        "lab", "[up] [flags] | status [-o json] | exec NAME -- COMMAND [ARGUMENT...] | down",
        """
        A virtual rack on this machine: network namespaces, links, an embedded datastore, top-of-rack switches, nodes and pods, each a real weft
        process. It shows sessions coming up, pods reaching each other, a policy closing what it should, and takes everything down again.
        """,
        [s_nodes, s_pods, s_switches, s_switch, s_store, s_overlay, s_ipv6, s_keep])
    {
        Words = ["up", "status", "exec", "down"],
    };

    /// <summary>Reads the arguments after "lab" or "lab up".</summary>
    /// <param name="arguments">The arguments.</param>
    /// <param name="options">The options, when there is no problem.</param>
    /// <returns>What is wrong, or null.</returns>
    public static string? Parse(IReadOnlyList<string> arguments, out LabOptions options)
    {
        options = new LabOptions();
        if (!CommandLine.TryParse(arguments, Syntax, out CommandLine? line, out string? problem))
        {
            return problem;
        }

        if (line.Arguments.Count > 0)
        {
            return $"unknown argument \"{line.Arguments[0]}\"";
        }

        int? nodes = Number(line.Value(s_nodes) ?? "3", MaxNodes);
        int? pods = Number(line.Value(s_pods) ?? "2", MaxPodsPerNode);
        int? switches = Number(line.Value(s_switches) ?? Math.Min(2, nodes ?? 2).ToString(CultureInfo.InvariantCulture), MaxSwitches);
        string kind = line.Value(s_switch) ?? "weft";
        string store = line.Value(s_store) ?? "weft";
        string overlay = line.Value(s_overlay) ?? "none";
        problem = nodes is null ? $"--nodes {line.Value(s_nodes)}: expected a whole number from 1 to {MaxNodes}"
            : pods is null ? $"--pods {line.Value(s_pods)}: expected a whole number from 1 to {MaxPodsPerNode}"
            : switches is null ? $"--switches {line.Value(s_switches)}: expected a whole number from 1 to {MaxSwitches}"
            : switches > nodes ? $"--switches {switches}: more racks than the {nodes} nodes to put in them"
            : kind is not ("weft" or "bird") ? $"--switch {kind}: expected weft or bird"
            : store is not ("weft" or "etcd") ? $"--store {store}: expected weft or etcd"
            : overlay is not ("none" or "vxlan" or "cross-subnet") ? $"--overlay {overlay}: expected none, vxlan or cross-subnet"
            : null;
        if (problem is null)
        {
            options = new LabOptions
            {
                Nodes = nodes!.Value,
                Pods = pods!.Value,
                Switches = switches!.Value,
                Switch = kind == "bird" ? SwitchKind.Bird : SwitchKind.Weft,
                Store = store == "etcd" ? StoreKind.Etcd : StoreKind.Weft,
                Overlay = overlay switch { "vxlan" => OverlayKind.Vxlan, "cross-subnet" => OverlayKind.CrossSubnet, _ => OverlayKind.None },
                IPv6 = line.Has(s_ipv6),
                Keep = line.Has(s_keep),
            };
        }

        return problem;
    }

    private static int? Number(string? text, int max) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n >= 1 && n <= max ? n : null;
}
