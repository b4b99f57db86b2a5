using System.Diagnostics.CodeAnalysis;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Keys;

/// <summary>
/// The identity of one value in the datastore. The path is Calico's etcd v3 layout (libcalico-go/lib/backend/model); two keys are equal exactly when
/// their paths are.
/// </summary>
public abstract record ModelKey
{
    /// <summary>The etcd key, as text.</summary>
    public abstract string Path { get; }

    /// <summary>Null for a path that is no key weft knows: the caller ignores it in lists, as Calico does.</summary>
    public static ModelKey? TryParse(string path) => KeyParser.TryParse(path);

    public sealed override string ToString() => Path;
}

/// <summary>/calico/resources/v3/projectcalico.org/PLURAL/[NAMESPACE/]NAME.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Namespace">Empty for a cluster-scoped kind.</param>
/// <param name="Name">Name as stored.</param>
public sealed record ResourceKey(ResourceKind Kind, string Namespace, string Name) : ModelKey
{
    public ResourceKey(ResourceKind kind, string name)
        : this(kind, string.Empty, name)
    {
    }

    public override string Path => Kind.IsNamespaced
        ? $"{ModelPrefix.ResourceRoot}{Kind.Plural}/{Namespace}/{Name}"
        : $"{ModelPrefix.ResourceRoot}{Kind.Plural}/{Name}";
}

/// <summary>/calico/ipam/v2/config.</summary>
public sealed record IpamConfigKey : ModelKey
{
    public override string Path => $"{ModelPrefix.IpamRoot}config";
}

/// <summary>/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26.</summary>
public sealed record BlockKey(IpPrefix Cidr) : ModelKey
{
    public override string Path => $"{ModelPrefix.IpamRoot}assignment/{KeyText.Family(Cidr)}/block/{KeyText.Cidr(Cidr)}";
}

/// <summary>/calico/ipam/v2/handle/ID; the id stands there unescaped.</summary>
public sealed record HandleKey(string HandleId) : ModelKey
{
    public override string Path => $"{ModelPrefix.IpamRoot}handle/{HandleId}";
}

/// <summary>Who holds a block: a node ("host") or a purpose ("virtual", e.g. load-balancer).</summary>
public enum AffinityType : byte
{
    Host,
    Virtual,
}

/// <summary>/calico/ipam/v2/host/HOST/ipv4/block/10.0.0.0-26, or .../virtual/NAME/....</summary>
public sealed record BlockAffinityKey(AffinityType Type, string Host, IpPrefix Cidr) : ModelKey
{
    public override string Path => $"{ModelPrefix.IpamRoot}{KeyText.Affinity(Type)}/{Host}/{KeyText.Family(Cidr)}/block/{KeyText.Cidr(Cidr)}";
}

/// <summary>/calico/ipam/v2/host/HOST: marks a host as known to IPAM.</summary>
public sealed record IpamHostKey(string Host) : ModelKey
{
    public override string Path => $"{ModelPrefix.IpamRoot}host/{Host}";
}

/// <summary>/calico/felix/v2/REGION/host/HOST/status (leased) or .../last_reported_status.</summary>
public sealed record FelixStatusKey(string Host, bool LastReported, string Region = "no-region") : ModelKey
{
    public override string Path => $"/calico/felix/v2/{Region}/host/{Host}/{(LastReported ? "last_reported_status" : "status")}";
}

/// <summary>/calico/felix/v2/REGION/host/HOST/workload/ORCH/WORKLOAD/endpoint/EP (leased).</summary>
public sealed record WorkloadStatusKey(string Host, string Orchestrator, string Workload, string Endpoint, string Region = "no-region") : ModelKey
{
    public override string Path =>
        $"/calico/felix/v2/{Region}/host/{Host}/workload/{KeyText.Escape(Orchestrator)}/{KeyText.Escape(Workload)}/endpoint/{KeyText.Escape(Endpoint)}";
}

/// <summary>/calico/felix/v1/host/HOST/endpoint/EP (not leased; version 1 of the tree, without a region).</summary>
public sealed record HostEndpointStatusKey(string Host, string Endpoint) : ModelKey
{
    public override string Path => $"/calico/felix/v1/host/{Host}/endpoint/{KeyText.Escape(Endpoint)}";
}

/// <summary>A range of keys: everything whose path begins with the text, or the one key whose path is the text.</summary>
/// <param name="Path">Path prefix, or whole path when <paramref name="IsExact"/>.</param>
/// <param name="IsExact">Only this one key.</param>
public readonly record struct ModelPrefix(string Path, bool IsExact = false)
{
    public const string Root = "/calico/";
    public const string ResourceRoot = "/calico/resources/v3/projectcalico.org/";
    public const string IpamRoot = "/calico/ipam/v2/";

    public static ModelPrefix Of(ResourceKind kind) => new($"{ResourceRoot}{kind.Plural}/");

    /// <summary>The objects of one namespace.</summary>
    public static ModelPrefix Of(ResourceKind kind, string @namespace) => new($"{ResourceRoot}{kind.Plural}/{@namespace}/");

    public static ModelPrefix Of(ModelKey key) => new(key.Path, IsExact: true);

    public static ModelPrefix Blocks(IpFamily family) => new($"{IpamRoot}assignment/{KeyText.Family(family)}/block/");

    public static ModelPrefix AllBlocks => new($"{IpamRoot}assignment/");

    public static ModelPrefix Affinities(AffinityType type, string host, IpFamily family) =>
        new($"{IpamRoot}{KeyText.Affinity(type)}/{host}/{KeyText.Family(family)}/block/");

    public static ModelPrefix AllAffinities(AffinityType type) => new($"{IpamRoot}{KeyText.Affinity(type)}/");

    public static ModelPrefix Handles => new($"{IpamRoot}handle/");

    public bool Contains([NotNullWhen(true)] string? path) =>
        path is not null && (IsExact ? path == Path : path.StartsWith(Path, StringComparison.Ordinal));

    public override string ToString() => IsExact ? Path : Path + "*";
}
