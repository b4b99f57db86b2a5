using System.Text;

namespace Weft.Linux.Processes;

/// <summary>A program to run: never through a shell, every argument arrives as it stands here.</summary>
/// <param name="FileName">A path, or a name looked up in PATH.</param>
/// <param name="Arguments">Without the program's own name.</param>
public sealed record ProcessRequest(string FileName, params string[] Arguments)
{
    /// <summary>Written to standard input, which is then closed.</summary>
    public ReadOnlyMemory<byte> Input { get; init; }

    /// <summary>After this the process and its children are killed.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Bytes of standard output that are kept; what follows is read and dropped.</summary>
    public int OutputLimit { get; init; } = 256 * 1024 * 1024;

    /// <summary>Bytes of standard error that are kept.</summary>
    public int ErrorLimit { get; init; } = 64 * 1024;

    /// <summary>Added to the environment; a null value removes a variable.</summary>
    public IReadOnlyDictionary<string, string?>? Environment { get; init; }

    public string? WorkingDirectory { get; init; }

    /// <summary>For messages: the command line as a person would write it.</summary>
    public override string ToString() => Arguments.Length == 0 ? FileName : $"{FileName} {string.Join(' ', Arguments)}";
}

/// <summary>How a run ended.</summary>
public enum ProcessOutcome
{
    /// <summary>It ended by itself; see the exit code.</summary>
    Exited,

    /// <summary>There is no such program, or it may not be executed.</summary>
    NotStarted,

    /// <summary>It was killed after its time.</summary>
    TimedOut,
}

/// <summary>What a program left behind.</summary>
/// <param name="ExitCode">-1 unless <see cref="ProcessOutcome.Exited"/>; 128 + n when signal n ended it.</param>
/// <param name="OutputTruncated">There was more output than the request's limit.</param>
public sealed record ProcessResult(ProcessOutcome Outcome, int ExitCode, byte[] Output, byte[] Error, bool OutputTruncated = false)
{
    public bool IsSuccess => Outcome == ProcessOutcome.Exited && ExitCode == 0;

    public string OutputText => Encoding.UTF8.GetString(Output);

    public string ErrorText => Encoding.UTF8.GetString(Error).Trim();

    /// <summary>"exit 2: iptables-restore: line 3 failed".</summary>
    public override string ToString() => Outcome switch
    {
        ProcessOutcome.Exited when ExitCode == 0 => "exit 0",
        ProcessOutcome.Exited => $"exit {ExitCode}: {ErrorText}",
        ProcessOutcome.TimedOut => $"killed after its time: {ErrorText}",
        _ => $"not started: {ErrorText}",
    };
}
