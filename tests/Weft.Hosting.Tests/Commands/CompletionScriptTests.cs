using System.Diagnostics;
using Weft.Hosting.Commands;

namespace Weft.Hosting.Tests.Commands;

/// <summary>The scripts, run by the shells they are for.</summary>
public sealed class CompletionScriptTests : IDisposable
{
    private static readonly CommandTree[] s_commands =
    [
        new("router", "it's a role", new CommandSyntax("router", "[flags] | COMMAND", "A role.", [new("--config", "-c", "FILE", "Settings [file]: where.")]),
        [
            new("show", "tables", new CommandSyntax("router show", "what", "Tables.", [new("--family", null, "ipv4|ipv6", "One family."), new("--limit", null, "N", "Most.")])
            {
                Words = ["neighbors", "route"],
            }, []),
        ]),
        new("get", "objects", new CommandSyntax("get", "KIND", "Objects.", [new("--filename", "-f", "FILE|DIR|-", "Input.") { IsRepeatable = true }, new("--all", "-A", null, "All.")])
        {
            Words = ["node", "bgppeer", "networkpolicy", "networkset"],
        }, []),
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("weft-completion-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("", "get router")]
    [InlineData("ro", "router")]
    [InlineData("router ", "show")]
    [InlineData("router --", "--config --help")]
    [InlineData("router show ", "neighbors route")]
    [InlineData("router show -", "--family --help --limit")]
    [InlineData("router show --family ", "ipv4 ipv6")]
    [InlineData("router show --limit ", "")]
    [InlineData("get network", "networkpolicy networkset")]
    [InlineData("get -A ", "bgppeer networkpolicy networkset node")]
    [InlineData("get -f /etc/hostn", "/etc/hostname")]
    public void Bash_OffersWhatFits(string line, string expected)
    {
        string script = Write("bash");
        string words = string.Join(' ', line.Split(' ').Prepend("weft").Select(w => $"'{w}'"));
        string offered = Run("bash", "-c", $"source {script}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _weft; printf '%s\\n' \"${{COMPREPLY[@]}}\" | sort");

        Assert.Equal(expected, offered.Trim().ReplaceLineEndings(" "));
    }

    [Theory]
    [InlineData("", "get router")]
    [InlineData("router ", "show")]
    [InlineData("router show ", "neighbors route")]
    [InlineData("router show --family ", "ipv4 ipv6")]
    [InlineData("get network", "networkpolicy networkset")]
    public void Fish_OffersWhatFits(string line, string expected)
    {
        string script = Write("fish");
        string offered = Run("fish", "--no-config", "-c", $"source {script}; complete -C 'weft {line}' | string split -f1 \\t | sort");

        Assert.Equal(expected, offered.Trim().ReplaceLineEndings(" "));
    }

    [Fact]
    public void Zsh_LoadsTheFunctions()
    {
        string script = Write("zsh");
        string functions = Run("zsh", "-f", "-c", $"compdef() {{ :; }}; _arguments() {{ :; }}; source {script}; print -l ${{(ok)functions}} | grep '^_weft'");

        Assert.Equal("_weft _weft_get _weft_router _weft_router_show", functions.Trim().ReplaceLineEndings(" "));
    }

    private string Write(string shell)
    {
        string path = Path.Combine(_folder, $"weft.{shell}");
        File.WriteAllText(path, CompletionScript.Render(shell, s_commands));
        return path;
    }

    private string Run(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["HOME"] = _folder;
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(error.Result.Length == 0, error.Result);
        return output;
    }
}
