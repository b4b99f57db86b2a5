using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Weft.Model.Keys;
using SortOrder = Etcdserverpb.RangeRequest.Types.SortOrder;
using SortTarget = Etcdserverpb.RangeRequest.Types.SortTarget;

namespace Weft.Datastore.Etcd;

/// <summary>
/// One value that the store held at one revision. A store that no longer knows it is another store: restored from a backup, or made anew under the same
/// address. Revisions alone do not tell, since a new store may have passed the old one's; the cluster id does not tell either, since etcd derives it from
/// its settings. Owned by one <see cref="EtcdWatch"/>.
/// </summary>
internal sealed class StoreHistory(EtcdConnection connection, IReadOnlyList<ModelPrefix> prefixes)
{
    private ByteString? _key;
    private ByteString _value = ByteString.Empty;
    private long _revision;
    private bool _taken;

    /// <summary>The newest event is the best witness.</summary>
    public void Remember(Mvccpb.Event change)
    {
        if (change.Type == Mvccpb.Event.Types.EventType.Put)
        {
            (_key, _value, _revision, _taken) = (change.Kv.Key, change.Kv.Value, change.Kv.ModRevision, true);
        }
    }

    /// <summary>Before every watch stream: takes a witness the first time, asks it later.</summary>
    /// <exception cref="CompactedException">The store has another history, or has forgotten the revision.</exception>
    /// <exception cref="DatastoreException">The store did not answer.</exception>
    public async ValueTask CheckAsync(Revision after, CancellationToken stop)
    {
        if (after.Value <= 0)
        {
            return;
        }

        if (!_taken)
        {
            await TakeAsync(after, stop);
            return;
        }

        if (_key is null)
        {
            // There was nothing in the ranges: the one thing that can be asked is whether the revision exists.
            await ReadAsync(new RangeRequest { Key = KeyRange.Of(prefixes[0]).Key, Revision = after.Value, CountOnly = true }, after, stop);
            return;
        }

        RangeResponse response = await ReadAsync(new RangeRequest { Key = _key, Revision = _revision }, after, stop);
        if (response.Kvs.Count != 1 || !response.Kvs[0].Value.Equals(_value))
        {
            throw Changed($"{_key.ToStringUtf8()} is not what it was at revision {_revision}", after);
        }
    }

    private async ValueTask TakeAsync(Revision after, CancellationToken stop)
    {
        foreach (ModelPrefix prefix in prefixes)
        {
            KeyRange range = KeyRange.Of(prefix);
            RangeRequest newest = new()
            {
                Key = range.Key, RangeEnd = range.End, Revision = after.Value, Limit = 1, SortOrder = SortOrder.Descend, SortTarget = SortTarget.Mod,
            };
            RangeResponse response = await ReadAsync(newest, after, stop);
            if (response.Kvs.Count > 0)
            {
                (_key, _value, _revision) = (response.Kvs[0].Key, response.Kvs[0].Value, after.Value);
                break;
            }
        }

        _taken = true;
    }

    private async ValueTask<RangeResponse> ReadAsync(RangeRequest request, Revision after, CancellationToken stop)
    {
        try
        {
            return await connection.CallAsync($"read at revision {request.Revision}", RequestKind.Read, (e, o) => e.Kv.RangeAsync(request, o), stop);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.OutOfRange)
        {
            // One code for "compacted" and "not there yet"; the present revision tells them apart.
            RangeRequest now = new() { Key = request.Key, CountOnly = true };
            RangeResponse present = await connection.CallAsync("read the present revision", RequestKind.Read, (s, o) => s.Kv.RangeAsync(now, o), stop);
            if (present.Header.Revision < request.Revision)
            {
                throw Changed($"its revision went back from {request.Revision} to {present.Header.Revision}", after);
            }

            // The witness may be forgotten although the changes after the position are still there; without it nothing vouches for them.
            throw new CompactedException($"{connection.Current.Name}: revision {request.Revision} has been compacted away", after);
        }
    }

    private CompactedException Changed(string how, Revision after) =>
        new($"{connection.Current.Name} is another store than before: {how}", after) { HistoryChanged = true };
}
