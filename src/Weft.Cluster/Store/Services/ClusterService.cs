using Etcdserverpb;
using Google.Protobuf;
using Weft.Cluster.Store.Transport;

namespace Weft.Cluster.Store.Services;

/// <summary>
/// etcdserverpb.Cluster (one member, for ever), etcdserverpb.Auth (never enabled: who may come in is decided by client certificates) and the health
/// check of gRPC.
/// </summary>
internal sealed class ClusterService(StoreContext store)
{
    /// <summary>grpc.health.v1.HealthCheckResponse with status SERVING: field 1, varint 1.</summary>
    private static readonly ByteString Serving = ByteString.CopyFrom(0x08, 0x01);

    public void Register(GrpcRouter router)
    {
        router.Unary("/etcdserverpb.Cluster/MemberList", MemberListRequest.Parser, MemberList);
        router.Unary("/etcdserverpb.Auth/AuthStatus", AuthStatusRequest.Parser, (_, _) => Answer(new AuthStatusResponse { Header = store.Header(), AuthRevision = 1 }));
        router.Unary("/etcdserverpb.Auth/AuthDisable", AuthDisableRequest.Parser, (_, _) => Answer(new AuthDisableResponse { Header = store.Header() }));
        router.Unary("/etcdserverpb.Auth/UserList", AuthUserListRequest.Parser, (_, _) => Answer(new AuthUserListResponse { Header = store.Header() }));
        router.Unary("/etcdserverpb.Auth/RoleList", AuthRoleListRequest.Parser, (_, _) => Answer(new AuthRoleListResponse { Header = store.Header() }));
        router.Unary("/etcdserverpb.Auth/AuthEnable", AuthEnableRequest.Parser, (_, _) => throw new GrpcException(EtcdErrors.RootUserDoesNotExist));
        router.Unary("/etcdserverpb.Auth/Authenticate", AuthenticateRequest.Parser, (_, _) => throw new GrpcException(EtcdErrors.AuthNotEnabled));
        string[] unsupported = ["UserAdd", "UserGet", "UserDelete", "UserChangePassword", "UserGrantRole", "UserRevokeRole", "RoleAdd", "RoleGet", "RoleDelete", "RoleGrantPermission", "RoleRevokePermission"];
        foreach (string method in unsupported)
        {
            router.Stream($"/etcdserverpb.Auth/{method}", _ => throw new GrpcException(EtcdErrors.AuthNotEnabled));
        }

        router.Stream("/grpc.health.v1.Health/Check", call =>
        {
            call.WriteRaw(Serving.Span);
            return Task.CompletedTask;
        });
    }

    private ValueTask<IMessage> MemberList(MemberListRequest request, GrpcCall call)
    {
        Member self = new() { ID = store.File.MemberId, Name = store.Settings.Name };
        self.ClientURLs.AddRange(store.Settings.AdvertisedUrls);
        MemberListResponse response = new() { Header = store.Header() };
        response.Members.Add(self);
        return ValueTask.FromResult<IMessage>(response);
    }

    private static ValueTask<IMessage> Answer(IMessage message) => ValueTask.FromResult(message);
}
