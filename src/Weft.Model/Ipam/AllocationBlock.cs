using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using Weft.Model.Resources;

namespace Weft.Model.Ipam;

/// <summary>
/// A block of addresses as stored under <see cref="Keys.BlockKey"/>: plain data, byte-compatible with Calico. The rules for changing it are in Weft.Ipam.
/// </summary>
public sealed class AllocationBlock : ApiObject
{
    [JsonPropertyName("cidr")]
    public string Cidr { get; set => field = value ?? string.Empty; } = string.Empty;

    /// <summary>"host:NODE" or "virtual:NAME"; null for a block without an owner.</summary>
    [JsonPropertyName("affinity")]
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Affinity { get; set; }

    [JsonPropertyName("affinity_claim_time")]
    public string? AffinityClaimTime { get; set; }

    /// <summary>Per ordinal: null when free, else an index into <see cref="Attributes"/>.</summary>
    [JsonPropertyName("allocations")]
    public List<int?> Allocations { get; set => field = value ?? []; } = [];

    /// <summary>Free ordinals in order of use: taken from the front, returned at the end.</summary>
    [JsonPropertyName("unallocated")]
    public List<int> Unallocated { get; set => field = value ?? []; } = [];

    [JsonPropertyName("attributes")]
    public List<AllocationAttribute> Attributes { get; set => field = value ?? []; } = [];

    /// <summary>Creation time in Unix nanoseconds, one more at every write.</summary>
    [JsonPropertyName("sequenceNumber")]
    public ulong SequenceNumber { get; set; }

    /// <summary>Ordinal (as text) to the block's sequence number at allocation.</summary>
    [JsonPropertyName("sequenceNumberForAllocation")]
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public Dictionary<string, ulong>? SequenceNumberForAllocation { get; set; }

    [JsonPropertyName("deleted")]
    public bool Deleted { get; set; }

    /// <summary>Bare host name in blocks written by very old releases; read, never written.</summary>
    [JsonPropertyName("hostAffinity")]
    public string? HostAffinity { get; set; }
}

/// <summary>Who holds addresses of a block.</summary>
public sealed class AllocationAttribute : ApiObject
{
    [JsonPropertyName("handle_id")]
    public string? HandleId { get; set; }

    [JsonPropertyName("secondary")]
    public Dictionary<string, string>? Secondary { get; set; }

    [JsonPropertyName("alternateOwnerAttrs")]
    public Dictionary<string, string>? AlternateOwnerAttrs { get; set; }

    /// <summary>Set while the address waits for its cooldown to pass.</summary>
    [JsonPropertyName("releasedAt")]
    public string? ReleasedAt { get; set; }
}

/// <summary>Value under <see cref="Keys.BlockAffinityKey"/>.</summary>
public sealed class BlockAffinityValue : ApiObject
{
    /// <summary>"confirmed" (also when empty), "pending" or "pendingDeletion".</summary>
    [JsonPropertyName("state")]
    [AllowNull]
    public string State { get; set => field = value ?? string.Empty; } = string.Empty;

    [JsonPropertyName("deleted")]
    public bool Deleted { get; set; }
}

/// <summary>Value under <see cref="Keys.HandleKey"/>: how many addresses of each block the handle holds (an upper bound).</summary>
public sealed class IpamHandle : ApiObject
{
    [JsonPropertyName("block")]
    public Dictionary<string, int> Block { get; set => field = value ?? []; } = [];

    [JsonPropertyName("deleted")]
    public bool Deleted { get; set; }
}

/// <summary>Value under <see cref="Keys.IpamConfigKey"/>. Members that are zero are not written; a missing object means the defaults.</summary>
public sealed class IpamConfig : ApiObject
{
    [JsonPropertyName("strict_affinity")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool StrictAffinity { get; set; }

    [JsonPropertyName("auto_allocate_blocks")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool AutoAllocateBlocks { get; set; }

    [JsonPropertyName("maxBlocksPerHost")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int MaxBlocksPerHost { get; set; }

    [JsonPropertyName("kubeVirtVMAddressPersistence")]
    public string? KubeVirtVMAddressPersistence { get; set; }

    /// <summary>0..1200.</summary>
    [JsonPropertyName("ipCooldownSeconds")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int IpCooldownSeconds { get; set; }

    /// <summary>What holds when nothing is stored.</summary>
    public static IpamConfig Default => new() { AutoAllocateBlocks = true };
}

/// <summary>Value under <see cref="Keys.IpamHostKey"/>: an empty object.</summary>
public sealed class IpamHost : ApiObject;
