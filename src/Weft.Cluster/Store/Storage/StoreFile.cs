using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Google.Protobuf;
using Mvccpb;
using SQLitePCL;
using Weft.Cluster.Store.Mvcc;

namespace Weft.Cluster.Store.Storage;

/// <summary>
/// The one durable file. Owned by the write loop's thread once opened; other threads read history through <see cref="HistoryPool"/>.
/// <para>
/// Why SQLite. What decides here is that an acknowledged write survives kill -9 and power loss, and that a damaged file is noticed; SQLite's journal has been
/// tested for exactly that longer than anything we could write. The alternatives, measured on the development machine: LMDB writes 4 times as fast in
/// batches, but Debian's archive is needed for linking, its file is sparse and its size must be chosen beforehand; ZoneTree's "Sync" log made 4 fsyncs
/// in 200,000 puts, so it is not durable; an own append log with group commit reached 36-45 thousand durable puts/s, and we would own its recovery,
/// compaction and snapshot. SQLite reached 243-447 thousand puts/s batched and "one fsync" unbatched, like all the others; with group commit the network
/// in front of it is the limit. SQLitePCLRaw.lib.e_sqlite3 ships a static archive for x64 and arm64, so the executable stays one file (+2 MB).
/// </para>
/// <para>
/// journal_mode=WAL and synchronous=FULL: a commit returns after fsync of the log, so an acknowledgement means "on the disk". A torn tail of the log fails
/// its frame checksum and is ignored: it can only belong to a commit nobody was told of.
/// </para>
/// </summary>
internal sealed class StoreFile : IDisposable
{
    private const string Schema = $"""
        CREATE TABLE kv (seq INTEGER PRIMARY KEY, key BLOB NOT NULL, created INTEGER NOT NULL, version INTEGER NOT NULL, lease INTEGER NOT NULL, value BLOB, crc INTEGER NOT NULL);
        CREATE INDEX kv_key ON kv (key);
        CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL);
        CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        """;

    private readonly FileGuard _guard;
    private readonly Sqlite _database;
    private readonly SqliteStatement _append;
    private readonly SqliteStatement _putLease;
    private readonly SqliteStatement _deleteLease;
    private readonly SqliteStatement _putMeta;
    private readonly SqliteStatement _rowsToCompact;
    private readonly SqliteStatement _deleteOlder;
    private readonly SqliteStatement _deleteRow;
    private readonly SqliteStatement _pages;
    private readonly SqliteStatement _freePages;
    private long _compactCursor;
    private long _lastRevision;
    private long _place;

