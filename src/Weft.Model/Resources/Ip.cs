namespace Weft.Model.Resources;

public sealed class IPPool : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.IPPool;

    public IPPoolSpec Spec { get; set; } = new();
}

public sealed class IPPoolSpec
{
    public string Cidr { get; set; } = string.Empty;

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

public sealed class IPReservation : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.IPReservation;

    public IPReservationSpec Spec { get; set; } = new();
}

public sealed class IPReservationSpec
{
    public List<string>? ReservedCIDRs { get; set; }
}

public sealed class IPAMConfiguration : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.IPAMConfiguration;

    public IPAMConfigurationSpec Spec { get; set; } = new();
}

public sealed class IPAMConfigurationSpec
{
    public bool? StrictAffinity { get; set; }

    public bool? AutoAllocateBlocks { get; set; }

    public int? MaxBlocksPerHost { get; set; }

    public string? KubeVirtVMAddressPersistence { get; set; }

    public int? IpCooldownSeconds { get; set; }
}

/// <summary>The v3 resource; the engine's own affinities are <see cref="Weft.Model.Ipam.BlockAffinityValue"/> under other keys.</summary>
public sealed class BlockAffinity : Resource
{
    public override ResourceKind ResourceKind => ResourceKind.BlockAffinity;

    public BlockAffinitySpec Spec { get; set; } = new();
}

public sealed class BlockAffinitySpec
{
    public string? State { get; set; }

    public string? Node { get; set; }

    public string? Type { get; set; }

    public string? Cidr { get; set; }

    /// <summary>Stored as the string "true" or "false".</summary>
    public string? Deleted { get; set; }
}
