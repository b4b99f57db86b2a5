using System.Diagnostics;
using System.Text;

namespace Weft.Interop;

/// <summary>One process in one namespace, ended by its own process id. "ip netns exec" becomes the program, so the id is the daemon's.</summary>
internal sealed class Daemon : IDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _log = new();
    private readonly string _name;

    public Daemon(string name, string netns, params string[] command)
    {
        _name = name;
        _process = Shell.Start("ip", ["netns", "exec", netns, .. command]);
        _process.StandardInput.Close();
        _process.OutputDataReceived += OnLine;
        _process.ErrorDataReceived += OnLine;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public string Log
    {
        get
        {
            lock (_log)
            {
                return $"---- {_name}{(HasExited ? $" ended with {_process.ExitCode}" : "")}\n{(_log.Length > 6000 ? _log.ToString(_log.Length - 6000, 6000) : _log)}";
            }
        }
    }

    /// <summary>SIGKILL: no last words.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.WaitForExit();
    }

    /// <summary>SIGTERM, as systemd stops it; SIGKILL when it takes longer than the limit.</summary>
    public async Task StopAsync(double seconds = 10)
    {
        await Shell.TryAsync("kill", "-TERM", _process.Id.ToString());
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(seconds));
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Kill();
        }
    }

    /// <summary>A line of /proc/PID/status in KiB, as VmHWM.</summary>
    public long StatusKib(string key) => long.Parse(
        File.ReadLines($"/proc/{Id}/status").First(l => l.StartsWith(key + ":", StringComparison.Ordinal)).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1]);

    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    private void OnLine(object sender, DataReceivedEventArgs line)
    {
        lock (_log)
        {
            _log.AppendLine(line.Data);
        }
    }
}
