using System.Globalization;
using Xunit.Runner.InProc.SystemConsole;

namespace Weft.Ipam.Tests.Soak;

/// <summary>Runs the tests; or one allocator process of the soak; or the soak by itself: "soak ALLOCATIONS [SEED]".</summary>
internal static class Program
{
    public static async Task<int> Main(string[] arguments)
    {
        switch (arguments)
        {
            case ["soak-worker", ..]:
                return await new SoakWorker(SoakLife.Parse(arguments[1..])).RunAsync();
            case ["soak", string allocations, .. string[] rest]:
                int seed = rest is [string given] ? int.Parse(given, CultureInfo.InvariantCulture) : Environment.TickCount;
                SoakResult result = await new SoakDriver(int.Parse(allocations, CultureInfo.InvariantCulture), seed).RunAsync(CancellationToken.None);
                Console.WriteLine(result);
                return result.Failures.Count == 0 ? 0 : 1;
            default:
                return await ConsoleRunner.Run(arguments);
        }
    }
}
