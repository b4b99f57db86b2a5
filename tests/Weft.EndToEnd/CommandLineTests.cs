using System.Text.RegularExpressions;
namespace Weft.EndToEnd;

/// <summary>The first things a user types.</summary>
public sealed class CommandLineTests
{
    [Fact]
    public async Task Help_ListsRolesAndCommands()
    {
        Outcome help = await Executable.RunAsync("help");

        help.MustSucceed();
        foreach (string word in new[] { "agent", "router", "store", "apply", "get", "delete", "node", "lab", "config" })
        {
            Assert.Contains($"\n  {word} ", help.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task UnknownCommand_IsNamed_AndExitsWithTwo()
    {
        Outcome outcome = await Executable.RunAsync("frobnicate");

        Assert.Equal(2, outcome.ExitCode);
        Assert.Contains("\"frobnicate\"", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Version_IsOneLine()
    {
        Outcome outcome = await Executable.RunAsync("version");

        Assert.Matches("^weft [0-9]+\\.[0-9]+\\.[0-9]+", outcome.MustSucceed().Output);
    }

    [Fact]
    public async Task CniVersion_ListsTheSpecVersions_OnStandardOutputOnly()
    {
        Outcome outcome = await Executable.RunAsync(
            Executable.Path, [], """{"cniVersion":"1.0.0"}""", new Dictionary<string, string> { ["CNI_COMMAND"] = "VERSION" });

        outcome.MustSucceed();
        Assert.Empty(outcome.Error);
        foreach (string version in new[] { "0.3.1", "0.4.0", "1.0.0", "1.1.0" })
        {
            Assert.Contains($"\"{version}\"", outcome.Output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("agent")]
    [InlineData("router")]
    [InlineData("store")]
    public async Task WrongSettings_AreAllReportedAtOnce_WithExit78(string role)
    {
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "[datastore]\nendpoints = not-an-url\n[router]\nlocal-as = x\nrouter-id = 1.2\n[store]\nlisten = nowhere\n[log]\nlevel = loud\n[rooter]\na = b\n");

        Outcome outcome = await Executable.RunAsync(role, "--config", file);

        Assert.Equal(78, outcome.ExitCode);
        Assert.Contains($"{file}: [rooter] a: unknown section [rooter]; did you mean [router]?", outcome.Error, StringComparison.Ordinal);
        Assert.Contains($"{file}: [log] level: \"loud\"", outcome.Error, StringComparison.Ordinal);
        File.Delete(file);
    }

    [Fact]
    public async Task ConfigReference_DocumentsEveryKeyOfTheSwitchExample()
    {
        Outcome outcome = await Executable.RunAsync("config", "reference");

        outcome.MustSucceed();
        foreach (string key in new[] { "router-id", "local-as", "listen", "install-routes", "networks", "address", "remote-as", "password-file", "import", "export" })
        {
            Assert.Contains($"| `{key}` |", outcome.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ShippedReference_IsWhatTheExecutablePrints()
    {
        string shipped = await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(Executable.Path)!, "../../packaging/config/REFERENCE.md"));

        Outcome outcome = await Executable.RunAsync("config", "reference");

        Assert.Equal(shipped, outcome.MustSucceed().Output);
    }

    [Fact]
    public async Task ShippedReferenceOfMetrics_IsWhatTheExecutablePrints_AndKnowsEveryMetricOfDashboardAndAlerts()
    {
        string packaging = Path.Combine(Path.GetDirectoryName(Executable.Path)!, "../../packaging");
        string printed = (await Executable.RunAsync("config", "metrics")).MustSucceed().Output;

        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(packaging, "config/METRICS.md")), printed);
        foreach (string file in Directory.GetFiles(Path.Combine(packaging, "monitoring")))
        {
            string[] named = [.. Regex.Matches(await File.ReadAllTextAsync(file), @"\b(?:felix|weft|etcd|process|dotnet)_[a-z_]+\b").Select(m => m.Value).Distinct()];
            Assert.NotEmpty(named);
            Assert.All(named, name => Assert.Contains($"| `{name}` |", printed));
        }
    }

    [Theory]
    [InlineData("weft.conf")]
    [InlineData("switch.conf")]
    public async Task ShippedExample_HasNoProblems(string name)
    {
        string file = Path.Combine(Path.GetDirectoryName(Executable.Path)!, "../../packaging/config", name);

        Outcome outcome = await Executable.RunAsync("config", "check", file);

        outcome.MustSucceed();
    }
}
