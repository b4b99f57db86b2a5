using System.IO.Pipelines;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Support;

/// <summary>Connects speakers of one test by paired pipes: dialling an address reaches the speaker registered under it.</summary>
internal sealed class PairedNetwork
{
    private readonly Dictionary<IpAddress, BgpSpeaker> _speakers = [];

    public void Register(IpAddress address, BgpSpeaker speaker) => _speakers[address] = speaker;

    public IPeerTransport From(IpAddress local) => new Transport(this, local);

    private sealed class Transport(PairedNetwork network, IpAddress local) : IPeerTransport
    {
        public ValueTask<IPeerConnection> ConnectAsync(PeerSettings peer, CancellationToken stop)
        {
            if (!network._speakers.TryGetValue(peer.Address, out BgpSpeaker? speaker))
            {
                throw new IOException($"connect to {peer.Address}: nobody there");
            }

            (IPeerConnection near, IPeerConnection far) = PipeConnection.Pair(local, peer.Address);
            _ = speaker.AcceptAsync(far, CancellationToken.None);
            return ValueTask.FromResult(near);
        }
    }
}

/// <summary>One end of two pipes.</summary>
internal sealed class PipeConnection(PipeReader input, PipeWriter output, IpAddress local, IpAddress remote) : IPeerConnection, IDuplexPipe
{
    public IDuplexPipe Pipe => this;

    public IpAddress LocalAddress => local;

    public IpAddress RemoteAddress => remote;

    public IpAddress LocalLinkLocal => default;

    public string? Interface => null;

    public PipeReader Input => input;

    public PipeWriter Output => output;

    public static (PipeConnection Near, PipeConnection Far) Pair(IpAddress near, IpAddress far)
    {
        var there = new Pipe();
        var back = new Pipe();
        return (new PipeConnection(back.Reader, there.Writer, near, far), new PipeConnection(there.Reader, back.Writer, far, near));
    }

    public ValueTask DisposeAsync()
    {
        output.Complete();
        input.Complete();
        return ValueTask.CompletedTask;
    }
}
