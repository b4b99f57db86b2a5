using Weft.Primitives.Net;

namespace Weft.Ipam.Warm;

/// <summary>One allocation or release that waits for its transaction. Answered once, by the loop of its <see cref="WarmNode"/>.</summary>
internal sealed class WarmJob
{
    private readonly TaskCompletionSource<bool> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private WarmJob(string handle, AllocationRequest? request) => (Handle, Request) = (handle, request);

    public string Handle { get; }

    /// <summary>Null for a release.</summary>
    public AllocationRequest? Request { get; }

    /// <summary>Of an allocation that was done.</summary>
    public Allocation? Allocation { get; set; }

    /// <summary>Of a release that was done.</summary>
    public int Released { get; set; }

    /// <summary>What the handle counts per block after an allocation.</summary>
    public Dictionary<IpPrefix, int> Blocks { get; } = [];

    /// <summary>False: the warm way cannot do it, and nothing was changed; true: it is done.</summary>
    public Task<bool> Done => _done.Task;

    public static WarmJob Allocate(AllocationRequest request) => new(request.HandleId, request);

    public static WarmJob Release(string handle) => new(handle, null);

    public void Complete() => _done.TrySetResult(true);

    public void Decline() => _done.TrySetResult(false);

    public void Fail(Exception e) => _done.TrySetException(e);
}
