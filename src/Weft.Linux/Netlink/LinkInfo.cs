using Weft.Primitives.Net;

namespace Weft.Linux.Netlink;

/// <summary>A network interface as the kernel describes it.</summary>
public sealed record LinkInfo
{
    /// <summary>Unique in its namespace; never reused while the namespace lives, in practice.</summary>
    public required int Index { get; init; }

    public required string Name { get; init; }

    /// <summary>"veth", "bridge", "vxlan" ...; empty for physical devices and the loopback.</summary>
    public string Kind { get; init; } = string.Empty;

    /// <summary>IFF_UP: an administrator wants it up.</summary>
    public bool IsUp { get; init; }

    /// <summary>IFF_LOWER_UP: it has a carrier.</summary>
    public bool HasCarrier { get; init; }

    public bool IsLoopback { get; init; }

    public int Mtu { get; init; }

    public MacAddress Mac { get; init; }

    /// <summary>The bridge or VRF it belongs to; 0 for none.</summary>
    public int MasterIndex { get; init; }

    /// <summary>IFLA_LINK: for a veth the index of the other end, in the namespace of the other end.</summary>
    public int ParentIndex { get; init; }

    /// <summary>IFLA_GROUP; 0 unless somebody set it.</summary>
    public uint Group { get; init; }

    /// <summary>IFLA_IFALIAS: free text that stays with the link; empty for none.</summary>
    public string Alias { get; init; } = string.Empty;

    /// <summary>How a VXLAN device was made; null for every other kind.</summary>
    public VxlanSettings? Vxlan { get; init; }
}
