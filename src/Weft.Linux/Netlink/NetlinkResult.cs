namespace Weft.Linux.Netlink;

/// <summary>What the kernel answered to one request: an errno, and its extended-acknowledgement text when it gave one.</summary>
/// <param name="Errno">None when the request was carried out.</param>
/// <param name="KernelText">For people ("Nexthop has invalid gateway"); decide by <paramref name="Errno"/>.</param>
public readonly record struct NetlinkResult(Errno Errno, string? KernelText = null)
{
    public static readonly NetlinkResult Success;

    public bool IsSuccess => Errno == Errno.None;

    /// <param name="tried">What was tried and on what: "add address 10.0.0.1/32 to eth0".</param>
    /// <exception cref="KernelException">The request failed.</exception>
    public void ThrowIfFailed(string tried)
    {
        if (!IsSuccess)
        {
            throw new KernelException(tried, Errno, KernelText);
        }
    }

    /// <summary>"File exists (17): Address already assigned".</summary>
    public override string ToString() => IsSuccess ? "ok" : KernelText is null ? Errno.Describe() : $"{Errno.Describe()}: {KernelText}";
}
