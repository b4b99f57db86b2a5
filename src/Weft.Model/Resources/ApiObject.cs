using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weft.Model.Resources;

/// <summary>
/// Any JSON object inside a stored value. Members that this version of weft does not know are kept and written back, so that a read-modify-write
/// by weft loses nothing that a newer release or another tool put there.
/// </summary>
public abstract class ApiObject
{
    /// <summary>Members by their JSON names; null when every member is known.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? UnknownFields { get; set; }
}
