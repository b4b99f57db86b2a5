using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Routes;

/// <summary>Which routes one <see cref="RouteTable"/> owns. Two processes on a node must differ in <paramref name="Protocol"/>.</summary>
/// <param name="Protocol">RTPROT_* of the routes it writes: what makes them recognisable after a restart.</param>
public sealed record RouteTableSettings(IpFamily Family, byte Protocol)
{
    /// <summary>254 is the main table.</summary>
    public uint Table { get; init; } = 254;

    /// <summary>Routes of these protocols are ours too: those of the software we take over from. They are replaced and removed like our own.</summary>
    public IReadOnlyList<byte> AdoptedProtocols { get; init; } = [];

    /// <summary>Links on which nobody else may have routes (of protocols other than the kernel's).</summary>
    public Func<string, bool> IsExclusiveLink { get; init; } = static _ => false;

    /// <summary>True when <see cref="IsExclusiveLink"/> can say true at all: then the whole table is read, not only our protocol.</summary>
    public bool HasExclusiveLinks { get; init; }

    /// <summary>After a start, unexpected routes on exclusive links are left alone this long: their pods may not have been reported yet.</summary>
    public TimeSpan CleanupGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often the kernel is read although nothing changed; zero for never.</summary>
    public TimeSpan RefreshInterval { get; init; } = TimeSpan.FromSeconds(90);

    internal bool IsOurs(byte protocol) => protocol == Protocol || AdoptedProtocols.Contains(protocol);

    internal RouteFilter Filter => new(Family, Table, HasExclusiveLinks || AdoptedProtocols.Count > 0 ? (byte)0 : Protocol);
}
