using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.IpSets;

/// <summary>What the members of a set are.</summary>
public enum IpSetType
{
    /// <summary>Single addresses: hash:ip.</summary>
    Ip,

    /// <summary>Prefixes: hash:net.</summary>
    Net,

    /// <summary>Address, protocol and port: hash:ip,port.</summary>
    IpPort,
}

/// <summary>A member of a set as a value, so that the same member always compares equal however it was written.</summary>
/// <param name="Prefix">A host prefix except in <see cref="IpSetType.Net"/>.</param>
/// <param name="Protocol">IP protocol number; 0 except in <see cref="IpSetType.IpPort"/>.</param>
public readonly record struct IpSetMember(IpPrefix Prefix, byte Protocol = 0, ushort Port = 0)
{
    public IpFamily Family => Prefix.Family;

    /// <summary>Reads Calico's and ipset's text: "10.0.0.1", "10.0.0.0/8", "10.0.0.1,tcp:80".</summary>
    public static bool TryParse(IpSetType type, ReadOnlySpan<char> text, out IpSetMember member)
    {
        member = default;
        if (type == IpSetType.IpPort)
        {
            int comma = text.IndexOf(','), colon = text.LastIndexOf(':');
            if (comma < 0
                || colon < comma
                || !IpAddress.TryParse(text[..comma], out IpAddress address)
                || !TryParseProtocol(text[(comma + 1)..colon], out byte protocol)
                || !ushort.TryParse(text[(colon + 1)..], out ushort port))
            {
                return false;
            }

            member = new IpSetMember(address.ToPrefix(), protocol, port);
            return true;
        }

        if (!IpPrefix.TryParseNet(text, out IpPrefix prefix) || (type == IpSetType.Ip && !prefix.IsHost))
        {
            return false;
        }

        member = new IpSetMember(prefix);
        return true;
    }

    /// <exception cref="FormatException">Not a member of such a set.</exception>
    public static IpSetMember Parse(IpSetType type, string text) =>
        TryParse(type, text, out IpSetMember member) ? member : throw new FormatException($"\"{text}\" is not a member of a set of type {type}");

    public override string ToString()
    {
        if (Protocol == 0)
        {
            return Prefix.IsHost ? Prefix.Address.ToString() : Prefix.ToString();
        }

        string protocol = Protocol switch { 6 => "tcp", 17 => "udp", 132 => "sctp", _ => Protocol.ToString() };
        return $"{Prefix.Address},{protocol}:{Port}";
    }

    private static bool TryParseProtocol(ReadOnlySpan<char> text, out byte protocol)
    {
        protocol = text switch { "tcp" => 6, "udp" => 17, "sctp" => 132, _ => 0 };
        return protocol != 0 || byte.TryParse(text, out protocol);
    }
}

/// <summary>A set apart from its members.</summary>
/// <param name="Id">Unique among the sets of a family: "s:..." for a selector, "this-host".</param>
/// <param name="MaxElements">The kernel refuses more members.</param>
public sealed record IpSetMetadata(string Id, IpSetType Type, int MaxElements = 1_048_576);
