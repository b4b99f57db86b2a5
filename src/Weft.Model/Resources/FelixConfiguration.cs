using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weft.Model.Resources;

public sealed class FelixConfiguration : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.FelixConfiguration;

    /// <summary>All fields by their JSON names (209 of them); the agent's settings interpret those it implements and report the rest.</summary>
    public FelixConfigurationSpec Spec { get; set; } = new();
}

/// <summary>The fields as they stand in JSON.</summary>
public sealed class FelixConfigurationSpec
{
    [JsonExtensionData]
    public Dictionary<string, JsonElement> Fields { get; set; } = [];
}
