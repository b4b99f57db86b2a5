using System.Buffers.Binary;
using Etcdserverpb;
using Google.Protobuf;
using Mvccpb;
using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Store.Storage;
using Weft.Cluster.Store.Transport;

namespace Weft.Cluster.Store.Services;

/// <summary>etcdserverpb.Maintenance: status, snapshot, defragmentation, hashes.</summary>
internal sealed class MaintenanceService(StoreContext store)
{
    private const int SnapshotChunk = 32 << 10;

    public void Register(GrpcRouter router)
    {
        router.Unary("/etcdserverpb.Maintenance/Status", StatusRequest.Parser, Status);
        router.Unary("/etcdserverpb.Maintenance/Alarm", AlarmRequest.Parser, Alarm);
        router.Unary("/etcdserverpb.Maintenance/Defragment", DefragmentRequest.Parser, DefragmentAsync);
        router.Unary("/etcdserverpb.Maintenance/Hash", HashRequest.Parser, Hash);
        router.Unary("/etcdserverpb.Maintenance/HashKV", HashKVRequest.Parser, HashKv);
        router.ServerStream("/etcdserverpb.Maintenance/Snapshot", SnapshotRequest.Parser, SnapshotAsync);
    }

    private ValueTask<IMessage> Status(StatusRequest request, GrpcCall call)
    {
        (long size, long inUse) = store.Loop.FileSize;
        StatusResponse response = new()
        {
            Header = store.Header(),
            Version = StoreContext.EtcdVersion,
            DbSize = size,
            DbSizeInUse = inUse,
            Leader = store.File.MemberId,
            RaftIndex = (ulong)store.State.Revision, // There is no Raft log; the revision grows the same way.
            RaftAppliedIndex = (ulong)store.State.Revision,
            RaftTerm = StoreContext.RaftTerm,
        };
        if (store.Loop.IsOutOfSpace)
        {
            response.Errors.Add($"memberID:{store.File.MemberId} alarm:NOSPACE ");
        }

        return ValueTask.FromResult<IMessage>(response);
    }

    /// <summary>NOSPACE stands for as long as there is no room, and goes by itself; there is nothing to disarm.</summary>
    private ValueTask<IMessage> Alarm(AlarmRequest request, GrpcCall call)
    {
        AlarmResponse response = new(); // without a header, as etcd
        if (store.Loop.IsOutOfSpace && request.Action == AlarmRequest.Types.AlarmAction.Get && request.Alarm is AlarmType.None or AlarmType.Nospace)
        {
            response.Alarms.Add(new AlarmMember { MemberID = store.File.MemberId, Alarm = AlarmType.Nospace });
        }

        return ValueTask.FromResult<IMessage>(response);
    }

    private async ValueTask<IMessage> DefragmentAsync(DefragmentRequest request, GrpcCall call)
    {
        await store.Loop.RunOnFileAsync(static file => file.Defragment(), call.Cancel);
        return new DefragmentResponse { Header = store.Header() };
    }

    private ValueTask<IMessage> Hash(HashRequest request, GrpcCall call)
    {
        StoreState state = store.State;
        return ValueTask.FromResult<IMessage>(new HashResponse { Header = store.Header(state.Revision), Hash = HashAt(state, state.Revision) });
    }

    private ValueTask<IMessage> HashKv(HashKVRequest request, GrpcCall call)
    {
        StoreState state = store.State;
        long revision = request.Revision > 0 ? request.Revision : state.Revision;
        HashKVResponse response = new()
        {
            Header = store.Header(state.Revision),
            Hash = HashAt(state, revision),
            CompactRevision = state.CompactRevision == 0 ? -1 : state.CompactRevision, // as etcd: -1 when nothing was compacted
        };
        return ValueTask.FromResult<IMessage>(response);
    }

    /// <summary>CRC-32C of the live pairs at the revision, in key order. Not etcd's sum, which also covers its file: it compares two of these stores.</summary>
    private uint HashAt(StoreState state, long revision)
    {
        RangeResponse pairs = RangeQuery.Run(
            new RangeRequest { Key = ByteString.CopyFrom(0), RangeEnd = ByteString.CopyFrom(0), Revision = revision }, state, store.History);
        uint crc = uint.MaxValue;
        Span<byte> numbers = stackalloc byte[4 * sizeof(long)];
        foreach (KeyValue kv in pairs.Kvs)
        {
            BinaryPrimitives.WriteInt64LittleEndian(numbers, kv.CreateRevision);
            BinaryPrimitives.WriteInt64LittleEndian(numbers[8..], kv.ModRevision);
            BinaryPrimitives.WriteInt64LittleEndian(numbers[16..], kv.Version);
            BinaryPrimitives.WriteInt64LittleEndian(numbers[24..], kv.Lease);
            crc = Row.Crc(Row.Crc(Row.Crc(crc, numbers), kv.Key.Span), kv.Value.Span);
        }

        return ~crc;
    }

    /// <summary>The data file of a store with the newest committed state, then its SHA-256; put in the place of a data file it is one.</summary>
    private async Task SnapshotAsync(SnapshotRequest request, GrpcCall call)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(call.Cancel, store.Stop);
        await using FileStream snapshot = store.File.Snapshot();
        byte[] chunk = new byte[SnapshotChunk];
        long remaining = snapshot.Length;
        while (remaining > 0)
        {
            int read = await snapshot.ReadAsync(chunk, end.Token);
            remaining -= read;
            await call.SendAsync(
                new SnapshotResponse
                {
                    Header = store.Header(),
                    RemainingBytes = (ulong)remaining,
                    Blob = ByteString.CopyFrom(chunk, 0, read),
                    Version = StoreContext.EtcdVersion,
                },
                end.Token);
        }
    }
}
