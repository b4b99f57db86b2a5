using System.Diagnostics.CodeAnalysis;
using System.Text;
using Weft.Model.Resources;

namespace Weft.Model.Names;

/// <summary>
/// The identity of a workload endpoint, from which its name is made: NODE-ORCHESTRATOR-ID-ENDPOINT, where every "-" inside a part is doubled.
/// An empty part is one that is not known.
/// </summary>
/// <param name="Node">Name of the node.</param>
/// <param name="Orchestrator">"k8s", "cni", "libnetwork", or another.</param>
/// <param name="Endpoint">Interface inside the workload, as "eth0".</param>
/// <param name="Pod">The id under "k8s".</param>
/// <param name="ContainerId">The id under "cni".</param>
/// <param name="Workload">The id under other orchestrators.</param>
public sealed record WorkloadEndpointName(
    string Node, string Orchestrator = "", string Endpoint = "", string Pod = "", string ContainerId = "", string Workload = "")
{
    private const string Libnetwork = "libnetwork";

    public static WorkloadEndpointName Of(WorkloadEndpointSpec spec) => new(
        spec.Node ?? string.Empty, spec.Orchestrator ?? string.Empty, spec.Endpoint ?? string.Empty, spec.Pod ?? string.Empty,
        spec.ContainerID ?? string.Empty, spec.Workload ?? string.Empty);

    /// <summary>The whole name: every part must be known.</summary>
    /// <param name="name">As in metadata.name.</param>
    /// <param name="problem">The field that is missing or cannot stand in a name.</param>
    public bool TryBuild([NotNullWhen(true)] out string? name, [NotNullWhen(false)] out string? problem) => TryJoin(whole: true, out name, out problem);

    /// <summary>What all names of endpoints with this identity begin with: the parts up to the first one that is not known, and a "-".</summary>
    public bool TryBuildPrefix([NotNullWhen(true)] out string? prefix, [NotNullWhen(false)] out string? problem) => TryJoin(whole: false, out prefix, out problem);

    /// <summary>Reads a name or the beginning of one. False for an empty part or more than four.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out WorkloadEndpointName? name)
    {
        name = null;
        List<string> parts = Split(text);
        if (parts.Count > 4 || parts.Contains(string.Empty))
        {
            return false;
        }

        string id = parts.ElementAtOrDefault(2) ?? string.Empty;
        string orchestrator = parts.ElementAtOrDefault(1) ?? string.Empty;
        name = new WorkloadEndpointName(parts[0], orchestrator, parts.ElementAtOrDefault(3) ?? string.Empty);
        name = orchestrator switch
        {
            "k8s" => name with { Pod = id },
            "cni" => name with { ContainerId = id },
            Libnetwork => name,
            _ => name with { Workload = id },
        };
        return true;
    }

    /// <summary>True when the stored name can be that of this endpoint: part by part, where a part not known here matches anything.</summary>
    public bool Matches(string stored)
    {
        List<string> parts = Split(stored);
        return parts.Count == 4 && Parts().Zip(parts).All(p => p.First.Value.Length == 0 || p.First.Value == p.Second);
    }

    private (string Field, string Value)[] Parts() => Orchestrator switch
    {
        "k8s" => [("node", Node), ("orchestrator", Orchestrator), ("pod", Pod), ("endpoint", Endpoint)],
        "cni" => [("node", Node), ("orchestrator", Orchestrator), ("containerID", ContainerId), ("endpoint", Endpoint)],
        Libnetwork => [("node", Node), ("orchestrator", Orchestrator), (Libnetwork, Libnetwork), ("endpoint", Endpoint)],
        _ => [("node", Node), ("orchestrator", Orchestrator), ("workload", Workload), ("endpoint", Endpoint)],
    };

    private bool TryJoin(bool whole, [NotNullWhen(true)] out string? name, [NotNullWhen(false)] out string? problem)
    {
        name = problem = null;
        StringBuilder text = new();
        foreach ((string field, string value) in Parts())
        {
            if (value.Length == 0 && (whole || field == "node"))
            {
                problem = $"{field}: missing; the name of a workload endpoint is made of node, orchestrator, {Parts()[2].Field} and endpoint";
                return false;
            }

            if (value.Length == 0)
            {
                name = text.ToString();
                return true;
            }

            if (value[0] == '-' || value[^1] == '-')
            {
                problem = $"{field}: \"{value}\": must not begin or end with \"-\"";
                return false;
            }

            text.Append(value.Replace("-", "--", StringComparison.Ordinal));
            if (field != "endpoint")
            {
                text.Append('-');
            }
        }

        name = text.ToString();
        return true;
    }

    /// <summary>Splits at single dashes; a doubled dash is a dash of the part.</summary>
    private static List<string> Split(string text)
    {
        List<string> parts = [];
        StringBuilder part = new();
        for (int i = 0; i < text.Length; i++)
        {
            bool dash = text[i] == '-';
            bool doubled = dash && i + 1 < text.Length && text[i + 1] == '-';
            if (dash && !doubled)
            {
                parts.Add(part.ToString());
                part.Clear();
                continue;
            }

            part.Append(text[i]);
            i += doubled ? 1 : 0;
        }

        parts.Add(part.ToString());
        return parts;
    }
}
