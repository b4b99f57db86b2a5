using Weft.Primitives.Net;

namespace Weft.Policy.Output;

/// <summary>
/// What is configured for this node, raw values by the names of FelixConfiguration's fields, per source. The first source that has a field decides, even
/// when its value cannot be used: then the built-in default holds, not the value of a weaker source.
/// </summary>
/// <param name="Global">FelixConfiguration "default".</param>
/// <param name="PerNode">FelixConfiguration "node.NAME".</param>
public sealed record ConfigUpdate(IReadOnlyDictionary<string, string> Global, IReadOnlyDictionary<string, string> PerNode) : DataplaneUpdate
{
    private static readonly Dictionary<string, string> s_nothing = [];

    /// <summary>The FelixConfiguration whose node selector matches this node.</summary>
    public IReadOnlyDictionary<string, string> Selected { get; init; } = s_nothing;

    /// <summary>Its name; empty for none.</summary>
    public string SelectedName { get; init; } = string.Empty;

    /// <summary>Environment and file of this node, already merged; stronger than any object.</summary>
    public IReadOnlyDictionary<string, string> Local { get; init; } = s_nothing;

    /// <summary>The raw value of a field; null when nothing sets it.</summary>
    public string? Find(string name) =>
        Local.GetValueOrDefault(name) ?? PerNode.GetValueOrDefault(name) ?? Selected.GetValueOrDefault(name) ?? Global.GetValueOrDefault(name);

    public bool Equals(ConfigUpdate? other) =>
        other is not null && SelectedName == other.SelectedName && Same(Global, other.Global) && Same(PerNode, other.PerNode)
        && Same(Selected, other.Selected) && Same(Local, other.Local);

    public override int GetHashCode() => HashCode.Combine(Global.Count, PerNode.Count, Selected.Count, Local.Count);

    private static bool Same(IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b) =>
        ReferenceEquals(a, b) || (a.Count == b.Count && a.All(field => b.TryGetValue(field.Key, out string? value) && value == field.Value));
}

/// <summary>Addresses of services that BGP advertises as blocks (BGPConfiguration "default").</summary>
public sealed record ServiceCidrsUpdate(IReadOnlyList<IpPrefix> Cidrs) : DataplaneUpdate
{
    public bool Equals(ServiceCidrsUpdate? other) => other is not null && Cidrs.SequenceEqual(other.Cidrs);

    public override int GetHashCode() => Cidrs.Count;
}
