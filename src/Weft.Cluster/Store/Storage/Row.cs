using System.Numerics;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Mvccpb;
using Weft.Cluster.Store.Mvcc;

namespace Weft.Cluster.Store.Storage;

/// <summary>
/// One row of table kv is one key at one revision.
/// <code>
///   seq      revision shifted left by 22, plus the place of the key within that revision: 2^41 revisions (3 years at 20,000 writes/s without
///            a pause) of up to 4 million keys each. The rowid, so the table itself is the log of events in order.
///   key      indexed; SQLite appends the rowid to every index entry, so the index also finds "this key at or before that revision".
///   created, version, lease     as in mvccpb.KeyValue
///   value    NULL: the key was deleted
///   crc      CRC-32C of all of the above: SQLite's own check does not look at content, a flipped bit in a policy must not go unseen
/// </code>
/// </summary>
internal static class Row
{
    public const int PlaceBits = 22;

    public const string Columns = "seq, key, created, version, lease, value, crc";

    /// <summary>The first row a revision can have; the row behind all of revision r is FirstOf(r + 1).</summary>
    public static long FirstOf(long revision) => revision << PlaceBits;

    public static long RevisionOf(long seq) => seq >> PlaceBits;

    public static uint Checksum(long seq, ReadOnlySpan<byte> key, long created, long version, long lease, ReadOnlySpan<byte> value, bool deleted)
    {
        ReadOnlySpan<long> numbers = [seq, created, version, lease, deleted ? -1 : value.Length];
        return Crc(Crc(Crc(uint.MaxValue, MemoryMarshal.AsBytes(numbers)), key), value);
    }

    public static uint Checksum(long seq, Change change) =>
        Checksum(seq, change.Kv.Key.Span, change.Kv.CreateRevision, change.Kv.Version, change.Kv.Lease, change.Kv.Value.Span, change.IsDelete);

    /// <summary>Reads the current row of a statement that selects <see cref="Columns"/>.</summary>
    /// <param name="row">The statement, on a row.</param>
    /// <param name="deleted">The row says that the key was deleted: only key and mod_revision are set.</param>
    /// <exception cref="StoreDamagedException">The checksum does not fit.</exception>
    public static KeyValue Read(SqliteStatement row, out bool deleted)
    {
        long seq = row.Integer(0);
        deleted = row.IsNull(5);
        KeyValue kv = new()
        {
            Key = ByteString.CopyFrom(row.Blob(1)),
            CreateRevision = row.Integer(2),
            ModRevision = RevisionOf(seq),
            Version = row.Integer(3),
            Lease = row.Integer(4),
            Value = ByteString.CopyFrom(row.Blob(5)),
        };
        if (row.Integer(6) != Checksum(seq, kv.Key.Span, kv.CreateRevision, kv.Version, kv.Lease, kv.Value.Span, deleted))
        {
            throw new StoreDamagedException($"the entry of key \"{kv.Key.ToStringUtf8()}\" at revision {kv.ModRevision} does not fit its checksum");
        }

        return kv;
    }

    public static uint Crc(uint crc, ReadOnlySpan<byte> data)
    {
        while (data.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, MemoryMarshal.Read<ulong>(data));
            data = data[sizeof(ulong)..];
        }

        foreach (byte b in data)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return crc;
    }
}

/// <summary>The data file is not one we may use; the message says why, without the file's name.</summary>
internal sealed class StoreDamagedException(string message) : Exception(message);
