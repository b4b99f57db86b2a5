using SQLitePCL;

namespace Weft.Cluster.Store.Storage;

/// <summary>SQLite refused or failed; <see cref="Exception.Message"/> names the file, what was tried and what SQLite said.</summary>
internal sealed class SqliteException(string message, int code, int extendedCode) : Exception(message)
{
    /// <summary>SQLITE_FULL and friends.</summary>
    public int Code { get; } = code;

    public int ExtendedCode { get; } = extendedCode;

    /// <summary>The disk (or the bound we set on the file) has no room.</summary>
    public bool IsFull => Code == raw.SQLITE_FULL;

    /// <summary>The bytes in the file are not what SQLite wrote.</summary>
    public bool IsDamage => Code is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB;
}

/// <summary>One connection to one file; used by one thread at a time. Every failure is an exception with the file's name.</summary>
internal sealed class Sqlite : IDisposable
{
    private readonly sqlite3 _database;

    static Sqlite() => raw.SetProvider(new SQLite3Provider_e_sqlite3());

    public Sqlite(string path, bool readOnly)
    {
        Path = path;
        int flags = (readOnly ? raw.SQLITE_OPEN_READONLY : raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE) | raw.SQLITE_OPEN_NOMUTEX;
        int code = raw.sqlite3_open_v2(path, out _database, flags, null);
        if (code != raw.SQLITE_OK)
        {
            string said = _database is null ? raw.sqlite3_errstr(code).utf8_to_string() : raw.sqlite3_errmsg(_database).utf8_to_string();
            _database?.Dispose();
            throw new SqliteException($"open {path}: {said} ({code})", code, code);
        }

        _ = raw.sqlite3_extended_result_codes(_database, 1);
        _ = raw.sqlite3_busy_timeout(_database, 5000);
    }

    public string Path { get; }

    /// <summary>False while a transaction is open.</summary>
    public bool IsIdle => raw.sqlite3_get_autocommit(_database) != 0;

    public void Execute(string sql)
    {
        int code = raw.sqlite3_exec(_database, sql);
        if (code != raw.SQLITE_OK)
        {
            throw Failure(sql, code);
        }
    }

    public long Integer(string sql)
    {
        using SqliteStatement statement = Prepare(sql);
        return statement.Step() ? statement.Integer(0) : 0;
    }

    public string Text(string sql)
    {
        using SqliteStatement statement = Prepare(sql);
        return statement.Step() ? statement.Text(0) : string.Empty;
    }

    public SqliteStatement Prepare(string sql)
    {
        int code = raw.sqlite3_prepare_v2(_database, sql, out sqlite3_stmt statement);
        return code == raw.SQLITE_OK ? new SqliteStatement(this, statement, sql) : throw Failure(sql, code);
    }

    public void Dispose() => _database.Dispose();

    internal SqliteException Failure(string sql, int code) =>
        new($"{Path}: {sql.Split('\n')[0]}: {raw.sqlite3_errmsg(_database).utf8_to_string()} ({code})", code & 0xff, code);
}

/// <summary>A prepared statement; stepping it to the end or resetting it ends its hold on the file.</summary>
internal sealed class SqliteStatement(Sqlite connection, sqlite3_stmt statement, string sql) : IDisposable
{
    public SqliteStatement Bind(int index, long value)
    {
        Check(raw.sqlite3_bind_int64(statement, index, value));
        return this;
    }

    public SqliteStatement Bind(int index, ReadOnlySpan<byte> value)
    {
        // An empty span would be bound as NULL, which stands for a deletion here.
        Check(value.IsEmpty ? raw.sqlite3_bind_zeroblob(statement, index, 0) : raw.sqlite3_bind_blob(statement, index, value));
        return this;
    }

    public SqliteStatement BindNull(int index)
    {
        Check(raw.sqlite3_bind_null(statement, index));
        return this;
    }

    /// <summary>True when there is a row.</summary>
    public bool Step()
    {
        int code = raw.sqlite3_step(statement);
        return code switch
        {
            raw.SQLITE_ROW => true,
            raw.SQLITE_DONE => false,
            _ => throw Reset(connection.Failure(sql, code)),
        };
    }

    /// <summary>Runs a statement without rows and makes it ready for the next time.</summary>
    public void Run()
    {
        Step();
        Reset();
    }

    public void Reset() => _ = raw.sqlite3_reset(statement);

    public long Integer(int column) => raw.sqlite3_column_int64(statement, column);

    public string Text(int column) => raw.sqlite3_column_text(statement, column).utf8_to_string() ?? string.Empty;

    public bool IsNull(int column) => raw.sqlite3_column_type(statement, column) == raw.SQLITE_NULL;

    /// <summary>Valid until the next step.</summary>
    public ReadOnlySpan<byte> Blob(int column) => raw.sqlite3_column_blob(statement, column);

    public void Dispose() => statement.Dispose();

    private SqliteException Reset(SqliteException failure)
    {
        Reset();
        return failure;
    }

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK)
        {
            throw Reset(connection.Failure(sql, code));
        }
    }
}
