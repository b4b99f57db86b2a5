using System.IO.MemoryMappedFiles;
using Weft.Linux.Processes;

namespace Weft.Linux.Tests.Processes;

public sealed class FaultAroundTests
{
    [Fact]
    public void OneTouchedPage_BringsNoNeighbours_WhereTheKernelLetsUs()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, new byte[64 * Environment.SystemPageSize]);
            using MemoryMappedFile file = MemoryMappedFile.CreateFromFile(path);
            using MemoryMappedViewAccessor view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.CopyOnWrite);
            using FaultAround? stopped = FaultAround.Stop();

            byte touched = view.ReadByte(17 * Environment.SystemPageSize);

            Assert.Equal(0, touched);
            Assert.True(stopped is null || Resident(path) * 1024 == Environment.SystemPageSize, $"{Resident(path)} kB are mapped for one page touched");
            view.Write(18 * Environment.SystemPageSize, (byte)7);
            Assert.Equal(7, view.ReadByte(18 * Environment.SystemPageSize));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Kilobytes of the mapping of a file that this process holds.</summary>
    private static long Resident(string path) => File.ReadLines("/proc/self/smaps")
        .SkipWhile(l => !l.EndsWith(path, StringComparison.Ordinal))
        .First(l => l.StartsWith("Rss:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries) is var words ? long.Parse(words[1], System.Globalization.CultureInfo.InvariantCulture) : 0;
}
