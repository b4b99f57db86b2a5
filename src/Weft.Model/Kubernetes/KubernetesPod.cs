using Weft.Model.Resources;

namespace Weft.Model.Kubernetes;

/// <summary>v1 Pod, as far as its endpoint goes.</summary>
public sealed class KubernetesPod : ApiObject
{
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    public KubernetesPodSpec Spec { get; set => field = value ?? new(); } = new();

    public KubernetesPodStatus Status { get; set => field = value ?? new(); } = new();
}

public sealed class KubernetesPodSpec : ApiObject
{
    public string? NodeName { get; set; }

    public bool HostNetwork { get; set; }

    public string? ServiceAccountName { get; set; }

    public List<KubernetesContainer>? Containers { get; set; }

    public List<KubernetesContainer>? InitContainers { get; set; }
}

public sealed class KubernetesContainer : ApiObject
{
    public List<KubernetesContainerPort>? Ports { get; set; }
}

public sealed class KubernetesContainerPort : ApiObject
{
    public string? Name { get; set; }

    /// <summary>TCP when absent.</summary>
    public string? Protocol { get; set; }

    public int ContainerPort { get; set; }

    public int HostPort { get; set; }

    public string? HostIP { get; set; }
}

public sealed class KubernetesPodStatus : ApiObject
{
    /// <summary>Pending, Running, Succeeded, Failed.</summary>
    public string? Phase { get; set; }

    public string? PodIP { get; set; }

    public List<KubernetesPodAddress>? PodIPs { get; set; }
}

public sealed class KubernetesPodAddress : ApiObject
{
    public string? Ip { get; set; }
}
