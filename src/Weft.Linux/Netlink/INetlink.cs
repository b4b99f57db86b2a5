namespace Weft.Linux.Netlink;

/// <summary>Receives the messages of a dump.</summary>
public interface INetlinkSink
{
    /// <summary>Forget everything received: the dump starts, or starts again because the table changed under it.</summary>
    void Restart();

    /// <param name="type">RTM_NEW...</param>
    /// <param name="payload">The fixed header of the message type and its attributes; valid only during the call.</param>
    void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload);
}

/// <summary>
/// One netlink socket, used by one thread at a time. The seam at which tests make the kernel fail. Requests are stamped with a sequence number
/// in place, hence the writable spans.
/// </summary>
public interface INetlink : IDisposable
{
    /// <summary>Sends one request that carries NLM_F_ACK and waits for its answer.</summary>
    NetlinkResult Execute(Span<byte> request);

    /// <summary>
    /// Sends several requests in one system call and collects one result for each. The kernel carries out all of them, in order, also after a failure.
    /// </summary>
    /// <returns>A failure when the socket itself failed: then the single results say nothing.</returns>
    NetlinkResult ExecuteBatch(Span<byte> requests, Span<NetlinkResult> results);

    /// <summary>
    /// Sends the messages of an nfnetlink batch (begin, requests, end) in one system call. The kernel carries out all of them or none; without an end it
    /// carries out none and only says whether it could.
    /// </summary>
    /// <param name="failed">Place of the first message that was refused, from 0; -1 for none or for the batch as a whole.</param>
    NetlinkResult Transact(Span<byte> batch, out int failed);

    /// <summary>Sends a dump request, or a get request that carries NLM_F_ACK, and hands every message of the answer to the sink.</summary>
    NetlinkResult Dump<TSink>(scoped Span<byte> request, ref TSink sink) where TSink : struct, INetlinkSink, allows ref struct;
}
