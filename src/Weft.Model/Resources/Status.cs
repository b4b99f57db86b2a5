using System.Text.Json;

namespace Weft.Model.Resources;

/// <summary>One entry of status.conditions, as in the Kubernetes API.</summary>
public sealed class StatusCondition : ApiObject
{
    /// <summary>"Allocatable" for an IPPool, "Ready" for a Tier.</summary>
    public string Type { get; set => field = value ?? string.Empty; } = string.Empty;

    /// <summary>"True", "False" or "Unknown".</summary>
    public string Status { get; set => field = value ?? string.Empty; } = string.Empty;

    public long? ObservedGeneration { get; set; }

    public string? LastTransitionTime { get; set; }

    public string Reason { get; set => field = value ?? string.Empty; } = string.Empty;

    public string Message { get; set => field = value ?? string.Empty; } = string.Empty;
}

/// <summary>Status of a kind that reports by conditions only.</summary>
public sealed class ConditionsStatus : ApiObject
{
    public List<StatusCondition>? Conditions { get; set; }
}

/// <summary>What one node reports of its processes, sessions and routes; asked for by a user, filled by the node.</summary>
public sealed class CalicoNodeStatus() : Resource(ResourceKind.CalicoNodeStatus)
{
    public CalicoNodeStatusSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>As it stands in JSON; its shape is in the schema of the kind.</summary>
    public JsonElement? Status { get; set; }
}

public sealed class CalicoNodeStatusSpec : ApiObject
{
    public string? Node { get; set; }

    /// <summary>Agent, BGP, Routes.</summary>
    public List<string>? Classes { get; set; }

    /// <summary>0 stops the updates.</summary>
    public long? UpdatePeriodSeconds { get; set; }
}

/// <summary>Settings of the cluster's controllers; only the object named "default" counts.</summary>
public sealed class KubeControllersConfiguration() : Resource(ResourceKind.KubeControllersConfiguration)
{
    public KubeControllersConfigurationSpec Spec { get; set => field = value ?? new(); } = new();

    /// <summary>As it stands in JSON; its shape is in the schema of the kind.</summary>
    public JsonElement? Status { get; set; }
}

public sealed class KubeControllersConfigurationSpec : ApiObject
{
    public string? LogSeverityScreen { get; set; }

    public string? HealthChecks { get; set; }

    public string? EtcdV3CompactionPeriod { get; set; }

    public int? PrometheusMetricsPort { get; set; }

    /// <summary>One member per controller, as it stands in JSON.</summary>
    public JsonElement? Controllers { get; set; }

    public long? DebugProfilePort { get; set; }
}
