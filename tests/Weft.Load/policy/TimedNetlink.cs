using System.Diagnostics;
using Weft.Linux.Netlink;

namespace Weft.Load.Policy;

/// <summary>A socket that knows how long the kernel took: what the same writes would cost a program that does nothing else.</summary>
internal sealed class TimedNetlink(INetlink inner) : INetlink
{
    private long _ticks;

    /// <summary>Milliseconds of transactions since the last call.</summary>
    public double Take()
    {
        double taken = Stopwatch.GetElapsedTime(0, _ticks).TotalMilliseconds;
        _ticks = 0;
        return taken;
    }

    public NetlinkResult Execute(Span<byte> request) => inner.Execute(request);

    public NetlinkResult ExecuteBatch(Span<byte> requests, Span<NetlinkResult> results) => inner.ExecuteBatch(requests, results);

    public NetlinkResult Transact(Span<byte> batch, out int failed)
    {
        long started = Stopwatch.GetTimestamp();
        NetlinkResult result = inner.Transact(batch, out failed);
        _ticks += Stopwatch.GetTimestamp() - started;
        return result;
    }

    public NetlinkResult Dump<TSink>(scoped Span<byte> request, ref TSink sink)
        where TSink : struct, INetlinkSink, allows ref struct => inner.Dump(request, ref sink);

    public void Dispose() => inner.Dispose();
}
