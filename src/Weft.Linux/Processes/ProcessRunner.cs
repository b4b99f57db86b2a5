using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using Weft.Linux.Namespaces;

namespace Weft.Linux.Processes;

/// <summary>The seam at which tests count and break the programs that drivers run.</summary>
public interface IProcessRunner
{
    /// <summary>Runs to the end on the calling thread.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; the process has been killed.</exception>
    ProcessResult Run(ProcessRequest request, CancellationToken stop = default);
}

/// <summary>
/// Runs programs (iptables-restore and friends). Blocking on purpose: reconcilers are called on a thread that waits for the kernel anyway, and a
/// run of 5 ms is not worth a state machine. Any number of threads may use one runner.
/// </summary>
public sealed class ProcessRunner : IProcessRunner
{
    // What a program wrote is in the pipe when it has ended. A child it left behind may keep the pipe open for ever: it is not waited for.
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(2);

    private readonly NetNamespace? _space;
    private readonly NamespaceView _view;

    /// <param name="space">Where the programs run; null for the namespace of the calling thread. Stays the caller's to dispose.</param>
    public ProcessRunner(NetNamespace? space = null, NamespaceView view = NamespaceView.Network)
    {
        _space = space;
        _view = view;
    }

    public ProcessResult Run(ProcessRequest request, CancellationToken stop = default)
    {
        stop.ThrowIfCancellationRequested();
        ProcessStartInfo start = Describe(request);
        Process process;
        try
        {
            process = _space is null
                ? Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start")
                : _space.Start(start, _view);
        }
        catch (Win32Exception e)
        {
            return new ProcessResult(ProcessOutcome.NotStarted, -1, [], Encoding.UTF8.GetBytes($"{request.FileName}: {e.Message}"));
        }

        using (process)
        {
            return Wait(process, request, stop);
        }
    }

    private static ProcessResult Wait(Process process, ProcessRequest request, CancellationToken stop)
    {
        // One thread per stream: a program that fills one pipe while we wait on another would stand still for ever.
        StreamReaderThread output = new(process.StandardOutput.BaseStream, request.OutputLimit, "process-out");
        StreamReaderThread error = new(process.StandardError.BaseStream, request.ErrorLimit, "process-err");
        using CancellationTokenRegistration kill = stop.UnsafeRegister(static p => Kill((Process)p!), process);
        KillSwitch killSwitch = new(process);
        using Timer timer = new(static p => Kill(((KillSwitch)p!).Pull()), killSwitch, request.Timeout, Timeout.InfiniteTimeSpan);
        WriteInput(process, request.Input);
        process.WaitForExit();
        output.Join(DrainTime);
        error.Join(DrainTime);
        stop.ThrowIfCancellationRequested();
        return killSwitch.Pulled
            ? new ProcessResult(ProcessOutcome.TimedOut, -1, output.Bytes, error.Bytes, output.Truncated)
            : new ProcessResult(ProcessOutcome.Exited, process.ExitCode, output.Bytes, error.Bytes, output.Truncated);
    }

    private static void WriteInput(Process process, ReadOnlyMemory<byte> input)
    {
        try
        {
            Stream stream = process.StandardInput.BaseStream;
            stream.Write(input.Span);
            stream.Close();
        }
        catch (IOException)
        {
            // EPIPE: the program ended without reading everything. Its exit code and stderr say why.
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has ended in the meantime.
        }
    }

    private static ProcessStartInfo Describe(ProcessRequest request)
    {
        ProcessStartInfo start = new(request.FileName, request.Arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = request.WorkingDirectory ?? string.Empty,
        };

        // Messages are shown to people and compared by nobody, but numbers and dates in listings must not depend on the host's locale.
        start.Environment["LC_ALL"] = "C";
        foreach ((string name, string? value) in request.Environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        return start;
    }

    private sealed class KillSwitch(Process process)
    {
        private volatile bool _pulled;

        public bool Pulled => _pulled;

        public Process Pull()
        {
            _pulled = true;
            return process;
        }
    }

    private sealed class StreamReaderThread
    {
        private readonly Thread _thread;
        private readonly Stream _stream;
        private readonly int _limit;
        private readonly Lock _gate = new(); // Guards what is kept: the thread may outlive the run, see DrainTime.
        private readonly MemoryStream _kept = new();
        private bool _truncated;

        public StreamReaderThread(Stream stream, int limit, string name)
        {
            _stream = stream;
            _limit = limit;
            _thread = new Thread(Drain, 256 * 1024) { IsBackground = true, Name = name };
            _thread.Start();
        }

        public byte[] Bytes
        {
            get
            {
                lock (_gate)
                {
                    return _kept.ToArray();
                }
            }
        }

        public bool Truncated
        {
            get
            {
                lock (_gate)
                {
                    return _truncated;
                }
            }
        }

        public void Join(TimeSpan atMost) => _thread.Join(atMost);

        private void Drain()
        {
            byte[] buffer = new byte[32 * 1024];
            try
            {
                int read;
                while ((read = _stream.Read(buffer)) > 0)
                {
                    lock (_gate)
                    {
                        int keep = (int)Math.Min(read, _limit - _kept.Length);
                        _kept.Write(buffer, 0, keep);
                        _truncated |= keep < read;
                    }
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                // The pipe broke because the process was killed, or was given up: what has come stands.
            }
        }
    }
}
