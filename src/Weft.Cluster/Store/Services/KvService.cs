using Etcdserverpb;
using Google.Protobuf;
using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Store.Transport;

namespace Weft.Cluster.Store.Services;

/// <summary>etcdserverpb.KV. Reads are answered from the newest durable state without asking the writer: an acknowledged write is always in it.</summary>
internal sealed class KvService(StoreContext store)
{
    public void Register(GrpcRouter router)
    {
        router.Unary("/etcdserverpb.KV/Range", RangeRequest.Parser, Range);
        router.Unary("/etcdserverpb.KV/Put", PutRequest.Parser, PutAsync);
        router.Unary("/etcdserverpb.KV/DeleteRange", DeleteRangeRequest.Parser, DeleteRangeAsync);
        router.Unary("/etcdserverpb.KV/Txn", TxnRequest.Parser, TxnAsync);
        router.Unary("/etcdserverpb.KV/Compact", CompactionRequest.Parser, CompactAsync);
    }

    private ValueTask<IMessage> Range(RangeRequest request, GrpcCall call)
    {
        RequestChecks.Check(request);
        RangeResponse response = RangeQuery.Run(request, store.State, store.History);
        store.Complete(response.Header);
        return ValueTask.FromResult<IMessage>(response);
    }

    private async ValueTask<IMessage> PutAsync(PutRequest request, GrpcCall call)
    {
        RequestChecks.Check(request);
        CheckSize(call);
        CheckSpace();
        PutResponse response = await store.Loop.RunAsync(context => Requests.Put(request, context.Store), call.Cancel);
        store.Complete(response.Header);
        return response;
    }

    private async ValueTask<IMessage> DeleteRangeAsync(DeleteRangeRequest request, GrpcCall call)
    {
        RequestChecks.Check(request);
        CheckSize(call);
        DeleteRangeResponse response = await store.Loop.RunAsync(context => Requests.Delete(request, context.Store), call.Cancel);
        store.Complete(response.Header);
        return response;
    }

    private async ValueTask<IMessage> TxnAsync(TxnRequest request, GrpcCall call)
    {
        RequestChecks.Check(request);
        TxnResponse response;
        if (RequestChecks.IsReadOnly(request))
        {
            response = Requests.Txn(request, store.State, store: null, store.History);
            }
        else
        {
            CheckSize(call);
            if (RequestChecks.HasPut(request))
            {
                CheckSpace();
            }

            response = await store.Loop.RunAsync(context => Requests.Txn(request, context.Store, context.Store, context.History), call.Cancel);
        }

        store.Complete(response.Header);
        return response;
    }

    private async ValueTask<IMessage> CompactAsync(CompactionRequest request, GrpcCall call) =>
        new CompactionResponse { Header = store.Header(await store.Loop.CompactAsync(request.Revision, request.Physical, call.Cancel)) };

    private void CheckSpace()
    {
        if (store.Loop.IsOverQuota)
        {
            throw new GrpcException(EtcdErrors.NoSpace);
        }
    }

    private static void CheckSize(GrpcCall call)
    {
        if (call.MessageLength > GrpcCall.MaxRequestBytes)
        {
            throw new GrpcException(EtcdErrors.RequestTooLarge);
        }
    }
}
