using System.Text.Json.Serialization;
using Weft.Model.Json;

namespace Weft.Model.Resources;

public sealed class IPPool() : Resource(ResourceKind.IPPool)
{
    public IPPoolSpec Spec { get; set => field = value ?? new(); } = new();

    public ConditionsStatus? Status { get; set; }
}

public sealed class IPPoolSpec : ApiObject
{
    public string Cidr { get; set => field = value ?? string.Empty; } = string.Empty;

    /// <summary>Never, Always or CrossSubnet.</summary>
    public string? VxlanMode { get; set; }

    /// <summary>Never, Always or CrossSubnet.</summary>
    public string? IpipMode { get; set; }

    public bool? NatOutgoing { get; set; }

    public bool? Disabled { get; set; }

    public bool? DisableBGPExport { get; set; }

    /// <summary>Prefix length of a block: 20..32 (26) or 116..128 (122).</summary>
    public int? BlockSize { get; set; }

    public string? NodeSelector { get; set; }

    public string? NamespaceSelector { get; set; }

    /// <summary>Workload, Tunnel, LoadBalancer.</summary>
    public List<string>? AllowedUses { get; set; }

    /// <summary>Automatic or Manual.</summary>
    public string? AssignmentMode { get; set; }
}

public sealed class IPReservation() : Resource(ResourceKind.IPReservation)
{
    public IPReservationSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class IPReservationSpec : ApiObject
{
    public List<string>? ReservedCIDRs { get; set; }
}

public sealed class IPAMConfiguration() : Resource(ResourceKind.IPAMConfiguration)
{
    public IPAMConfigurationSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class IPAMConfigurationSpec : ApiObject
{
    public bool? StrictAffinity { get; set; }

    public bool? AutoAllocateBlocks { get; set; }

    public int? MaxBlocksPerHost { get; set; }

    public string? KubeVirtVMAddressPersistence { get; set; }

    public int? IpCooldownSeconds { get; set; }
}

/// <summary>The v3 resource; the engine's own affinities are <see cref="Weft.Model.Ipam.BlockAffinityValue"/> under other keys.</summary>
public sealed class BlockAffinity() : Resource(ResourceKind.BlockAffinity)
{
    public BlockAffinitySpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class BlockAffinitySpec : ApiObject
{
    public string? State { get; set; }

    public string? Node { get; set; }

    public string? Type { get; set; }

    public string? Cidr { get; set; }

    /// <summary>A boolean in the API, the string "true" or "false" in etcd: the codec turns one into the other.</summary>
    [JsonConverter(typeof(BooleanOrTextConverter))]
    public bool Deleted { get; set; }
}
