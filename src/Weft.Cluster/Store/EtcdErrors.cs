using Weft.Cluster.Store.Transport;

namespace Weft.Cluster.Store;

/// <summary>
/// The errors of etcd 3.4/3.5 by code and text: both are part of the API, clients (grpc-go's rpctypes, etcdctl, Calico's) recognise them by text.
/// </summary>
internal static class EtcdErrors
{
    public static readonly GrpcError EmptyKey = new(GrpcCode.InvalidArgument, "etcdserver: key is not provided");
    public static readonly GrpcError KeyNotFound = new(GrpcCode.InvalidArgument, "etcdserver: key not found");
    public static readonly GrpcError ValueProvided = new(GrpcCode.InvalidArgument, "etcdserver: value is provided");
    public static readonly GrpcError LeaseProvided = new(GrpcCode.InvalidArgument, "etcdserver: lease is provided");
    public static readonly GrpcError TooManyOps = new(GrpcCode.InvalidArgument, "etcdserver: too many operations in txn request");
    public static readonly GrpcError DuplicateKey = new(GrpcCode.InvalidArgument, "etcdserver: duplicate key given in txn request");
    public static readonly GrpcError RequestTooLarge = new(GrpcCode.InvalidArgument, "etcdserver: request is too large");
    public static readonly GrpcError Compacted = new(GrpcCode.OutOfRange, "etcdserver: mvcc: required revision has been compacted");
    public static readonly GrpcError FutureRevision = new(GrpcCode.OutOfRange, "etcdserver: mvcc: required revision is a future revision");
    public static readonly GrpcError NoSpace = new(GrpcCode.ResourceExhausted, "etcdserver: mvcc: database space exceeded");
    public static readonly GrpcError LeaseNotFound = new(GrpcCode.NotFound, "etcdserver: requested lease not found");
    public static readonly GrpcError LeaseExists = new(GrpcCode.FailedPrecondition, "etcdserver: lease already exists");
    public static readonly GrpcError LeaseTtlTooLarge = new(GrpcCode.OutOfRange, "etcdserver: too large lease TTL");
    public static readonly GrpcError AuthNotEnabled = new(GrpcCode.FailedPrecondition, "etcdserver: authentication is not enabled");
    public static readonly GrpcError RootUserDoesNotExist = new(GrpcCode.FailedPrecondition, "etcdserver: root user does not exist");
    public static readonly GrpcError MemberNotFound = new(GrpcCode.NotFound, "etcdserver: member not found");
    public static readonly GrpcError TooManyRequests = new(GrpcCode.ResourceExhausted, "etcdserver: too many requests");
    public static readonly GrpcError Stopped = new(GrpcCode.Unavailable, "etcdserver: server stopped");
}
