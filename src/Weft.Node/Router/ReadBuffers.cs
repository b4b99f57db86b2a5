using System.Buffers;

namespace Weft.Node.Router;

/// <summary>
/// Where the neighbours' bytes are read to, shared by all connections. What is free is kept up to a bound. The arrays are pinned: the collector never copies them.
/// </summary>
internal sealed class ReadBuffers
{
    /// <summary>For a connection that says little: handshakes, keepalives, a few routes.</summary>
    private const int Small = 4096;

    /// <summary>Measured in the spikes: this much per read is where a full table stops getting faster.</summary>
    private const int Large = 64 * 1024;

    private readonly Shelf _small = new(Small, keep: 512);
    private readonly Shelf _large = new(Large, keep: 32);

    /// <summary>The pool one connection's reader takes from.</summary>
    public MemoryPool<byte> ForConnection() => new Connection(this);

    /// <summary>
    /// A connection that rents while it still holds a buffer has more to read than was taken of the last one: it gets a large one. So five hundred neighbours that
    /// open at once cost two megabytes, and one that sends a full table reads it at full speed. Used by one reader at a time.
    /// </summary>
    private sealed class Connection(ReadBuffers buffers) : MemoryPool<byte>
    {
        private int _held;

        public override int MaxBufferSize => Large;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            Shelf shelf = _held > 0 || minBufferSize > Small ? buffers._large : buffers._small;
            _held++;
            Buffer buffer = shelf.Take();
            buffer.Holder = this;
            return buffer;
        }

        public void OnReturned() => _held--;

        protected override void Dispose(bool disposing)
        {
        }
    }

    /// <summary>Free buffers of one size, the last one returned first: it is still in the cache.</summary>
    private sealed class Shelf(int size, int keep)
    {
        private readonly Lock _gate = new();
        private readonly Stack<Buffer> _free = new();

        public Buffer Take()
        {
            Buffer? buffer;
            lock (_gate)
            {
                _free.TryPop(out buffer);
            }

            return buffer ?? new Buffer(this, size);
        }

        public void Put(Buffer buffer)
        {
            lock (_gate)
            {
                if (_free.Count < keep)
                {
                    _free.Push(buffer);
                }
            }
        }
    }

    private sealed class Buffer(Shelf shelf, int size) : IMemoryOwner<byte>
    {
        public Connection? Holder { get; set; }

        public Memory<byte> Memory { get; } = GC.AllocateUninitializedArray<byte>(size, pinned: true);

        public void Dispose()
        {
            if (Holder is Connection holder)
            {
                Holder = null;
                holder.OnReturned();
                shelf.Put(this);
            }
        }
    }
}
