using Weft.Datastore;
using Weft.Node.Agent;
using Weft.Node.Cni;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Agent;

public sealed class EndpointProgressTests
{
    private static readonly WorkloadEndpointId s_id = new("k8s", "default/nginx", "eth0");
    private readonly EndpointProgress _progress = new(TimeSpan.FromMilliseconds(50), TimeProvider.System);

    [Fact]
    public async Task Wait_ProgrammedBefore_ReturnsAtOnce()
    {
        _progress.Wanted(Update(7));
        _progress.Programmed(s_id, 7);

        await _progress.WaitAsync(s_id, new Revision(7), null, CancellationToken.None);

        Assert.Equal(EndpointState.Programmed, Assert.Single(_progress.Entries).State);
    }

    [Fact]
    public async Task Wait_OlderRevisionProgrammed_GoesOnWaiting()
    {
        _progress.Wanted(Update(6));
        _progress.Programmed(s_id, 6);
        _progress.Wanted(Update(7));

        CniException e = await Assert.ThrowsAsync<CniException>(() => _progress.WaitAsync(s_id, new Revision(7), null, CancellationToken.None).AsTask());

        Assert.Equal(CniErrorCode.PolicyNotProgrammed, e.Code);
    }

    [Fact]
    public async Task Wait_ProgrammedLater_IsWoken()
    {
        EndpointProgress progress = new(TimeSpan.FromMinutes(1), TimeProvider.System);
        Task waiting = progress.WaitAsync(s_id, new Revision(7), null, CancellationToken.None).AsTask();

        progress.Wanted(Update(7));
        Assert.False(waiting.IsCompleted);
        progress.Programmed(s_id, 7);

        await waiting;
    }

    [Fact]
    public async Task Wait_InvalidEndpoint_FailsWithItsProblem()
    {
        EndpointProgress progress = new(TimeSpan.FromMinutes(1), TimeProvider.System);
        Task waiting = progress.WaitAsync(s_id, new Revision(7), null, CancellationToken.None).AsTask();

        progress.Wanted(Update(7, "profile net1 is invalid"));

        CniException e = await Assert.ThrowsAsync<CniException>(() => waiting);
        Assert.Contains("profile net1 is invalid", e.Message);
    }

    [Fact]
    public async Task Wait_NeverSeen_SaysSo()
    {
        CniException e = await Assert.ThrowsAsync<CniException>(() => _progress.WaitAsync(s_id, new Revision(7), null, CancellationToken.None).AsTask());

        Assert.Contains("has not seen the endpoint", e.Message);
    }

    [Fact]
    public void Removed_IsForgotten()
    {
        _progress.Wanted(Update(7));

        _progress.Removed(s_id);

        Assert.Empty(_progress.Entries);
    }

    private static WorkloadEndpointUpdate Update(long revision, string? problem = null) =>
        new(s_id, "default/n", "cali1", null, [IpPrefix.Parse("10.1.0.1/32")], [], [], [], revision, problem);
}