    private StoreFile(string path, FileGuard guard, Sqlite database)
    {
        (Path, _guard, _database) = (path, guard, database);
        PageSize = database.Integer("PRAGMA page_size");
        _append = database.Prepare("INSERT INTO kv (seq, key, created, version, lease, value, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
        _putLease = database.Prepare("INSERT OR REPLACE INTO lease (id, ttl) VALUES (?1, ?2)");
        _deleteLease = database.Prepare("DELETE FROM lease WHERE id = ?1");
        _putMeta = database.Prepare("INSERT OR REPLACE INTO meta (name, value) VALUES (CAST(?1 AS TEXT), ?2)");
        _rowsToCompact = database.Prepare("SELECT seq, key, value IS NULL FROM kv WHERE seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT ?3");
        _deleteOlder = database.Prepare("DELETE FROM kv WHERE key = ?1 AND seq < ?2");
        _deleteRow = database.Prepare("DELETE FROM kv WHERE seq = ?1");
        _pages = database.Prepare("PRAGMA page_count");
        _freePages = database.Prepare("PRAGMA freelist_count");
        ClusterId = (ulong)Meta("cluster-id");
        MemberId = (ulong)Meta("member-id");
        _compactCursor = Meta("compact-cursor");
        History = new HistoryReader(database);
        SnapshotPath = path + ".snapshot";
        File.Delete(SnapshotPath); // a crash may have left one
    }

    public string Path { get; }

    /// <summary>Chosen at random when the file was made; clients see them in every header.</summary>
    public ulong ClusterId { get; }

    public ulong MemberId { get; }

    public long PageSize { get; }

    /// <summary>Reads what the open transaction has already written, too.</summary>
    public HistoryReader History { get; }

    private string SnapshotPath { get; }

    /// <exception cref="StoreBusyException">Another store holds the file.</exception>
    /// <exception cref="StoreDamagedException">The file is foreign or damaged.</exception>
    /// <exception cref="SqliteException">The file cannot be read or written.</exception>
    public static StoreFile Open(string path)
    {
        FileGuard guard = FileGuard.Take(path);
        Sqlite? database = null;
        try
        {
            database = new Sqlite(path, readOnly: false);
            Prepare(database);
            return new StoreFile(path, guard, database);
        }
        catch (Exception e)
        {
            database?.Dispose();
            guard.Dispose();
            if (e is SqliteException { IsDamage: true })
            {
                throw new StoreDamagedException(e.Message);
            }

            throw;
        }
    }

    /// <summary>Reads everything once, checking every row.</summary>
    public StoreState Load()
    {
        try
        {
            return ReadAll();
        }
        catch (SqliteException e) when (e.IsDamage)
        {
            throw new StoreDamagedException(e.Message);
        }
    }

    /// <summary>Bytes of the file, and how many of them hold something.</summary>
    public (long Size, long InUse) Size()
    {
        long pages = Single(_pages);
        return (pages * PageSize, (pages - Single(_freePages)) * PageSize);
    }

    public void Begin() => _database.Execute("BEGIN IMMEDIATE");

    /// <summary>Returns when the batch is on the disk.</summary>
    public void Commit() => _database.Execute("COMMIT");

    public void Rollback()
    {
        // After some failures (a full disk) SQLite has rolled back by itself.
        if (!_database.IsIdle)
        {
            _database.Execute("ROLLBACK");
        }

        _compactCursor = Meta("compact-cursor");
        _lastRevision = 0;
    }

    public void Append(Change change)
    {
        (_place, _lastRevision) = (change.Revision == _lastRevision ? _place + 1 : 0, change.Revision);
        if (_place >> Row.PlaceBits != 0)
        {
            throw new SqliteException($"{Path}: revision {change.Revision}: more than {1 << Row.PlaceBits} keys changed at once", raw.SQLITE_TOOBIG, raw.SQLITE_TOOBIG);
        }

        KeyValue kv = change.Kv;
        long seq = Row.FirstOf(change.Revision) + _place;
        _append.Bind(1, seq).Bind(2, kv.Key.Span).Bind(3, kv.CreateRevision).Bind(4, kv.Version).Bind(5, kv.Lease);
        if (change.IsDelete)
        {
            _append.BindNull(6);
        }
        else
        {
            _append.Bind(6, kv.Value.Span);
        }

        _append.Bind(7, Row.Checksum(seq, change)).Run();
    }

    public void PutLease(long id, long ttl) => _putLease.Bind(1, id).Bind(2, ttl).Run();

    public void DeleteLease(long id) => _deleteLease.Bind(1, id).Run();

    public void PutCompactRevision(long revision) => PutMeta("compact-revision"u8, revision);

    /// <summary>True while rows that the compaction gave up are still in the file.</summary>
    public bool HasRowsToCompact(long compactRevision) => _compactCursor < Row.FirstOf(compactRevision);

    /// <summary>
    /// Deletes a part of what lies before the compact revision, inside the open transaction. Of each key the newest row at or before it stays, unless
    /// that is a deletion. Rows of the compact revision itself stay all: a watch may still start there. Work: one look per change since the last
    /// compaction, whatever the size of the store.
    /// </summary>
    public void CompactSome(long compactRevision, int rows)
    {
        List<(long Seq, byte[] Key, bool Deleted)> batch = [];
        _rowsToCompact.Bind(1, _compactCursor).Bind(2, Row.FirstOf(compactRevision + 1)).Bind(3, rows);
        while (_rowsToCompact.Step())
        {
            batch.Add((_rowsToCompact.Integer(0), _rowsToCompact.Blob(1).ToArray(), _rowsToCompact.Integer(2) != 0));
        }

        _rowsToCompact.Reset();
        foreach ((long seq, byte[] key, bool deleted) in batch)
        {
            _deleteOlder.Bind(1, key).Bind(2, seq).Run();
            if (deleted && Row.RevisionOf(seq) < compactRevision)
            {
                _deleteRow.Bind(1, seq).Run();
            }
        }

        _compactCursor = batch.Count < rows ? Row.FirstOf(compactRevision) : Math.Min(batch[^1].Seq + 1, Row.FirstOf(compactRevision));
        PutMeta("compact-cursor"u8, _compactCursor);
    }

    /// <summary>Gives free pages back to the file system. Needs as much room again while it runs.</summary>
    public void Defragment()
    {
        _database.Execute("VACUUM");
        _database.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// <summary>
    /// A consistent copy of the newest committed state, followed by its SHA-256, as an open file without a name. Safe from any thread; writers go on.
    /// </summary>
    public FileStream Snapshot()
    {
        string temporary = $"{SnapshotPath}-{Guid.NewGuid():N}";
        try
        {
            using (Sqlite reader = new(Path, readOnly: true))
            {
                reader.Execute($"VACUUM INTO '{temporary.Replace("'", "''")}'");
            }

            FileStream copy = new(temporary, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            byte[] sum = SHA256.HashData(copy);
            copy.Write(sum);
            copy.Position = 0;
            return copy;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    public void Dispose()
    {
        History.Dispose();
        SqliteStatement[] statements = [_append, _putLease, _deleteLease, _putMeta, _rowsToCompact, _deleteOlder, _deleteRow, _pages, _freePages];
        foreach (SqliteStatement statement in statements)
        {
            statement.Dispose();
        }

        _database.Dispose(); // The last connection writes the log back into the file and removes it.
        _guard.Dispose();
    }

    private static void Prepare(Sqlite database)
    {
        if (database.Integer("PRAGMA page_count") == 0)
        {
            Create(database);
        }

        long application = database.Integer("PRAGMA application_id");
        if (application != FileGuard.ApplicationId)
        {
            throw new StoreDamagedException($"not a weft store: an SQLite database of another program (application_id 0x{application:x8})");
        }

        string mode = database.Text("PRAGMA journal_mode = WAL");
        if (mode != "wal")
        {
            throw new SqliteException($"{database.Path}: the file system does not allow a write-ahead log (journal mode \"{mode}\")", raw.SQLITE_CANTOPEN, raw.SQLITE_CANTOPEN);
        }

        database.Execute("PRAGMA synchronous = FULL");
        database.Execute("PRAGMA wal_autocheckpoint = 4000"); // 16 MB; a checkpoint costs the commit it falls on an fsync of the file
        database.Execute("PRAGMA journal_size_limit = 67108864");
        string verdict = database.Text("PRAGMA quick_check(1)");
        if (verdict != "ok")
        {
            throw new StoreDamagedException($"SQLite's check says: {verdict}");
        }
    }

    /// <summary>All or nothing, under a rollback journal, so that the header of the file itself says whose it is from the first moment on.</summary>
    private static void Create(Sqlite database)
    {
        Span<byte> random = stackalloc byte[2 * sizeof(long)];
        RandomNumberGenerator.Fill(random);
        database.Execute("PRAGMA page_size = 4096");
        database.Execute("PRAGMA synchronous = FULL");
        database.Execute("BEGIN IMMEDIATE");
        database.Execute($"PRAGMA application_id = {FileGuard.ApplicationId}");
        database.Execute($"PRAGMA user_version = {FileGuard.SchemaVersion}");
        database.Execute(Schema);
        database.Execute($"""
            INSERT INTO meta VALUES ('cluster-id', {BinaryPrimitives.ReadInt64LittleEndian(random) & long.MaxValue}),
            ('member-id', {BinaryPrimitives.ReadInt64LittleEndian(random[8..]) & long.MaxValue}), ('compact-revision', 0), ('compact-cursor', 0)
            """);
        database.Execute("COMMIT");
    }

    private StoreState ReadAll()
    {
        KeyTree.Editor keys = KeyTree.Empty.Edit();
        Dictionary<long, ImmutableHashSet<ByteString>.Builder> attached = [];
        long compactRevision = Meta("compact-revision");
        long revision = Math.Max(compactRevision, 1);
        using (SqliteStatement rows = _database.Prepare($"SELECT {Row.Columns} FROM kv ORDER BY seq"))
        {
            while (rows.Step())
            {
                KeyValue kv = Row.Read(rows, out bool deleted);
                revision = Math.Max(revision, kv.ModRevision);
                if (deleted)
                {
                    keys.Remove(kv.Key);
                }
                else
                {
                    keys.Put(kv);
                }
            }
        }

        KeyTree tree = keys.Freeze();
        List<KeyValue> all = [];
        tree.Collect(KeyRange.All, 0, all);
        foreach (KeyValue kv in all.Where(kv => kv.Lease != 0))
        {
            (attached.TryGetValue(kv.Lease, out ImmutableHashSet<ByteString>.Builder? set) ? set : attached[kv.Lease] = ImmutableHashSet.CreateBuilder<ByteString>()).Add(kv.Key);
        }

        ImmutableDictionary<long, Lease>.Builder leases = ImmutableDictionary.CreateBuilder<long, Lease>();
        using (SqliteStatement rows = _database.Prepare("SELECT id, ttl FROM lease"))
        {
            while (rows.Step())
            {
                long id = rows.Integer(0);
                leases.Add(id, new Lease(id, rows.Integer(1), attached.TryGetValue(id, out ImmutableHashSet<ByteString>.Builder? set) ? set.ToImmutable() : []));
            }
        }

        return new StoreState(tree, revision, compactRevision, leases.ToImmutable());
    }

    private long Meta(string name) => _database.Integer($"SELECT value FROM meta WHERE name = '{name}'");

    private void PutMeta(ReadOnlySpan<byte> name, long value) => _putMeta.Bind(1, name).Bind(2, value).Run();

    private static long Single(SqliteStatement statement)
    {
        long value = statement.Step() ? statement.Integer(0) : 0;
        statement.Reset();
        return value;
    }
}
