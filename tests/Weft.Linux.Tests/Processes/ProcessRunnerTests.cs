using System.Text;
using Weft.Linux.Processes;

namespace Weft.Linux.Tests.Processes;

public class ProcessRunnerTests
{
    private readonly ProcessRunner _runner = new();

    [Fact]
    public void Run_PassesArgumentsAsTheyStand()
    {
        ProcessResult result = _runner.Run(new ProcessRequest("printf", "%s|", "a b", "$(id)", "'q'", ""));

        Assert.Equal("a b|$(id)|'q'||", result.OutputText);
        Assert.True(result.IsSuccess);
    }

    [Fact]
    public void Run_LargeInputAndOutput_DoNotBlockEachOther()
    {
        byte[] input = new byte[8 * 1024 * 1024];
        Array.Fill(input, (byte)'x');

        ProcessResult result = _runner.Run(new ProcessRequest("cat") { Input = input });

        Assert.Equal(input.Length, result.Output.Length);
    }

    [Fact]
    public void Run_OutputBeyondTheLimit_IsDroppedAndSaidSo()
    {
        ProcessResult result = _runner.Run(new ProcessRequest("head", "-c", "100000", "/dev/zero") { OutputLimit = 1000 });

        Assert.Equal((1000, true, 0), (result.Output.Length, result.OutputTruncated, result.ExitCode));
    }

    [Fact]
    public void Run_ExitCodeAndErrorAreKept()
    {
        ProcessResult result = _runner.Run(new ProcessRequest("sh", "-c", "echo bad >&2; exit 3"));

        Assert.Equal((ProcessOutcome.Exited, 3, "bad"), (result.Outcome, result.ExitCode, result.ErrorText));
        Assert.Equal("exit 3: bad", result.ToString());
    }

    [Fact]
    public void Run_ProgramThatIgnoresItsInput_IsNoError()
    {
        ProcessResult result = _runner.Run(new ProcessRequest("true") { Input = new byte[1024 * 1024] });

        Assert.True(result.IsSuccess);
    }

    [Fact]
    public void Run_NoSuchProgram_IsAnOutcome()
    {
        Assert.Equal(ProcessOutcome.NotStarted, _runner.Run(new ProcessRequest("weft-no-such-program")).Outcome);
    }

    [Fact]
    public void Run_BeyondItsTime_IsKilledWithItsChildren()
    {
        ProcessResult result = _runner.Run(new ProcessRequest("sh", "-c", "sleep 60 & sleep 60") { Timeout = TimeSpan.FromMilliseconds(200) });

        Assert.Equal(ProcessOutcome.TimedOut, result.Outcome);
    }

    [Fact]
    public void Run_ProgramThatLeavesAChildBehind_IsNotWaitedForLonger()
    {
        ProcessResult result = _runner.Run(new ProcessRequest("sh", "-c", "sleep 20 & echo done"));

        Assert.Equal((0, "done\n"), (result.ExitCode, result.OutputText));
    }

    [Fact]
    public void Run_Cancelled_IsKilledAndThrows()
    {
        using CancellationTokenSource stop = new(TimeSpan.FromMilliseconds(200));

        Assert.Throws<OperationCanceledException>(() => _runner.Run(new ProcessRequest("sleep", "60"), stop.Token));
    }

    [Fact]
    public void Run_InsideANamespace_SeesItsLinks()
    {
        using TestNamespace space = new();
        space.AddVeth("inner1");
        ProcessRunner runner = new(space.Space);

        Assert.Contains("inner1", runner.Run(new ProcessRequest("ip", "link")).OutputText);
        Assert.Equal("hello", runner.Run(new ProcessRequest("cat") { Input = Encoding.UTF8.GetBytes("hello") }).OutputText);
    }
}
