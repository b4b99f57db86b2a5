using System.Diagnostics;

namespace Weft.Interop;

/// <summary>Runs programs to their end.</summary>
internal static class Shell
{
    /// <summary>Standard output; a failure of the program is a failure of the test.</summary>
    public static async Task<string> RunAsync(string program, params string[] arguments)
    {
        (int code, string output, string error) = await TryAsync(program, arguments);
        return code == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: exit {code}\n{output}{error}");
    }

    public static async Task<(int Code, string Output, string Error)> TryAsync(string program, params string[] arguments)
    {
        using Process process = Start(program, arguments);
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output, await error);
    }

    public static Process Start(string program, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })
        ?? throw new InvalidOperationException($"start {program}: no process");

    /// <summary>Polls until the condition holds; the failure tells what was waited for and how things stood.</summary>
    public static async Task EventuallyAsync(string what, Func<Task<bool>> condition, Func<Task<string>> describe, double seconds = 20)
    {
        long start = Stopwatch.GetTimestamp();
        for (int pause = 50; !await condition(); pause = Math.Min(2 * pause, 400))
        {
            if (Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(seconds))
            {
                Assert.Fail($"not within {seconds} s: {what}\n{await describe()}");
            }

            await Task.Delay(pause);
        }
    }
}
