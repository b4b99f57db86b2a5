using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers.IpTables;
using Weft.Linux.Namespaces;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Drivers;

/// <summary>A namespace of one test on the real kernel: what drivers write to, and what the test looks at and damages with the usual tools.</summary>
internal sealed class TestKernel : IDisposable
{
    private static int _counter;

    private readonly ProcessRunner _tools;

    public TestKernel()
    {
        Name = $"linux-dp-{Environment.ProcessId}-{Interlocked.Increment(ref _counter)}";
        Space = NamedNamespaces.Create(Name);
        _tools = new ProcessRunner(Space);
        Runner = new ScriptedRunner(_tools);
        Run("ip", "link", "set", "lo", "up");
    }

    public string Name { get; }

    public NetNamespace Space { get; }

    public ScriptedRunner Runner { get; }

    public ManualTime Time { get; } = new();

    public RouteSocket OpenSocket() => RouteSocket.Open(Space);

    /// <summary>Runs a tool inside; it must succeed.</summary>
    public string Run(string file, params string[] arguments)
    {
        ProcessResult result = _tools.Run(new ProcessRequest(file, arguments));
        Assert.True(result.IsSuccess, $"{file} {string.Join(' ', arguments)}: {result}");
        return result.OutputText;
    }

    /// <summary>The command line split at blanks.</summary>
    public string Sh(string command)
    {
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return Run(words[0], words[1..]);
    }

    public void Dispose()
    {
        Space.Dispose();
        NamedNamespaces.Delete(Name);
    }
}

/// <summary>Runs programs for real, counts them, and fails those it is told to.</summary>
internal sealed class ScriptedRunner(IProcessRunner inner) : IProcessRunner
{
    public List<string> Commands { get; } = [];

    public string LastInput { get; private set; } = string.Empty;

    /// <summary>How many of the coming runs fail, of those whose program's name contains <see cref="FailPattern"/>.</summary>
    public int FailNext { get; set; }

    public string FailPattern { get; set; } = string.Empty;

    /// <summary>A failing run does its work before it reports failure: the worst case for a driver's memory.</summary>
    public bool FailAfterWork { get; set; }

    public int CountOf(string part) => Commands.Count(c => c.Contains(part));

    public ProcessResult Run(ProcessRequest request, CancellationToken stop = default)
    {
        Commands.Add(request.FileName);
        LastInput = request.Input.IsEmpty ? LastInput : System.Text.Encoding.UTF8.GetString(request.Input.Span);
        bool fail = FailNext > 0 && request.FileName.Contains(FailPattern);
        if (!fail)
        {
            return inner.Run(request, stop);
        }

        FailNext--;
        if (FailAfterWork)
        {
            inner.Run(request, stop);
        }

        return new ProcessResult(ProcessOutcome.Exited, 4, [], "simulated failure"u8.ToArray());
    }
}

/// <summary>A clock that moves only when told.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long _ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _ticks;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(_ticks);

    public void Advance(TimeSpan by) => _ticks += by.Ticks;
}
