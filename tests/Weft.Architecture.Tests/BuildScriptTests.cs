using System.Management.Automation.Language;
using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace Weft.Architecture.Tests;

/// <summary>build.ps1, parsed and run by PowerShell's engine: it forwards to build.sh and decides nothing.</summary>
public sealed class BuildScriptTests
{
    [Fact]
    public void BuildPs1_ParsesWithoutErrors()
    {
        Parser.ParseFile(Path.Combine(Repository.Root, "build.ps1"), out _, out ParseError[] errors);

        Assert.Empty(errors);
    }

    [Fact]
    public void BuildPs1_ForwardsVerbAndArguments_AndTheExitCode()
    {
        (string help, int helpCode) = Run("help");
        (_, int badCode) = Run("no-such-verb");

        Assert.Contains("usage: ./build.sh VERB", help, StringComparison.Ordinal);
        Assert.Equal(0, helpCode);
        Assert.Equal(1, badCode);
    }

    private static (string Output, int ExitCode) Run(params string[] arguments)
    {
        InitialSessionState state = InitialSessionState.CreateDefault2();
        using Runspace runspace = RunspaceFactory.CreateRunspace(state);
        runspace.Open();
        using PowerShell shell = PowerShell.Create(runspace);
        // "exit" in a script ends the script and leaves its code in LASTEXITCODE, as at a prompt.
        shell.AddScript($"& '{Path.Combine(Repository.Root, "build.ps1")}' {string.Join(' ', arguments)} 2>&1");
        string output = string.Join('\n', shell.Invoke().Select(o => o?.ToString()));
        int exitCode = (int)runspace.SessionStateProxy.GetVariable("LASTEXITCODE");
        return (output, exitCode);
    }
}
