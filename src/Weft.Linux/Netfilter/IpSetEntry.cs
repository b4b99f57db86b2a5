using Weft.Primitives.Net;

namespace Weft.Linux.Netfilter;

/// <summary>A member of a kernel set.</summary>
/// <param name="Prefix">A host prefix except in hash:net.</param>
/// <param name="Protocol">IP protocol number; 0 except in hash:ip,port.</param>
public readonly record struct IpSetEntry(IpPrefix Prefix, byte Protocol = 0, ushort Port = 0);

/// <summary>A kernel set apart from its members.</summary>
/// <param name="TypeName">"hash:net".</param>
/// <param name="MaxElements">The kernel refuses more members.</param>
/// <param name="HashSize">Buckets; the kernel doubles them by itself as members come. 0 leaves the first number to it.</param>
public sealed record IpSetHeader(string Name, string TypeName, IpFamily Family, uint MaxElements, uint HashSize = 0)
{
    /// <summary>How many members it has; told by the kernel only.</summary>
    public uint Elements { get; init; }

    /// <summary>How many rules and other sets name it; told by the kernel only.</summary>
    public uint References { get; init; }
}

/// <summary>The kernel's names of the types of sets that are used here.</summary>
public static class IpSetTypes
{
    public const string Ip = "hash:ip";
    public const string Net = "hash:net";
    public const string IpPort = "hash:ip,port";
}
