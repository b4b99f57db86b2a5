using System.Security.Cryptography;
using Etcdserverpb;
using Google.Protobuf;
using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Store.Transport;
using Lease = Weft.Cluster.Store.Mvcc.Lease;

namespace Weft.Cluster.Store.Services;

/// <summary>etcdserverpb.Lease. Everything goes through the write loop, which owns the leases' clock.</summary>
internal sealed class LeaseService(StoreContext store)
{
    public void Register(GrpcRouter router)
    {
        router.Unary("/etcdserverpb.Lease/LeaseGrant", LeaseGrantRequest.Parser, GrantAsync);
        router.Unary("/etcdserverpb.Lease/LeaseRevoke", LeaseRevokeRequest.Parser, RevokeAsync);
        router.Unary("/etcdserverpb.Lease/LeaseTimeToLive", LeaseTimeToLiveRequest.Parser, TimeToLiveAsync);
        router.Unary("/etcdserverpb.Lease/LeaseLeases", LeaseLeasesRequest.Parser, Leases);
        router.Stream("/etcdserverpb.Lease/LeaseKeepAlive", KeepAliveAsync);
    }

    private async ValueTask<IMessage> GrantAsync(LeaseGrantRequest request, GrpcCall call)
    {
        if (request.TTL > Lease.MaxTtl)
        {
            throw new GrpcException(EtcdErrors.LeaseTtlTooLarge);
        }

        if (store.Loop.IsOverQuota)
        {
            throw new GrpcException(EtcdErrors.NoSpace);
        }

        Lease lease = await store.Loop.RunAsync(
            context =>
            {
                long id = request.ID != 0 ? request.ID : NewId(context.Store);
                if (context.Store.FindLease(id) is not null)
                {
                    throw new GrpcException(EtcdErrors.LeaseExists);
                }

                Lease granted = new(id, Math.Max(request.TTL, Lease.MinTtl), []);
                context.Store.Grant(granted);
                context.Leases.Start(id, granted.Ttl); // Should the batch fail, the clock runs out for a lease that does not exist.
                return granted;
            },
            call.Cancel);
        return new LeaseGrantResponse { Header = store.Header(), ID = lease.Id, TTL = lease.Ttl };
    }

    private async ValueTask<IMessage> RevokeAsync(LeaseRevokeRequest request, GrpcCall call)
    {
        long revision = await store.Loop.RunAsync(
            context =>
            {
                Lease lease = context.Store.FindLease(request.ID) ?? throw new GrpcException(EtcdErrors.LeaseNotFound);
                context.Store.BeginRequest();
                context.Store.Revoke(lease);
                return context.Store.Revision;
            },
            call.Cancel);
        return new LeaseRevokeResponse { Header = store.Header(revision) };
    }

    private async Task KeepAliveAsync(GrpcCall call)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(call.Cancel, store.Stop);
        while (await call.ReadAsync(LeaseKeepAliveRequest.Parser, end.Token) is { } request)
        {
            long ttl = await store.Loop.RunAsync(
                context =>
                {
                    // 0 says that there is no such lease; a lease whose end is being written is gone already.
                    if (context.Store.FindLease(request.ID) is not { } lease || context.Leases.Remaining(lease.Id) < 0)
                    {
                        return 0;
                    }

                    context.Leases.Start(lease.Id, lease.Ttl);
                    return lease.Ttl;
                },
                end.Token);
            await call.SendAsync(new LeaseKeepAliveResponse { Header = store.Header(), ID = request.ID, TTL = ttl }, end.Token);
        }
    }

    private async ValueTask<IMessage> TimeToLiveAsync(LeaseTimeToLiveRequest request, GrpcCall call)
    {
        (Lease? lease, long remaining) = await store.Loop.RunAsync(
            context => (context.Store.FindLease(request.ID), context.Leases.Remaining(request.ID)), call.Cancel);
        LeaseTimeToLiveResponse response = new() { Header = store.Header(), ID = request.ID, TTL = -1 };
        if (lease is not null)
        {
            (response.TTL, response.GrantedTTL) = (remaining, lease.Ttl);
            if (request.Keys)
            {
                response.Keys.AddRange(lease.Keys.Order(Comparer<ByteString>.Create(KeyRange.Compare)));
            }
        }

        return response;
    }

    private ValueTask<IMessage> Leases(LeaseLeasesRequest request, GrpcCall call)
    {
        LeaseLeasesResponse response = new() { Header = store.Header() };
        response.Leases.AddRange(store.State.Leases.Keys.Order().Select(id => new LeaseStatus { ID = id }));
        return ValueTask.FromResult<IMessage>(response);
    }

    private static long NewId(StoreEditor editor)
    {
        Span<byte> random = stackalloc byte[sizeof(long)];
        while (true)
        {
            RandomNumberGenerator.Fill(random);
            long id = BitConverter.ToInt64(random) & long.MaxValue;
            if (id != 0 && editor.FindLease(id) is null)
            {
                return id;
            }
        }
    }
}
