namespace Weft.Dataplane.Rules;

/// <summary>How tunnel devices are made; names and defaults are those of FelixConfiguration.</summary>
public sealed record TunnelSettings
{
    /// <summary>vxlanVNI, 1..16777215.</summary>
    public uint Vni { get; init; } = 4096;

    /// <summary>vxlanMTU, vxlanMTUV6, ipipMTU in bytes; 0: what the interface below carries, less the outer headers.</summary>
    public int VxlanMtu { get; init; }

    public int VxlanMtuV6 { get; init; }

    public int IpipMtu { get; init; }
}
