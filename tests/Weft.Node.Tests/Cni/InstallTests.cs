using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Node.Install;

namespace Weft.Node.Tests.Cni;

public sealed class InstallTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("weft-node-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private string Bin => Path.Combine(_root, "opt/cni/bin");

    private string Conflist => Path.Combine(_root, "etc/cni/net.d/10-weft.conflist");

    [Fact]
    public async Task Install_UnderAHostPrefix_WritesBothNamesAndAConfigurationOnlyRootReads()
    {
        (ExitStatus status, string text) = await RunAsync("install", "--host-prefix", _root, "--network", "podnet");

        Assert.Equal(ExitStatus.Ok, status);
        Assert.Equal(3, text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        foreach (string name in new[] { "weft", "weft-ipam" })
        {
            Assert.True(File.GetUnixFileMode(Path.Combine(Bin, name)).HasFlag(UnixFileMode.OtherExecute));
            Assert.Equal(new FileInfo(System.Environment.ProcessPath!).Length, new FileInfo(Path.Combine(Bin, name)).Length);
        }

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Conflist));
        JsonNode list = JsonNode.Parse(File.ReadAllText(Conflist))!;
        Assert.Equal(("podnet", "weft"), ((string?)list["name"], (string?)list["plugins"]![0]!["type"]));
        Assert.DoesNotContain("etcd", list.ToJsonString());
        Assert.Empty(Directory.GetFiles(Bin, "*.new"));
    }

    [Fact]
    public async Task Install_Again_ChangesNothing_AndRepairsWhatIsBroken()
    {
        await RunAsync("install", "--host-prefix", _root);
        (_, string again) = await RunAsync("install", "--host-prefix", _root);
        File.WriteAllText(Path.Combine(Bin, "weft"), "an older version");
        (_, string repaired) = await RunAsync("install", "--host-prefix", _root);

        Assert.Empty(again);
        Assert.Equal($"wrote {Path.Combine(Bin, "weft")}\n", repaired);
    }

    [Fact]
    public async Task Install_OverARunningExecutable_LeavesItRunning()
    {
        Directory.CreateDirectory(Bin);
        File.Copy("/bin/sleep", Path.Combine(Bin, "weft"));
        using System.Diagnostics.Process running = System.Diagnostics.Process.Start(Path.Combine(Bin, "weft"), "60");

        (ExitStatus status, _) = await RunAsync("install", "--host-prefix", _root);

        Assert.Equal(ExitStatus.Ok, status);
        Assert.False(running.HasExited);
        running.Kill();
    }

    [Fact]
    public async Task Portmap_IsChainedWhereItIsInstalled()
    {
        Directory.CreateDirectory(Bin);
        File.WriteAllText(Path.Combine(Bin, "portmap"), "");

        await RunAsync("install", "--host-prefix", _root);

        Assert.Equal(["weft", "portmap"], JsonNode.Parse(File.ReadAllText(Conflist))!["plugins"]!.AsArray().Select(p => (string?)p!["type"]));
    }

    [Fact]
    public async Task Uninstall_TakesEverythingBack_ButNotAnotherProgramsConfiguration()
    {
        await RunAsync("install", "--host-prefix", _root);
        await RunAsync("uninstall", "--host-prefix", _root);
        bool gone = !File.Exists(Conflist) && Directory.GetFiles(Bin).Length == 0;
        File.WriteAllText(Conflist, """{"name":"x","plugins":[{"type":"bridge"}]}""");

        (ExitStatus status, string text) = await RunAsync("uninstall", "--host-prefix", _root);

        Assert.True(gone);
        Assert.Equal((ExitStatus.Ok, string.Empty), (status, text));
        Assert.True(File.Exists(Conflist));
    }

    [Fact]
    public async Task Install_FolderCannotBeWritten_ChangesNothing()
    {
        Directory.CreateDirectory(Path.Combine(_root, "etc/cni"));
        File.WriteAllText(Path.Combine(_root, "etc/cni/net.d"), "a file where the folder should be");

        (ExitStatus status, _) = await RunAsync("install", "--host-prefix", _root);

        Assert.Equal(ExitStatus.Failed, status);
        Assert.Empty(Directory.GetFiles(Bin));
    }

    [Theory]
    [InlineData("not json", ExitStatus.Configuration)]
    [InlineData("""{"plugins":[{"type":"weft"}]}""", ExitStatus.Configuration)]
    [InlineData("""{"name":"n","plugins":[]}""", ExitStatus.Configuration)]
    [InlineData("""{"name":"n","plugins":[{"type":"weft"}]}""", ExitStatus.Ok)]
    public async Task OwnConfiguration_IsCheckedFirst(string text, ExitStatus expected)
    {
        string file = Path.Combine(_root, "mine.json");
        File.WriteAllText(file, text);

        (ExitStatus status, _) = await RunAsync("install", "--host-prefix", _root, "--conflist", file);

        Assert.Equal(expected, status);
        Assert.Equal(expected == ExitStatus.Ok, File.Exists(Conflist));
    }

    [Theory]
    [InlineData]
    [InlineData("reinstall")]
    [InlineData("install", "--nope")]
    public async Task WrongWords_ShowTheUsage(params string[] arguments) => Assert.Equal(ExitStatus.Usage, (await RunAsync(arguments)).Status);

    private static async Task<(ExitStatus Status, string Text)> RunAsync(params string[] arguments)
    {
        StringWriter text = new();
        ExitStatus status = await new CniCommand().RunAsync(
            arguments,
            new CommandContext { In = Stream.Null, Out = text, Error = TextWriter.Null, Environment = new Dictionary<string, string>() },
            CancellationToken.None);
        return (status, text.ToString());
    }
}
