using Weft.Linux;
using Weft.Linux.Netlink;

namespace Weft.Dataplane.Tests.Drivers;

/// <summary>Talks to the real kernel, counts, and fails what it is told to.</summary>
internal sealed class ScriptedNetlink(INetlink inner) : INetlink
{
    public int Writes { get; private set; }

    public int Dumps { get; private set; }

    /// <summary>The coming calls that fail as a whole.</summary>
    public int FailNext { get; set; }

    /// <summary>Of the coming single results, how many become failures although the kernel did its work.</summary>
    public int FailResults { get; set; }

    /// <summary>After so many more writes the process is as good as dead: nothing reaches the kernel any more. Negative for never.</summary>
    public int DieAfter { get; set; } = -1;

    public Errno Errno { get; set; } = Errno.ENOBUFS;

    /// <summary>A failing transaction was carried out all the same, and its answer lost: the worst case for a driver's memory.</summary>
    public bool FailAfterWork { get; set; }

    public NetlinkResult Execute(Span<byte> request)
    {
        Writes++;
        if (Fails())
        {
            return new NetlinkResult(Errno);
        }

        NetlinkResult result = inner.Execute(request);
        return FailResults-- > 0 ? new NetlinkResult(Errno) : result;
    }

    public NetlinkResult ExecuteBatch(Span<byte> requests, Span<NetlinkResult> results)
    {
        Writes++;
        if (Fails())
        {
            // The worst case: the work was done and the answers were lost.
            inner.ExecuteBatch(requests, results);
            return new NetlinkResult(Errno);
        }

        NetlinkResult sent = inner.ExecuteBatch(requests, results);
        for (int i = 0; i < results.Length && FailResults > 0; i++, FailResults--)
        {
            results[i] = new NetlinkResult(Errno);
        }

        return sent;
    }

    public NetlinkResult Transact(Span<byte> batch, out int failed)
    {
        Writes++;
        failed = -1;
        if (!Fails())
        {
            return inner.Transact(batch, out failed);
        }

        if (FailAfterWork)
        {
            inner.Transact(batch, out _);
        }

        return new NetlinkResult(Errno);
    }

    public NetlinkResult Dump<TSink>(scoped Span<byte> request, ref TSink sink) where TSink : struct, INetlinkSink, allows ref struct
    {
        Dumps++;
        return Fails() ? new NetlinkResult(Errno) : inner.Dump(request, ref sink);
    }

    public void Dispose() => inner.Dispose();

    private bool Fails()
    {
        if (DieAfter >= 0 && DieAfter-- == 0)
        {
            (DieAfter, FailNext) = (-1, int.MaxValue);
        }

        FailNext--;
        return FailNext >= 0;
    }
}
