using System.Text;
using Microsoft.Extensions.Logging;

namespace Weft.Hosting.Logging;

/// <summary>
/// The log of a role: one line per event on standard error, "&lt;priority&gt;" first when systemd reads it (sd-daemon(3)), a time stamp first
/// otherwise. Standard output is never touched: there a CNI result or a table may stand.
/// </summary>
public sealed class ConsoleLogs : ILoggerFactory
{
    private readonly Lock _gate = new(); // Guards the stream: a line must not be cut by another.
    private readonly Stream _stream;
    private readonly TimeProvider _time;
    private readonly bool _journal;

    /// <param name="stream">Where lines go, usually standard error.</param>
    /// <param name="minimum">The least severe level that is written.</param>
    /// <param name="journal">Write systemd priorities instead of time stamps.</param>
    /// <param name="time">The clock for time stamps.</param>
    public ConsoleLogs(Stream stream, LogLevel minimum, bool journal, TimeProvider time)
    {
        (_stream, Minimum, _journal, _time) = (stream, minimum, journal, time);
    }

    /// <summary>Can be changed at run time.</summary>
    public LogLevel Minimum { get; set; }

    /// <summary>Standard error of this process; systemd's journal is recognised by JOURNAL_STREAM.</summary>
    public static ConsoleLogs ForProcess(LogLevel minimum) =>
        new(Console.OpenStandardError(), minimum, Environment.GetEnvironmentVariable("JOURNAL_STREAM") is { Length: > 0 }, TimeProvider.System);

    public static bool TryParseLevel(string text, out LogLevel level)
    {
        LogLevel? found = text.ToLowerInvariant() switch
        {
            "debug" => LogLevel.Debug,
            "info" or "information" => LogLevel.Information,
            "warning" or "warn" => LogLevel.Warning,
            "error" => LogLevel.Error,
            "none" => LogLevel.None,
            _ => null,
        };
        level = found ?? LogLevel.Information;
        return found is not null;
    }

    public ILogger CreateLogger(string categoryName) => new CategoryLogger(this, categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("weft logs to standard error only");

    public void Dispose()
    {
    }

    private void Write(LogLevel level, string category, EventId id, string message, Exception? exception)
    {
        StringBuilder line = new(message.Length + 64);
        if (_journal)
        {
            line.Append('<').Append(level switch { LogLevel.Critical => 2, LogLevel.Error => 3, LogLevel.Warning => 4, LogLevel.Information => 6, _ => 7 }).Append('>');
        }
        else
        {
            line.Append(_time.GetUtcNow().ToString("yyyy-MM-dd HH:mm:ss.fff")).Append(' ')
                .Append(level switch { LogLevel.Critical => "CRIT ", LogLevel.Error => "ERROR", LogLevel.Warning => "WARN ", LogLevel.Information => "INFO ", _ => "DEBUG" }).Append(' ');
        }

        line.Append(category).Append(": ").Append(message.ReplaceLineEndings(" | "));
        if (exception is not null)
        {
            line.Append(" | ").Append(exception.ToString().ReplaceLineEndings(" | "));
        }

        line.Append('\n');
        byte[] bytes = Encoding.UTF8.GetBytes(line.ToString());
        lock (_gate)
        {
            _stream.Write(bytes);
            _stream.Flush();
        }
    }

    private sealed class CategoryLogger(ConsoleLogs logs, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= logs.Minimum && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                logs.Write(logLevel, category, eventId, formatter(state, exception), exception);
            }
        }
    }
}
