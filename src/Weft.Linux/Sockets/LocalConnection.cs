using System.Text;
using Weft.Linux.Native;

namespace Weft.Linux.Sockets;

/// <summary>
/// A blocking connection to a unix stream socket of this machine, for a process that asks one question and ends; used by one thread. Everything returns what the kernel
/// said: who asks decides what a refusal means.
/// </summary>
public sealed class LocalConnection : IDisposable
{
    private readonly int _descriptor;

    private LocalConnection(int descriptor)
    {
        _descriptor = descriptor;
    }

    /// <param name="path">At most 107 bytes.</param>
    /// <param name="patience">How long one send or receive may take; whole seconds.</param>
    /// <param name="errno">ENOENT: there is no such socket; ECONNREFUSED: nobody listens.</param>
    public static LocalConnection? TryConnect(string path, TimeSpan patience, out Errno errno)
    {
        errno = PlainCalls.Connect(Encoding.UTF8.GetBytes(path), patience, out int descriptor);
        return errno == Errno.None ? new LocalConnection(descriptor) : null;
    }

    /// <summary>Sends all of it.</summary>
    public Errno Send(ReadOnlySpan<byte> bytes) => PlainCalls.Write(_descriptor, bytes);

    /// <summary>A length of 0 is the end of the stream.</summary>
    public Errno Receive(Span<byte> buffer, out int length) => PlainCalls.Read(_descriptor, buffer, out length);

    public void Dispose() => SystemCalls.Close(_descriptor);
}
