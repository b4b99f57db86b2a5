using Etcdserverpb;
using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Store.Storage;

namespace Weft.Cluster.Store.Services;

/// <summary>What every service of the store works with.</summary>
/// <param name="Loop">The writer, and the newest state.</param>
/// <param name="Events">Older changes, for watches that start early or are slow.</param>
/// <param name="History">Older states.</param>
/// <param name="File">For ids and snapshots; everything else on it belongs to the loop.</param>
/// <param name="Settings">Names and addresses to tell clients.</param>
/// <param name="Time">The clock.</param>
/// <param name="Stop">Fires when the role stops: streams end.</param>
internal sealed record StoreContext(
    WriteLoop Loop, HistoryPool Events, IHistory History, StoreFile File, StoreSettings Settings, TimeProvider Time, CancellationToken Stop)
{
    /// <summary>The version of etcd whose API this is; clients decide by it what they may use.</summary>
    public const string EtcdVersion = "3.5.16";

    /// <summary>There is no Raft here; a single etcd that has elected itself shows term 2.</summary>
    public const ulong RaftTerm = 2;

    public StoreState State => Loop.State;

    /// <summary>The header of an answer that shows the newest state.</summary>
    public ResponseHeader Header() => Header(State.Revision);

    public ResponseHeader Header(long revision) => Complete(new ResponseHeader { Revision = revision });

    /// <summary>Adds what is the same in every header. Inside a transaction etcd leaves it out.</summary>
    public ResponseHeader Complete(ResponseHeader header)
    {
        header.ClusterId = File.ClusterId;
        header.MemberId = File.MemberId;
        header.RaftTerm = RaftTerm;
        return header;
    }
}
