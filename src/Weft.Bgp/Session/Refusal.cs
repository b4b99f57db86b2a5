using System.Buffers;
using Weft.Bgp.Wire;

namespace Weft.Bgp.Session;

/// <summary>Says no to a connection nobody expects.</summary>
internal static class Refusal
{
    /// <summary>RFC 4486: Cease/5, then closes. The bytes fit any socket buffer, so a peer that does not read cannot hold this up.</summary>
    public static async Task SendAsync(IPeerConnection transport)
    {
        await using (transport)
        {
            byte[] message = new byte[32];
            int length = NotificationMessage.Write(message, new BgpError(ErrorCode.Cease, Subcode.ConnectionRejected));
            try
            {
                transport.Pipe.Output.Write(message.AsSpan(0, length));
                await transport.Pipe.Output.FlushAsync();
            }
            catch (IOException)
            {
                // It is gone already: that is what was wanted.
            }
        }
    }
}
