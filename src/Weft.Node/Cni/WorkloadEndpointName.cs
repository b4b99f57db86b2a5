namespace Weft.Node.Cni;

/// <summary>Names of WorkloadEndpoint objects: node, orchestrator, workload and endpoint with every hyphen doubled, joined by single hyphens.</summary>
internal static class WorkloadEndpointName
{
    public static string Format(string node, string orchestrator, string workload, string endpoint) =>
        Prefix(node, orchestrator, workload) + Escape(endpoint, nameof(endpoint));

    public static string Prefix(string node, string orchestrator, string workload) =>
        $"{Escape(node, nameof(node))}-{Escape(orchestrator, nameof(orchestrator))}-{Escape(workload, nameof(workload))}-";

    private static string Escape(string segment, string what) =>
        segment.Length == 0 || segment[0] == '-' || segment[^1] == '-'
            ? throw new CniException(CniErrorCode.InvalidConfiguration, $"{what} \"{segment}\": a part of an endpoint's name may not be empty and may not begin or end with '-'")
            : segment.Replace("-", "--", StringComparison.Ordinal);
}
