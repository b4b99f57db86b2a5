using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Weft.Cluster.Tests.Store.Fixtures;

/// <param name="ExitCode">Of etcdctl.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error without etcdctl's own log lines.</param>
internal sealed record EtcdctlResult(int ExitCode, string Output, string Error);

/// <summary>Debian's etcdctl.</summary>
internal static partial class Etcdctl
{
    public static Task<EtcdctlResult> RunAsync(string endPoint, params string[] arguments) => RunAsync(endPoint, string.Empty, arguments);

    public static async Task<EtcdctlResult> RunAsync(string endPoint, string input, string[] arguments)
    {
        using Process process = Start(endPoint, arguments);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        string said = string.Concat((await error).Split('\n').Where(line => !line.StartsWith("{\"level\"", StringComparison.Ordinal) && line.Length > 0).Select(line => line + "\n"));
        return new EtcdctlResult(process.ExitCode, await output, said);
    }

    public static Process Start(string endPoint, params string[] arguments)
    {
        ProcessStartInfo start = new("etcdctl") { RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["ETCDCTL_API"] = "3";
        start.ArgumentList.Add($"--endpoints={endPoint}");
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }

    /// <summary>Ids that every cluster chooses for itself, as 0. Revisions stay: they must be equal.</summary>
    public static string Normalize(string text) => Ids().Replace(text, "\"$1\":0");

    [GeneratedRegex("\"(cluster_id|member_id|raft_term)\":\\d+")]
    private static partial Regex Ids();
}
