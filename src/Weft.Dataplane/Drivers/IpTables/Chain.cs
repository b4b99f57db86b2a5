namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>A chain of ours as data.</summary>
/// <param name="Name">At most 28 bytes, with one of our prefixes ("cali-").</param>
public sealed record Chain(string Name, IReadOnlyList<Rule> Rules);
