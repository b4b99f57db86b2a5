using System.Text.Json.Serialization;
using Weft.Model.Resources;

namespace Weft.Model.Status;

/// <summary>Value under <see cref="Keys.FelixStatusKey"/>: a sign of life of an agent.</summary>
public sealed class FelixStatusReport : ApiObject
{
    /// <summary>RFC 3339, UTC.</summary>
    [JsonPropertyName("time")]
    public string Time { get; set => field = value ?? string.Empty; } = string.Empty;

    /// <summary>Seconds.</summary>
    [JsonPropertyName("uptime")]
    public double Uptime { get; set; }

    /// <summary>True in the first report after a start.</summary>
    [JsonPropertyName("first_update")]
    public bool FirstUpdate { get; set; }
}

/// <summary>Value under <see cref="Keys.WorkloadStatusKey"/> and <see cref="Keys.HostEndpointStatusKey"/>.</summary>
public sealed class EndpointStatusReport : ApiObject
{
    /// <summary>"up", "down" or "error".</summary>
    [JsonPropertyName("status")]
    public string Status { get; set => field = value ?? string.Empty; } = string.Empty;
}
