using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weft.Model.Resources;

public sealed class FelixConfiguration() : Resource(ResourceKind.FelixConfiguration)
{
    /// <summary>All fields by their JSON names (209 of them); the agent's settings interpret those it implements and report the rest.</summary>
    public FelixConfigurationSpec Spec { get; set => field = value ?? new(); } = new();
}

/// <summary>The fields as they stand in JSON; which exist, and their types, says the schema of the kind.</summary>
public sealed class FelixConfigurationSpec
{
    [JsonExtensionData]
    public Dictionary<string, JsonElement> Fields { get; set => field = value ?? []; } = [];
}
