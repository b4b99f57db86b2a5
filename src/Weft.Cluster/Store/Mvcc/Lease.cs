using System.Collections.Immutable;
using Google.Protobuf;

namespace Weft.Cluster.Store.Mvcc;

/// <summary>A granted lease and the keys that die with it. Immutable: every attached or detached key makes a new one.</summary>
/// <param name="Id">Chosen by the client or by us; never 0.</param>
/// <param name="Ttl">Seconds, as granted.</param>
/// <param name="Keys">Attached keys.</param>
internal sealed record Lease(long Id, long Ttl, ImmutableHashSet<ByteString> Keys)
{
    /// <summary>
    /// etcd grants no less than one and a half election timeouts (1 s by default), rounded up; clients time their keep-alives by the answer.
    /// </summary>
    public const long MinTtl = 2;

    /// <summary>lease.MaxLeaseTTL of etcd.</summary>
    public const long MaxTtl = 9_000_000_000;
}
