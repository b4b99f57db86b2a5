namespace Weft.Primitives.Net;

/// <summary>The two address families weft routes and filters. The value is the IP version number.</summary>
public enum IpFamily : byte
{
    /// <summary>No family: the value of a default <see cref="IpAddress"/>.</summary>
    None = 0,

    IPv4 = 4,

    IPv6 = 6,
}
