using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Model.Resources;

namespace Weft.Node.Cni;

/// <summary>
/// Limits of what a pod may receive and send, in the kernel. Both stand on the host, out of the pod's reach, and limit what leaves a link:
/// <code>
///   to the pod:    host --> [tbf] cali... ==> eth0
///   from the pod:  eth0 ==> cali... --ingress, redirected--> [tbf] bw~... --> on as if it had come from cali...
/// </code>
/// </summary>
internal static class PodLimits
{
    /// <summary>Beside the bucket, what may wait; as the CNI project's bandwidth plugin has it.</summary>
    private static readonly TimeSpan s_latency = TimeSpan.FromMilliseconds(25);

    /// <exception cref="KernelException">The kernel refused, or lacks tbf or ifb.</exception>
    public static void Apply(RouteSocket host, LinkInfo hostSide, PodInterface plan)
    {
        RemoveLimiter(host, plan.LimiterName);
        if (plan.Qos is not { } qos)
        {
            return;
        }

        if (qos.IngressBandwidth is { } ingress)
        {
            host.Qdiscs.ReplaceRoot(hostSide.Index, Bucket(ingress, qos.IngressBurst, qos.IngressPeakrate, qos.IngressMinburst, hostSide.Mtu))
                .ThrowIfFailed($"limit what {plan.HostName} passes on to {ingress} bit/s");
        }

        if (qos.EgressBandwidth is { } egress)
        {
            host.Links.CreateIfb(plan.LimiterName, hostSide.Mtu).ThrowIfFailed($"create {plan.LimiterName}");
            LinkInfo limiter = host.Links.Find(plan.LimiterName) ?? throw new KernelException($"find {plan.LimiterName}", Errno.ENODEV);
            host.Links.SetUp(limiter.Index, plan.Owner.ToString()).ThrowIfFailed($"set {plan.LimiterName} up");
            host.Qdiscs.ReplaceRoot(limiter.Index, Bucket(egress, qos.EgressBurst, qos.EgressPeakrate, qos.EgressMinburst, hostSide.Mtu))
                .ThrowIfFailed($"limit what {plan.LimiterName} passes on to {egress} bit/s");
            host.Qdiscs.RedirectArrivals(hostSide.Index, limiter.Index).ThrowIfFailed($"redirect what arrives at {plan.HostName} to {plan.LimiterName}");
        }
    }

    /// <summary>Bits per second, both directions; 0 for no limit.</summary>
    public static (long Ingress, long Egress) Read(RouteSocket host, LinkInfo hostSide, string limiterName)
    {
        List<QdiscInfo> atPod = List(hostSide);
        bool redirected = atPod.Any(q => q.Kind == "ingress");
        return (Rate(atPod), redirected && host.Links.Find(limiterName) is { } limiter ? Rate(List(limiter)) : 0);

        List<QdiscInfo> List(LinkInfo link)
        {
            List<QdiscInfo> found = [];
            host.Qdiscs.List(found, link.Index).ThrowIfFailed($"list what limits {link.Name}");
            return found;
        }

        static long Rate(List<QdiscInfo> found) => (long)(found.FirstOrDefault(q => q.IsRoot && q.Kind == "tbf").BytesPerSecond * 8);
    }

    /// <summary>A pair that is deleted takes its own limits along; the block in which the other waits does not go with it.</summary>
    public static void RemoveLimiter(RouteSocket host, string limiterName)
    {
        if (host.Links.Find(limiterName) is { } limiter)
        {
            host.Links.Delete(limiter.Index);
        }
    }

    private static TokenBucket Bucket(long rate, long? burst, long? peak, long? peakBurst, int mtu)
    {
        ulong bytesPerSecond = (ulong)rate / 8;

        // A bucket smaller than a packet would never let one pass.
        uint burstBytes = (uint)Math.Clamp((burst ?? 0) / 8, mtu + 14, uint.MaxValue);
        ulong limit = burstBytes + (ulong)(bytesPerSecond * s_latency.TotalSeconds);
        return new TokenBucket(bytesPerSecond, burstBytes, (uint)Math.Min(limit, uint.MaxValue), (ulong)(peak ?? 0) / 8, (uint)Math.Max(peakBurst ?? 0, mtu + 14));
    }
}
