using System.Buffers;
using System.IO.Pipelines;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Support;

/// <summary>The far end of a session, octet by octet: says what the test wants, and reads only when the test does.</summary>
internal sealed class RawPeer(PipeConnection end)
{
    /// <summary>Connects to a speaker and takes the session to Established.</summary>
    public static async Task<RawPeer> EstablishAsync(BgpSpeaker speaker, string own, string theirs, OpenMessage open)
    {
        (PipeConnection near, PipeConnection far) = PipeConnection.Pair(IpAddress.Parse(own), IpAddress.Parse(theirs));
        var peer = new RawPeer(near);
        await speaker.AcceptAsync(far);
        await peer.SendAsync(open);
        await peer.KeepaliveAsync();
        return peer;
    }

    public static OpenMessage Open(uint asNumber, string routerId, ushort holdTime = 9) => new()
    {
        As = asNumber,
        HoldTime = holdTime,
        RouterId = IpAddress.Parse(routerId),
        HasMultiprotocol = true,
        Families = AddressFamilies.Both,
        FourOctetAs = true,
    };

    public Task SendAsync(OpenMessage open)
    {
        byte[] room = new byte[OpenMessage.MaximumLength];
        return SendAsync(room[..open.Write(room)]);
    }

    public Task KeepaliveAsync()
    {
        byte[] room = new byte[KeepaliveMessage.Length];
        return SendAsync(room[..KeepaliveMessage.Write(room)]);
    }

    public async Task SendAsync(byte[] message)
    {
        end.Output.Write(message);
        await end.Output.FlushAsync();
    }

    /// <summary>True when the speaker has closed its side; what came before is thrown away.</summary>
    public bool IsClosed(out byte[] received)
    {
        received = [];
        if (!end.Input.TryRead(out ReadResult read))
        {
            return false;
        }

        received = read.Buffer.ToArray();
        end.Input.AdvanceTo(read.Buffer.End);
        return read.IsCompleted;
    }
}
