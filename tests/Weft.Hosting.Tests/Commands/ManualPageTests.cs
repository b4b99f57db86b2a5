using System.Diagnostics;
using Weft.Hosting.Commands;
using Weft.Hosting.Configuration;

namespace Weft.Hosting.Tests.Commands;

/// <summary>The pages as man sets them.</summary>
public sealed class ManualPageTests
{
    private static readonly CommandTree s_command = new("get", "objects", new CommandSyntax(
        "get", "KIND", "Shows objects.\n.hidden is no request, and a back\\slash stays.\n\n  one   first column\n  two   second column", [new("--out-put", "-o", "json|yaml", "How.")])
    {
        Examples = [("weft get nodes -o yaml", "all nodes")],
    }, []);

    [Fact]
    public void CommandsPage_SaysWhatTheDefinitionsSay()
    {
        string page = Format(ManualPage.Commands([], [s_command], "1.2.3"));

        Assert.Contains("weft get KIND", page, StringComparison.Ordinal);
        Assert.Contains(".hidden is no request, and a back\\slash stays.", page, StringComparison.Ordinal);
        Assert.Contains("  two   second column", page, StringComparison.Ordinal);
        Assert.Contains("-o, --out-put json|yaml", page, StringComparison.Ordinal);
        Assert.Contains("weft get nodes -o yaml", page, StringComparison.Ordinal);
        Assert.Contains("129", page, StringComparison.Ordinal);
        Assert.Contains("weft 1.2.3", page, StringComparison.Ordinal);
    }

    [Fact]
    public void SettingsPage_HasEveryKey()
    {
        string page = Format(ManualPage.Settings([Setting.Text("router", "run-dir", "/run/weft", "Where.", "path"), Setting.Switch("neighbor:*", "passive", false, "Waits.")], "1.2.3"));

        Assert.Contains("[neighbor:NAME]", page, StringComparison.Ordinal);
        Assert.Contains("passive = yes | no", page, StringComparison.Ordinal);
        Assert.Contains("Default: /run/weft", page, StringComparison.Ordinal);
    }

    /// <summary>Also fails on what mandoc calls an error or a warning about the text.</summary>
    private static string Format(string page)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, page);
            using Process process = Process.Start(new ProcessStartInfo("mandoc", ["-T", "utf8", "-O", "width=120", "-W", "error,stop", path]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string text = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, error.Result);
            return string.Concat(Overstrikes(text));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Bold is "x, backspace, x" on a terminal.</summary>
    private static IEnumerable<char> Overstrikes(string text) => text.Where((c, i) => c != '\b' && (i + 1 == text.Length || text[i + 1] != '\b'));
}
