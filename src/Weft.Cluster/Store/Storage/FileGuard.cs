using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Weft.Cluster.Store.Storage;

/// <summary>
/// Looks at a data file before SQLite may touch it, and holds it against a second store for as long as this one runs. The lock is flock(2) on the data
/// file itself: it ends with the process, however that ends, and any name of the file meets it. It does not disturb SQLite, whose locks are fcntl(2).
/// </summary>
internal sealed class FileGuard : IDisposable
{
    /// <summary>"weft", in SQLite's application_id.</summary>
    public const int ApplicationId = 0x77656674;

    /// <summary>Version of the tables, in SQLite's user_version.</summary>
    public const int SchemaVersion = 1;

    private const int HeaderLength = 100; // SQLite file format, 1.3
    private const int PageSize = 4096;
    private const int WouldBlock = 11; // EWOULDBLOCK

    private readonly FileStream _file;

    private FileGuard(FileStream file) => _file = file;

    /// <exception cref="StoreBusyException">Another store holds the file.</exception>
    /// <exception cref="StoreDamagedException">The file is not a weft store, or not a whole one.</exception>
    public static FileGuard Take(string path)
    {
        FileStream file;
        try
        {
            FileStreamOptions options = new() { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0 };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite; // passwords of BGP peers lie in it
            }

            file = new FileStream(path, options);
        }
        catch (IOException e) when (e.HResult == WouldBlock)
        {
            throw new StoreBusyException();
        }

        FileGuard guard = new(file);
        try
        {
            guard.CheckHeader(path);
            return guard;
        }
        catch
        {
            guard.Dispose();
            throw;
        }
    }

    /// <summary>Closing a descriptor of a file drops this process's fcntl locks on it: dispose this after SQLite has closed the file.</summary>
    public void Dispose() => _file.Dispose();

    private void CheckHeader(string path)
    {
        // A rollback journal exists only while a new file is being made; SQLite undoes what a crash left half done, so there is nothing to judge yet.
        if (_file.Length == 0 || File.Exists(path + "-journal"))
        {
            return;
        }

        Span<byte> header = stackalloc byte[HeaderLength];
        header.Clear();
        int read = RandomAccess.Read(_file.SafeFileHandle, header, 0);
        if (!header.StartsWith("SQLite format 3\0"u8))
        {
            throw new StoreDamagedException($"not a weft store: a store begins with \"SQLite format 3\", this file with \"{Printable(header[..Math.Min(read, 16)])}\"");
        }

        int application = BinaryPrimitives.ReadInt32BigEndian(header[68..]);
        if (application != ApplicationId)
        {
            throw new StoreDamagedException($"not a weft store: an SQLite database of another program (application_id 0x{application:x8}, weft's is 0x{ApplicationId:x8})");
        }

        int schema = BinaryPrimitives.ReadInt32BigEndian(header[60..]);
        if (schema != SchemaVersion)
        {
            throw new StoreDamagedException($"its tables have version {schema}, this weft knows version {SchemaVersion}");
        }

        if (_file.Length % PageSize == SHA256.HashSizeInBytes && !File.Exists(path + "-wal"))
        {
            TakeSnapshotApart();
        }
    }

    /// <summary>
    /// "etcdctl snapshot save" keeps the SHA-256 that follows the data, as etcd sends it. A snapshot put in the place of a data file becomes the data
    /// file once that sum is checked and cut off.
    /// </summary>
    private void TakeSnapshotApart()
    {
        long length = _file.Length - SHA256.HashSizeInBytes;
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 20];
        for (long at = 0; at < length;)
        {
            int read = RandomAccess.Read(_file.SafeFileHandle, buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - at)), at);
            hash.AppendData(buffer, 0, read);
            at += read;
        }

        Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
        RandomAccess.Read(_file.SafeFileHandle, expected, length);
        if (!expected.SequenceEqual(hash.GetHashAndReset()))
        {
            throw new StoreDamagedException("a snapshot whose SHA-256 does not fit its content");
        }

        _file.SetLength(length);
        _file.Flush(flushToDisk: true);
    }

    private static string Printable(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new();
        foreach (byte b in bytes)
        {
            text.Append(b is >= 0x20 and < 0x7f ? (char)b : '.');
        }

        return text.ToString();
    }
}

/// <summary>Another process holds the data file.</summary>
internal sealed class StoreBusyException() : Exception("another weft store is running on this file");
