using Weft.Linux.Processes;

namespace Weft.Linux.Tests.Processes;

public sealed class StartPagesTests
{
    [Fact]
    public void Release_MakesTheProcessSmaller_AndItGoesOn()
    {
        long before = MappedFromFiles();

        long released = StartPages.Release();

        long after = MappedFromFiles();
        Assert.True(released > 0);
        Assert.True(after < before, $"{before} kB of files were mapped, {after} kB are");
        Assert.Equal("3.14", Math.Round(Math.PI, 2).ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    private static long MappedFromFiles() => long.Parse(
        File.ReadLines("/proc/self/status").First(l => l.StartsWith("RssFile:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        System.Globalization.CultureInfo.InvariantCulture);
}
