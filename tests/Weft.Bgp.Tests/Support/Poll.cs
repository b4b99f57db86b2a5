using System.Diagnostics;

namespace Weft.Bgp.Tests.Support;

/// <summary>Waits for a condition of an end-to-end test with a deadline.</summary>
internal static class Poll
{
    public static async Task UntilAsync(Func<Task<bool>> condition, string what, Func<Task<string>>? describe = null, int seconds = 20)
    {
        var clock = Stopwatch.StartNew();
        while (!await condition())
        {
            if (clock.Elapsed.TotalSeconds > seconds)
            {
                Assert.Fail($"not within {seconds} s: {what}{(describe is null ? "" : "\n" + await describe())}");
            }

            await Task.Delay(50);
        }
    }
}
