namespace Weft.Linux.Netlink;

/// <summary>
/// Routes to be written together. Filled, sent by <see cref="RouteRequests.Write(RouteBatch)"/>, read, cleared, filled again: the buffer is kept.
/// Bounded: the owner sends when <see cref="IsFull"/>.
/// </summary>
public sealed class RouteBatch
{
    /// <summary>Where one system call stops getting cheaper per route (1000 routes are about 60 KB).</summary>
    public const int Capacity = 1000;

    private byte[] _buffer = new byte[64 * 1024];
    private readonly NetlinkResult[] _results = new NetlinkResult[Capacity];
    private int _length;

    public int Count { get; private set; }

    public bool IsFull => Count == Capacity;

    /// <summary>One result per route, in the order added; valid after a successful send.</summary>
    public ReadOnlySpan<NetlinkResult> Results => _results.AsSpan(0, Count);

    /// <exception cref="InvalidOperationException">The batch is full.</exception>
    public void Add(RouteWrite write, in RouteInfo route)
    {
        if (IsFull)
        {
            throw new InvalidOperationException($"a route batch holds {Capacity} routes");
        }

        if (_buffer.Length - _length < RouteRequests.LargestRequest)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        _length += RouteRequests.Build(_buffer.AsSpan(_length), write, route).Length;
        Count++;
    }

    public void Clear()
    {
        _length = 0;
        Count = 0;
    }

    internal NetlinkResult Send(INetlink netlink) => netlink.ExecuteBatch(_buffer.AsSpan(0, _length), _results.AsSpan(0, Count));
}
