using Weft.Linux;
using Weft.Linux.Sockets;

namespace Weft.Node.Cni;

/// <summary>What came of asking the agent.</summary>
/// <param name="Line">The agent's answer without its line break, or null.</param>
/// <param name="Nobody">Nobody listened: the request has not been seen by anyone.</param>
/// <param name="Reason">Why there is no answer.</param>
internal readonly record struct AgentAnswer(ReadOnlyMemory<byte>? Line, bool Nobody, string Reason);

/// <summary>
/// Hands a call to the agent of this node over its socket: one JSON object per line each way (Weft.Hosting.Control). Blocking on purpose: this process has
/// one thing to do, and the event loop and the thread pool behind an asynchronous socket would cost more time than all the rest of the call.
/// </summary>
internal static class AgentClient
{
    /// <summary>Longer than the agent's own budget for a call: it must be the agent that says what took so long.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(110);

    /// <param name="path">The agent's socket.</param>
    /// <param name="request">One line, with its line break.</param>
    public static AgentAnswer Call(string path, ReadOnlyMemory<byte> request)
    {
        using LocalConnection? connection = LocalConnection.TryConnect(path, s_patience, out Errno errno);
        if (connection is null)
        {
            return new AgentAnswer(null, errno is Errno.ENOENT or Errno.ECONNREFUSED, errno == Errno.ENOENT ? $"{path}: no such socket" : $"{path}: {errno.Describe()}");
        }

        if (connection.Send(request.Span) is var sent and not Errno.None)
        {
            return new AgentAnswer(null, false, $"{path}: send: {sent.Describe()}");
        }

        byte[] buffer = new byte[4096];
        int length = 0;
        while (true)
        {
            if (connection.Receive(buffer.AsSpan(length), out int read) is var received and not Errno.None)
            {
                return new AgentAnswer(null, false, $"{path}: receive: {received.Describe()}");
            }

            if (read == 0)
            {
                return new AgentAnswer(null, false, $"{path}: the connection ended without an answer");
            }

            int end = buffer.AsSpan(length, read).IndexOf((byte)'\n');
            if (end >= 0)
            {
                return new AgentAnswer(buffer.AsMemory(0, length + end), false, string.Empty);
            }

            length += read;
            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }
    }
}
