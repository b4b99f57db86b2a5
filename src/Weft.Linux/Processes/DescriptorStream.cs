using Weft.Linux.Native;

namespace Weft.Linux.Processes;

/// <summary>
/// A standard stream of the process by its number, without the framework's console and file classes: those open, duplicate and ask, and a plugin process
/// has no time for it. Blocking, unbuffered; the descriptor is not closed.
/// </summary>
public sealed class DescriptorStream(int descriptor) : Stream
{
    public static DescriptorStream Input => new(0);

    public static DescriptorStream Output => new(1);

    public static DescriptorStream Error => new(2);

    public override bool CanRead => descriptor == 0;

    public override bool CanWrite => descriptor != 0;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer) =>
        PlainCalls.Read(descriptor, buffer, out int length) is var errno and not Errno.None ? throw new IOException($"read descriptor {descriptor}: {errno.Describe()}") : length;

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (PlainCalls.Write(descriptor, buffer) is var errno and not Errno.None)
        {
            throw new IOException($"write descriptor {descriptor}: {errno.Describe()}");
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // Nothing is kept back.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
