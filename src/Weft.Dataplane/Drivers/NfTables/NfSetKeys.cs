using System.Buffers.Binary;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// Members of sets as the kernel compares them, each field padded to four bytes:
/// <code>
/// | address 4 or 16 |                                   addresses and prefixes
/// | address 4 or 16 | protocol 1, 0 0 0 | port 2, 0 0 |   address, protocol and port
/// </code>
/// </summary>
internal static class NfSetKeys
{
    // nft's numbers of its types; a concatenation is their numbers, six bits each.
    private const uint Ipv4Address = 7;
    private const uint Ipv6Address = 8;
    private const uint InetProtocol = 12;
    private const uint InetService = 13;
    private const uint InterfaceName = 41;

    public static uint InterfaceType => InterfaceName;

    public static int Length(IpFamily family, IpSetType type) => AddressLength(family) + (type == IpSetType.IpPort ? 8 : 0);

    public static uint Type(IpFamily family, IpSetType type)
    {
        uint address = family == IpFamily.IPv4 ? Ipv4Address : Ipv6Address;
        return type == IpSetType.IpPort ? address << 12 | InetProtocol << 6 | InetService : address;
    }

    /// <summary>The keys of all members, one behind the other.</summary>
    public static byte[] Of(IpFamily family, IpSetType type, IReadOnlyCollection<IpSetMember> members)
    {
        int length = Length(family, type), at = 0;
        byte[] keys = new byte[length * members.Count];
        foreach (IpSetMember member in members)
        {
            Write(family, type, member, keys.AsSpan(at, length));
            at += length;
        }

        return keys;
    }

    /// <summary>The member of a key; its prefix has the length of the part that the key stands in.</summary>
    public static IpSetMember Parse(IpFamily family, IpSetType type, int prefixLength, ReadOnlySpan<byte> key)
    {
        int length = AddressLength(family);
        IpPrefix prefix = new(IpAddress.FromBytes(key[..length]), prefixLength);
        return type == IpSetType.IpPort ? new IpSetMember(prefix, key[length], BinaryPrimitives.ReadUInt16BigEndian(key[(length + 4)..])) : new IpSetMember(prefix);
    }

    private static int AddressLength(IpFamily family) => family == IpFamily.IPv4 ? 4 : 16;

    private static void Write(IpFamily family, IpSetType type, IpSetMember member, Span<byte> key)
    {
        int length = AddressLength(family);
        member.Prefix.Address.CopyTo(key);
        if (type == IpSetType.IpPort)
        {
            key[length] = member.Protocol;
            BinaryPrimitives.WriteUInt16BigEndian(key[(length + 4)..], member.Port);
        }
    }
}
