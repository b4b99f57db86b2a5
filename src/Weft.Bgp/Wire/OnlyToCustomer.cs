using System.Buffers.Binary;

namespace Weft.Bgp.Wire;

/// <summary>
/// Roles and the Only to Customer attribute, RFC 9234. "Local" is always what we are to the peer: a session on which we are the customer is one with a provider.
/// </summary>
internal static class OnlyToCustomer
{
    /// <summary>Octets the attribute takes in a block.</summary>
    public const int Length = 7;

    private const byte Flags = AttributeFlags.Optional | AttributeFlags.Transitive;

    /// <summary>RFC 9234 4.2, table 2: whether the two sides see their relationship alike.</summary>
    public static bool Correspond(BgpRole local, BgpRole remote) => (local, remote) switch
    {
        (BgpRole.Provider, BgpRole.Customer) or (BgpRole.Customer, BgpRole.Provider) => true,
        (BgpRole.RouteServer, BgpRole.RouteServerClient) or (BgpRole.RouteServerClient, BgpRole.RouteServer) => true,
        (BgpRole.Peer, BgpRole.Peer) => true,
        _ => false,
    };

    /// <summary>RFC 9234 5, on ingress 1 and 2: the route has gone where it must not go.</summary>
    /// <param name="value">Of the attribute; empty: the route has none.</param>
    public static bool IsLeak(BgpRole local, uint remoteAs, ReadOnlySpan<byte> value) => !value.IsEmpty && local switch
    {
        BgpRole.Provider or BgpRole.RouteServer => true,
        BgpRole.Peer => BinaryPrimitives.ReadUInt32BigEndian(value) != remoteAs,
        _ => false,
    };

    /// <summary>RFC 9234 5, on ingress 3: a route without the attribute gets it, with the peer's AS.</summary>
    public static bool MarksReceived(BgpRole? local) => local is BgpRole.Customer or BgpRole.RouteServerClient or BgpRole.Peer;

    /// <summary>RFC 9234 5, on egress 1: a route without the attribute gets it, with our AS.</summary>
    public static bool MarksSent(BgpRole? local) => local is BgpRole.Provider or BgpRole.RouteServer or BgpRole.Peer;

    /// <summary>RFC 9234 5, on egress 2: a route with the attribute is not sent.</summary>
    public static bool Bars(BgpRole? local) => local is BgpRole.Customer or BgpRole.RouteServerClient or BgpRole.Peer;

    public static void Write(ref AttributeWriter writer, uint number) => writer.Write(Flags, AttributeType.OnlyToCustomer, number);

    /// <summary>Puts the attribute to its place in a block that has room for <see cref="Length"/> octets more; one that is there stays. Returns the new length.</summary>
    public static int Insert(Span<byte> block, int length, uint number)
    {
        var attributes = new CanonicalAttributes(block[..length]);
        int at = length - attributes.Remaining;
        while (attributes.MoveNext() && attributes.Type <= (byte)AttributeType.OnlyToCustomer)
        {
            if (attributes.Type == (byte)AttributeType.OnlyToCustomer)
            {
                return length;
            }

            at = length - attributes.Remaining;
        }

        block[at..length].CopyTo(block[(at + Length)..]);
        var writer = new AttributeWriter(block, at);
        Write(ref writer, number);
        return length + Length;
    }
}
