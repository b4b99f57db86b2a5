using Weft.Model.Selectors;
using Weft.Primitives.Net;

namespace Weft.Ipam.Pools;

/// <summary>Which pools a request may use (reference 3.5).</summary>
internal static class PoolSelection
{
    /// <param name="pools">All pools, in the order of their names.</param>
    /// <param name="family">The family asked for.</param>
    /// <param name="requested">Pools by name or CIDR; empty for those that select the node and the namespace.</param>
    /// <param name="use">What the address is for.</param>
    /// <param name="node">Name of the node, for messages.</param>
    /// <param name="nodeLabels">Its labels.</param>
    /// <param name="namespaceLabels">Those of the pod's namespace; null counts as none.</param>
    /// <exception cref="IpamException">No pool is left; the text says which rule left none.</exception>
    public static IReadOnlyList<AddressPool> Choose(
        IReadOnlyList<AddressPool> pools, IpFamily family, IReadOnlyList<string> requested, AddressUse use, string node,
        IReadOnlyDictionary<string, string> nodeLabels, IReadOnlyDictionary<string, string>? namespaceLabels)
    {
        AddressPool[] enabled = [.. pools.Where(p => p.IsEnabled && p.Cidr.Family == family)];
        if (enabled.Length == 0)
        {
            AddressPool[] disabled = [.. pools.Where(p => p.Cidr.Family == family)];
            throw new IpamException(disabled.Length == 0
                ? $"no {family} pool exists: create an IPPool"
                : $"no {family} pool is enabled: {Names(disabled)} exist but are disabled or not allocatable");
        }

        AddressPool[] matching = requested.Count > 0
            ? [.. requested.Select(r => Find(enabled, r)).Distinct()]
            : [.. enabled.Where(p => p.IsAutomatic && SelectsNode(p, nodeLabels) && Selects(p.NamespaceSelector, namespaceLabels, p, "namespaceSelector"))];
        if (matching.Length == 0)
        {
            throw new IpamException($"no configured {family} pools for node {node}: {Names(enabled)} exist, but none has assignmentMode Automatic and a nodeSelector and namespaceSelector that match");
        }

        AddressPool[] usable = [.. matching.Where(p => p.Allows(use))];
        return usable.Length > 0
            ? usable
            : throw new IpamException($"no pools match the required use ({use}): {string.Join("; ", matching.Select(p => $"{p} allows {p.UsesText}"))}");
    }

    /// <exception cref="IpamException">The selector of the pool cannot be read.</exception>
    public static bool SelectsNode(AddressPool pool, IReadOnlyDictionary<string, string> nodeLabels) => Selects(pool.NodeSelector, nodeLabels, pool, "nodeSelector");

    private static bool Selects(string? text, IReadOnlyDictionary<string, string>? labels, AddressPool pool, string field) =>
        Selector.TryParse(text, out Selector? selector, out string? error)
            ? selector.Matches(labels ?? new Dictionary<string, string>())
            : throw new IpamException($"pool {pool}: {field} \"{text}\": {error}");

    private static AddressPool Find(AddressPool[] enabled, string requested) =>
        enabled.FirstOrDefault(p => p.Name == requested || (IpPrefix.TryParse(requested, out IpPrefix cidr) && p.Cidr == cidr))
            ?? throw new IpamException($"the given pool ({requested}) does not exist, or is not enabled");

    private static string Names(IEnumerable<AddressPool> pools) => string.Join(", ", pools);
}
