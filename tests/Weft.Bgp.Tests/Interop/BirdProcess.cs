using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Weft.Bgp.Tests.Interop;

/// <summary>A real BIRD with its own directory and control socket, ended by its own process id.</summary>
internal sealed class BirdProcess : IDisposable
{
    private readonly Process _process;
    private readonly string _directory;

    private BirdProcess(Process process, string directory)
    {
        _process = process;
        _directory = directory;
    }

    public static int FreePort(string address)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    public static async Task<BirdProcess> StartAsync(string configuration)
    {
        string directory = Directory.CreateTempSubdirectory("weft-bird-").FullName;
        File.WriteAllText(Path.Combine(directory, "bird.conf"), configuration);
        string[] arguments = ["-f", "-c", $"{directory}/bird.conf", "-s", $"{directory}/bird.ctl"];
        Process process = Process.Start(new ProcessStartInfo("/usr/sbin/bird", arguments) { RedirectStandardError = true, RedirectStandardOutput = true })
            ?? throw new InvalidOperationException("start /usr/sbin/bird: no process; the interop tests need Debian's bird2");
        var bird = new BirdProcess(process, directory);
        for (int i = 0; i < 100 && !File.Exists($"{directory}/bird.ctl"); i++)
        {
            Assert.False(process.HasExited, $"bird ended: {(process.HasExited ? process.StandardError.ReadToEnd() : "")}");
            await Task.Delay(50);
        }

        return bird;
    }

    public async Task<string> AskAsync(string command)
    {
        var start = new ProcessStartInfo("/usr/sbin/birdc", ["-s", $"{_directory}/bird.ctl", .. command.Split(' ')])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        string text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return text;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
