namespace Weft.Model.Felix;

/// <summary>
/// All parameters of Felix, from felix.parameters, whose head explains the notation: the one place that says which of them weft implements. A mistake in
/// it is a broken build of ours, so reading throws.
/// </summary>
public static class FelixParameters
{
    private static readonly Lazy<FelixParameter[]> s_all = new(() => [.. Lines().Select(Read)]);
    private static readonly Lazy<Dictionary<string, FelixParameter>> s_byField = new(() => s_all.Value.ToDictionary(p => p.Field, StringComparer.Ordinal));
    private static readonly Lazy<Dictionary<string, FelixParameter>> s_byName = new(() => s_all.Value.ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase));

    /// <summary>In the order of Calico's documentation.</summary>
    public static IReadOnlyList<FelixParameter> All => s_all.Value;

    /// <summary>By the name of the field of FelixConfiguration, exact case.</summary>
    public static FelixParameter? OfField(string field) => s_byField.Value.GetValueOrDefault(field);

    /// <summary>By the name of environment and file, any case.</summary>
    public static FelixParameter? OfName(string name) => s_byName.Value.GetValueOrDefault(name);

    private static FelixParameter Read(string line)
    {
        string[] parts = line.Split(" | ");
        bool local = parts[2].StartsWith("local ", StringComparison.Ordinal);
        FelixType type = FelixType.Parse(local ? parts[2]["local ".Length..] : parts[2]);
        string standard = parts[3] == "-" ? string.Empty : parts[3];
        if (!type.TryRead(standard, FelixSyntax.Local, out string read, out string expected))
        {
            throw new FormatException($"felix.parameters: default of {parts[0]}: expected {expected}");
        }

        return new FelixParameter(
            parts[0],
            parts[1] == "-" ? parts[0] : parts[1],
            type,
            read,
            local ? FelixScope.Local : FelixScope.Anywhere,
            parts[4] switch
            {
                "graph" => FelixStanding.Graph,
                "rules" => FelixStanding.Rules,
                "agent" => FelixStanding.Agent,
                "refused" => FelixStanding.Refused,
                "not-applicable" => FelixStanding.NotApplicable,
                _ => throw new FormatException($"felix.parameters: {parts[0]}: unknown standing {parts[4]}"),
            },
            parts.Length > 5 ? parts[5] : string.Empty);
    }

    private static IEnumerable<string> Lines()
    {
        using Stream stream = typeof(FelixParameters).Assembly.GetManifestResourceStream("felix.parameters")
            ?? throw new InvalidOperationException("felix.parameters is not embedded in the assembly");
        using StreamReader reader = new(stream);
        return [.. reader.ReadToEnd().Split('\n').Where(l => l.Length > 0 && l[0] != '#')];
    }
}
