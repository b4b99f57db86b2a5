using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Model.Validation;

/// <summary>Rules of address pools and of the settings of address management. Overlap with other pools is the writer's question.</summary>
internal static class PoolRules
{
    private const string Never = "Never";

    private static readonly IpPrefix[] s_linkLocal = [IpPrefix.Parse("169.254.0.0/16"), IpPrefix.Parse("fe80::/10")];

    public static void Check(IPPoolSpec spec, IPPoolSpec? stored, ProblemList problems)
    {
        bool ipip = spec.IpipMode is { Length: > 0 } and not Never;
        bool vxlan = spec.VxlanMode is { Length: > 0 } and not Never;
        problems.Require(!(ipip && vxlan), "spec.vxlanMode", spec.VxlanMode, $"ipipMode and vxlanMode cannot both be on; ipipMode is {spec.IpipMode}");
        PolicyRules.CheckNotGlobal(spec.NodeSelector, "spec.nodeSelector", problems);
        PolicyRules.CheckNotGlobal(spec.NamespaceSelector, "spec.namespaceSelector", problems);
        CheckUses(spec, ipip || vxlan, problems);
        if (InterfaceAddress.TryParse(spec.Cidr, out InterfaceAddress cidr))
        {
            CheckCidr(spec, cidr, problems);
            problems.Require(!(ipip && cidr.Address.IsIPv6), "spec.ipipMode", spec.IpipMode, "IPIP is for IPv4 pools only; expected Never, and vxlanMode if packets must be carried");
        }

        if (stored is not null)
        {
            CheckUnchanged(spec, stored, problems);
        }
    }

    public static void Check(IPAMConfigurationSpec spec, ProblemList problems) =>
        problems.Require(
            spec.AutoAllocateBlocks is not false || spec.StrictAffinity is true, "spec.autoAllocateBlocks", "false", "needs strictAffinity true: else no address could be given out");

    /// <summary>Where the block size is not given: /26 and /122, 64 addresses each.</summary>
    internal static int BlockSize(IPPoolSpec spec, bool isIPv6) => spec.BlockSize is > 0 and int size ? size : isIPv6 ? 122 : 26;

    private static void CheckCidr(IPPoolSpec spec, InterfaceAddress cidr, ProblemList problems)
    {
        bool v6 = cidr.Address.IsIPv6;
        (int min, int max) = v6 ? (116, 128) : (20, 32);
        int size = BlockSize(spec, v6);
        problems.Require(cidr.Prefix.Address == cidr.Address, "spec.cidr", spec.Cidr, $"IPPool CIDR is not strictly masked; expected {cidr.Prefix}");
        problems.Require(size >= min && size <= max, "spec.blockSize", size.ToString(), $"expected {min}..{max} for an {(v6 ? "IPv6" : "IPv4")} pool");
        problems.Require(
            spec.Disabled is true || cidr.Length <= size, "spec.cidr", spec.Cidr, $"the pool is smaller than one of its blocks (/{size}); expected a shorter prefix or a larger blockSize");
        foreach (IpPrefix linkLocal in s_linkLocal)
        {
            problems.Require(!cidr.Prefix.Overlaps(linkLocal), "spec.cidr", spec.Cidr, $"overlaps with the link-local range {linkLocal}");
        }
    }

    private static void CheckUses(IPPoolSpec spec, bool encapsulated, ProblemList problems)
    {
        List<string> uses = spec.AllowedUses ?? [];
        problems.Require(
            !uses.Contains("Tunnel") || string.IsNullOrEmpty(spec.NamespaceSelector), "spec.namespaceSelector", spec.NamespaceSelector, "cannot stand beside the use Tunnel; expected allowedUses [Workload]");
        if (!uses.Contains("LoadBalancer"))
        {
            return;
        }

        problems.Require(!uses.Contains("Workload") && !uses.Contains("Tunnel"), "spec.allowedUses", string.Join(", ", uses), "LoadBalancer cannot be combined with Workload or Tunnel");
        problems.Require(!encapsulated, "spec", null, "a LoadBalancer pool cannot have ipipMode or vxlanMode");
        problems.Require(spec.DisableBGPExport is not true, "spec.disableBGPExport", "true", "a LoadBalancer pool must be exported");
        problems.Require(spec.NodeSelector is null or "all()", "spec.nodeSelector", spec.NodeSelector, "expected all() for a LoadBalancer pool");
    }

    private static void CheckUnchanged(IPPoolSpec spec, IPPoolSpec stored, ProblemList problems)
    {
        // Textual variants of one prefix are the same prefix.
        bool sameCidr = spec.Cidr == stored.Cidr || (IpPrefix.TryParse(spec.Cidr, out IpPrefix now) && IpPrefix.TryParse(stored.Cidr, out IpPrefix before) && now == before);
        bool v6 = stored.Cidr.Contains(':');
        problems.Require(sameCidr, "spec.cidr", spec.Cidr, $"cannot be changed from {stored.Cidr}: addresses are allocated from it; create another pool and move the workloads");
        problems.Require(
            BlockSize(spec, v6) == BlockSize(stored, v6), "spec.blockSize", spec.BlockSize?.ToString(), $"cannot be changed from {BlockSize(stored, v6)}: blocks of that size exist; create another pool");
        bool wasLoadBalancer = stored.AllowedUses?.Contains("LoadBalancer") is true;
        bool isLoadBalancer = spec.AllowedUses?.Contains("LoadBalancer") is true;
        problems.Require(!wasLoadBalancer || isLoadBalancer, "spec.allowedUses", string.Join(", ", spec.AllowedUses ?? []), "a LoadBalancer pool cannot be given another use");
    }
}
