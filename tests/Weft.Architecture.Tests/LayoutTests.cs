namespace Weft.Architecture.Tests;

/// <summary>What may stand at the top level, and that the documents point at things that exist.</summary>
public sealed class LayoutTests
{
    private static readonly string[] s_topLevel = ["src", "tests", "packaging", "systemd", "artifacts", "Appliance.sln", "build.sh", "build.ps1", "README.md", "LICENSE"];

    [Fact]
    public void TopLevel_HoldsOnlyWhatTheDesignNames()
    {
        string[] others = [.. Directory.EnumerateFileSystemEntries(Repository.Root).Select(p => Path.GetFileName(p)!).Where(n => n[0] != '.').Except(s_topLevel)];

        Assert.Empty(others);
    }

    [Fact]
    public void Solution_NamesEveryProject()
    {
        string solution = Repository.Read("Appliance.sln");

        string[] missing =
        [
            .. Directory.EnumerateFiles(Repository.Root, "*.csproj", SearchOption.AllDirectories)
                .Where(p => !p.Contains("/obj/", StringComparison.Ordinal) && !p.Contains("/artifacts/", StringComparison.Ordinal))
                .Select(p => Path.GetFileNameWithoutExtension(p)!).Where(name => !solution.Contains($"\"{name}\"", StringComparison.Ordinal)),
        ];

        Assert.Empty(missing);
    }

    [Theory]
    [InlineData("agent")]
    [InlineData("router")]
    [InlineData("store")]
    public void Unit_ReportsReadinessAndKnowsTheExitCodes(string role)
    {
        string unit = Repository.Read($"systemd/weft-{role}.service");

        Assert.Contains("Type=notify", unit, StringComparison.Ordinal);
        Assert.Contains($"ExecStart=/usr/bin/weft {role}", unit, StringComparison.Ordinal);
        Assert.Contains("RestartPreventExitStatus=78", unit, StringComparison.Ordinal);
        Assert.Contains("RestartForceExitStatus=129", unit, StringComparison.Ordinal);
    }
}
