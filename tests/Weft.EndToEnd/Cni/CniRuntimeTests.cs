namespace Weft.EndToEnd.Cni;

/// <summary>
/// Container runtimes as they are, with weft as their network: two nodes, policy, a published port through portmap, tuning and bandwidth in the chain. The scripts beside this file
/// do the work; a runtime that is not installed fails the test.
/// </summary>
public sealed class CniRuntimeTests
{
    private static readonly string[] s_needed = ["runc", "busybox", "/usr/lib/cni/portmap", "/usr/lib/cni/tuning", "/usr/lib/cni/bandwidth"];

    [Fact]
    public async Task Podman_ContainersOnTwoNodes_TalkAsThePolicySays()
    {
        await RequireAsync("podman");
        string work = Directory.CreateTempSubdirectory("weft-runtime-").FullName;

        Outcome outcome = await Executable.RunAsync("unshare", ["--net", "--mount", "bash", Path.Combine(Folder(), "podman.sh"), Executable.Path, work], string.Empty);

        Assert.True(outcome.ExitCode == 0, $"{outcome.Output}\n{outcome.Error}\n{Tail(work)}");
        await Executable.RunAsync("rm", ["-rf", work], string.Empty);
    }

    [Fact]
    public async Task ContainerdCri_PodsOnTwoNodes_TalkAsThePolicySays()
    {
        await RequireAsync("containerd");
        string work = Directory.CreateTempSubdirectory("weft-runtime-").FullName;
        using System.Diagnostics.Process node = Executable.Start("unshare", ["--net", "--mount", "bash", Path.Combine(Folder(), "containerd.sh"), Executable.Path, work]);
        using CriClient a = new(Path.Combine(work, "a/cri.sock"));
        using CriClient b = new(Path.Combine(work, "b/cri.sock"));
        const string Serve = "mkdir -p /w; echo hello > /w/index.html; httpd -p 8081 -h /w; exec httpd -f -p 8080 -h /w";

        await ExpectAsync(node, "ready", work);
        (string Id, byte[] Config) server = await a.RunPodAsync("server", hostPort: 18081);
        (string Id, byte[] Config) client = await b.RunPodAsync("client", hostPort: 0);
        await a.RunContainerAsync(server, "sh", "-c", Serve);
        await SayAsync(node, $"{await a.AddressAsync(server.Id)} {await b.AddressAsync(client.Id)}");
        string outside = await ExpectAsync(node, "checked", work);
        await a.RemovePodAsync(server.Id);
        await b.RemovePodAsync(client.Id);
        await SayAsync(node, "gone");
        string done = await ExpectAsync(node, "done", work);
        await Executable.FinishAsync(node);

        Assert.Equal("checked 0", outside);
        Assert.Equal("done 0", done);
        await Executable.RunAsync("rm", ["-rf", work], string.Empty);
    }

    private static async Task RequireAsync(string runtime)
    {
        foreach (string program in s_needed.Prepend(runtime))
        {
            Outcome found = await Executable.RunAsync("sh", ["-c", $"command -v {program}"], string.Empty);
            Assert.True(found.ExitCode == 0, $"{program} is not installed: ./build.sh test installs it where Debian's archive can be reached");
        }
    }

    private static async Task SayAsync(System.Diagnostics.Process script, string line)
    {
        await script.StandardInput.WriteLineAsync(line);
        await script.StandardInput.FlushAsync();
    }

    /// <summary>Reads until the script says the word, or has ended.</summary>
    private static async Task<string> ExpectAsync(System.Diagnostics.Process script, string word, string work)
    {
        List<string> said = [];
        while (await script.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60)) is { } line)
        {
            if (line.StartsWith(word, StringComparison.Ordinal))
            {
                return said.Any(l => l.StartsWith("FAIL", StringComparison.Ordinal)) ? string.Join('\n', said) : line;
            }

            said.Add(line);
        }

        throw new InvalidOperationException($"the script ended before \"{word}\":\n{string.Join('\n', said)}\n{await script.StandardError.ReadToEndAsync()}\n{Tail(work)}");
    }

    private static string Folder()
    {
        DirectoryInfo folder = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "build.sh")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("the repository is not above the test program");
        }

        return Path.Combine(folder.FullName, "tests/Weft.EndToEnd/Cni");
    }

    private static string Tail(string work) => string.Join('\n', Directory.EnumerateFiles(work, "*.log", SearchOption.AllDirectories)
        .Where(f => !f.Contains("storage", StringComparison.Ordinal)).SelectMany(f => File.ReadLines(f).TakeLast(8).Prepend($"-- {f}")));
}
