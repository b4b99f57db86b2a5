using System.Diagnostics;

namespace Weft.EndToEnd;

/// <summary>What a finished process left behind.</summary>
internal sealed record Outcome(int ExitCode, string Output, string Error)
{
    /// <summary>Fails the test with everything the process printed.</summary>
    public Outcome MustSucceed()
    {
        Assert.True(ExitCode == 0, $"exit code {ExitCode}\n{Output}\n{Error}");
        return this;
    }
}

/// <summary>The published AOT executable: these tests drive nothing else.</summary>
internal static class Executable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(4);

    public static string Path { get; } = Find();

    public static Task<Outcome> RunAsync(params string[] arguments) => RunAsync(Path, arguments, string.Empty);

    public static Task<Outcome> RunWithInputAsync(string input, params string[] arguments) => RunAsync(Path, arguments, input);

    public static async Task<Outcome> RunAsync(string program, string[] arguments, string input, Dictionary<string, string>? environment = null)
    {
        using Process process = Start(program, arguments, environment);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        return await FinishAsync(process);
    }

    public static Process Start(string program, string[] arguments, Dictionary<string, string>? environment = null)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string key, string value) in environment ?? [])
        {
            start.Environment[key] = value;
        }

        return Process.Start(start)!;
    }

    public static async Task<Outcome> FinishAsync(Process process)
    {
        using CancellationTokenSource limit = new(s_limit);
        Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token);
        Task<string> error = process.StandardError.ReadToEndAsync(limit.Token);
        try
        {
            await process.WaitForExitAsync(limit.Token);
            return new Outcome(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{process.StartInfo.FileName} {string.Join(' ', process.StartInfo.ArgumentList)} ran longer than {s_limit}");
        }
    }

    /// <summary>Polls until the condition holds; the description is the failure's text.</summary>
    public static async Task EventuallyAsync(string description, Func<Task<bool>> condition, int seconds = 30)
    {
        long start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(seconds), $"not within {seconds} s: {description}");
            await Task.Delay(100);
        }
    }

    private static string Find()
    {
        string? named = Environment.GetEnvironmentVariable("WEFT_EXECUTABLE");
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder.FullName, "build.sh")))
        {
            folder = folder.Parent;
        }

        string path = named ?? System.IO.Path.Combine(folder?.FullName ?? "/", "artifacts/publish/weft");
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path}: the published executable is missing; run ./build.sh publish or set WEFT_EXECUTABLE");
    }
}
