using System.Globalization;

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

    /// <summary>Both families everywhere: rack subnets, pods, BGP sessions.</summary>
    public bool IPv6 { get; init; }

    /// <summary>Leave the rack up at the end.</summary>
    public bool Keep { get; init; }

    public static string Usage =>
        $"""
        usage: weft lab [up] [--nodes N] [--pods M] [--switches K] [--switch weft|bird] [--store weft|etcd] [--ipv6] [--keep]
               weft lab status [-o json]
               weft lab exec NAME -- COMMAND [ARGUMENT...]
               weft lab down

        A virtual rack on this machine: network namespaces, links, an embedded datastore, top-of-rack switches, nodes and pods, each a real weft
        process. It shows sessions coming up, pods reaching each other, a policy closing what it should, and takes everything down again.

          --nodes N      nodes, spread over the racks (1..{MaxNodes}, default 3)
          --pods M       pods per node (1..{MaxPodsPerNode}, default 2)
          --switches K   top-of-rack switches, one rack each (1..{MaxSwitches}, default 2)
          --switch KIND  "bird" makes the first switch a BIRD (Debian package bird2)
          --store KIND   "etcd" uses Debian's etcd instead of weft store
          --ipv6         both families everywhere
          --keep         leave the rack up; "weft lab down" removes it
        """;

    /// <summary>Reads the arguments after "lab" or "lab up".</summary>
    /// <param name="arguments">The arguments.</param>
    /// <param name="options">The options, when there is no problem.</param>
    /// <returns>What is wrong, or null.</returns>
    public static string? Parse(IReadOnlyList<string> arguments, out LabOptions options)
    {
        options = new LabOptions();
        for (int i = 0; i < arguments.Count; i++)
        {
            string flag = arguments[i];
            string? value = null;
            if (flag.IndexOf('=') is > 0 and int equals)
            {
                (flag, value) = (flag[..equals], flag[(equals + 1)..]);
            }

            if (flag is "--keep" or "--ipv6")
            {
                if (value is not null)
                {
                    return $"{flag} takes no value";
                }

                options = flag == "--keep" ? options with { Keep = true } : options with { IPv6 = true };
                continue;
            }

            value ??= ++i < arguments.Count ? arguments[i] : null;
            string? problem = Apply(flag, value, ref options);
            if (problem is not null)
            {
                return problem;
            }
        }

        return options.Switches > options.Nodes ? $"--switches {options.Switches}: more racks than the {options.Nodes} nodes to put in them" : null;
    }

    private static string? Apply(string flag, string? value, ref LabOptions options)
    {
        switch (flag)
        {
            case "--nodes" when Number(value, MaxNodes) is { } n:
                options = options with { Nodes = n, Switches = Math.Min(options.Switches, n) };
                return null;
            case "--pods" when Number(value, MaxPodsPerNode) is { } n:
                options = options with { Pods = n };
                return null;
            case "--switches" when Number(value, MaxSwitches) is { } n:
                options = options with { Switches = n };
                return null;
            case "--switch" when value is "weft" or "bird":
                options = options with { Switch = value == "bird" ? SwitchKind.Bird : SwitchKind.Weft };
                return null;
            case "--store" when value is "weft" or "etcd":
                options = options with { Store = value == "etcd" ? StoreKind.Etcd : StoreKind.Weft };
                return null;
            case "--nodes" or "--pods" or "--switches":
                int max = flag switch { "--nodes" => MaxNodes, "--pods" => MaxPodsPerNode, _ => MaxSwitches };
                return $"{flag} {value}: expected a whole number from 1 to {max}";
            case "--switch":
                return $"--switch {value}: expected weft or bird";
            case "--store":
                return $"--store {value}: expected weft or etcd";
            default:
                return $"unknown argument \"{flag}\"";
        }
    }

    private static int? Number(string? text, int max) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n >= 1 && n <= max ? n : null;
}
