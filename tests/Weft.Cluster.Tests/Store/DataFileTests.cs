using System.Diagnostics;
using Weft.Cluster.Store.Storage;
using Weft.Cluster.Tests.Store.Fixtures;
using Weft.Hosting;

namespace Weft.Cluster.Tests.Store;

public class DataFileTests : IDisposable
{
    private readonly Scratch _scratch = new();

    private string Data => _scratch.File("s.db");

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task TextFile_IsRefusedWithItsName_AndLeftAsItIs()
    {
        await File.WriteAllTextAsync(Data, "# not a database, but somebody's notes\n");

        (ExitStatus status, string log) = await RunToItsEndAsync();

        Assert.Equal(ExitStatus.Configuration, status);
        Assert.Contains($"data file {Data} refused: not a weft store", log);
        Assert.Equal("# not a database, but somebody's notes\n", await File.ReadAllTextAsync(Data));
    }

    [Fact]
    public async Task DatabaseOfAnotherProgram_IsRefused_AndLeftAsItIs()
    {
        using (Sqlite other = new(Data, readOnly: false))
        {
            other.Execute("CREATE TABLE theirs (x); PRAGMA application_id = 42");
        }

        byte[] before = await File.ReadAllBytesAsync(Data);

        (ExitStatus status, string log) = await RunToItsEndAsync();

        Assert.Equal(ExitStatus.Configuration, status);
        Assert.Contains("an SQLite database of another program (application_id 0x0000002a", log);
        Assert.Equal(before, await File.ReadAllBytesAsync(Data));
    }

    [Fact]
    public async Task FileOfALaterVersion_IsRefused()
    {
        await FillAsync(3);
        using (Sqlite file = new(Data, readOnly: false))
        {
            file.Execute("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)");
        }

        (ExitStatus status, string log) = await RunToItsEndAsync();

        Assert.Equal(ExitStatus.Configuration, status);
        Assert.Contains("its tables have version 99, this weft knows version 1", log);
    }

    [Fact]
    public async Task AnyFlippedByteInAUsedPage_IsRefused_OrChangesNothing()
    {
        await FillAsync(40);
        byte[] whole = await File.ReadAllBytesAsync(Data);
        Random random = new(1);
        int refused = 0;
        for (int i = 0; i < 60; i++)
        {
            byte[] damaged = [.. whole];
            damaged[random.Next(100, damaged.Length)] ^= (byte)(1 << random.Next(8));
            await File.WriteAllBytesAsync(Data, damaged);

            try
            {
                using StoreFile file = StoreFile.Open(Data);
                Assert.Equal(40, file.Load().Keys.Count);
            }
            catch (StoreDamagedException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 5, 60);
    }

    [Fact]
    public async Task TruncatedFile_IsRefusedWithSqlitesReason()
    {
        await FillAsync(500);
        using (FileStream file = File.OpenWrite(Data))
        {
            file.SetLength(file.Length / 2 / 4096 * 4096);
        }

        (ExitStatus status, string log) = await RunToItsEndAsync();

        Assert.Equal(ExitStatus.Configuration, status);
        Assert.Contains($"data file {Data} refused:", log);
    }

    [Fact]
    public async Task TornLogTail_LosesOnlyWhatItTore()
    {
        string copy = _scratch.File("torn.db");
        await using (RunningStore store = await RunningStore.StartAsync(Data))
        {
            for (int i = 1; i <= 50; i++)
            {
                await store.Channel.PutAsync($"k{i:d2}", new string('x', 500));
            }

            // As a crash would leave them: no checkpoint, no orderly end.
            await RunAsync("cp", Data, copy);
            await RunAsync("cp", Data + "-wal", copy + "-wal");
        }

        long full = new FileInfo(copy + "-wal").Length;
        int previous = 50;
        for (long length = full; length > full - 30_000; length -= 1777)
        {
            File.Copy(copy, Data, overwrite: true);
            File.Copy(copy + "-wal", Data + "-wal", overwrite: true);
            using (FileStream wal = File.OpenWrite(Data + "-wal"))
            {
                wal.SetLength(length);
            }

            using StoreFile file = StoreFile.Open(Data);
            int keys = (int)file.Load().Keys.Count;

            Assert.InRange(keys, 1, previous);
            Assert.True(length < full || keys == 50);
            previous = keys;
        }
    }

    [Fact]
    public async Task SecondStoreOnTheSameFile_IsRefused_AndDoesNotDisturbTheFirst()
    {
        await using RunningStore first = await RunningStore.StartAsync(Data);
        string link = _scratch.File("other-name.db");
        File.CreateSymbolicLink(link, Data);

        await using RunningStore second = RunningStore.Launch(link);
        ExitStatus status = await second.Role.WaitAsync(TimeSpan.FromSeconds(20));

        Assert.Equal(ExitStatus.Failed, status);
        Assert.Contains($"open data file {link}: another weft store is running on this file", second.Log);
        Assert.Equal(2, await first.Channel.PutAsync("a", "1"));
    }

    [Fact]
    public async Task FolderThatCannotBeWritten_IsNamed()
    {
        (ExitStatus status, string log) = await RunToItsEndAsync("/proc/weft/s.db");

        Assert.Equal(ExitStatus.Failed, status);
        Assert.Contains("/proc/weft", log);
    }

    [Fact]
    public async Task Snapshot_PutInPlaceOfTheFile_IsTheStore()
    {
        string snapshot = _scratch.File("snapshot");
        await using (RunningStore store = await RunningStore.StartAsync(Data))
        {
            for (int i = 1; i <= 20; i++)
            {
                await store.Channel.PutAsync($"k{i:d2}", "v");
            }

            EtcdctlResult saved = await Etcdctl.RunAsync(store.EndPoint, "snapshot", "save", snapshot);
            Assert.Equal(0, saved.ExitCode);
            await store.Channel.PutAsync("later", "v");
        }

        byte[] damaged = await File.ReadAllBytesAsync(snapshot);
        damaged[damaged.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(_scratch.File("damaged"), damaged);

        await using RunningStore restored = await RunningStore.StartAsync(snapshot);
        (ExitStatus status, string log) = await RunToItsEndAsync(_scratch.File("damaged"));

        RangeResponse20(await restored.Channel.PrefixAsync("k"));
        Assert.Equal(22, await restored.Channel.PutAsync("next", "v"));
        Assert.Equal(ExitStatus.Configuration, status);
        Assert.Contains("a snapshot whose SHA-256 does not fit its content", log);

        static void RangeResponse20(Etcdserverpb.RangeResponse response) => Assert.Equal((20, 21), (response.Count, response.Header.Revision));
    }

    [Fact]
    public async Task FullDisk_RefusesWrites_KeepsReading_AndRecovers()
    {
        string mount = _scratch.File("small");
        Directory.CreateDirectory(mount);
        await RunAsync("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", mount);
        try
        {
            await using RunningStore store = await RunningStore.StartAsync(Path.Combine(mount, "s.db"));
            await store.Channel.PutAsync("first", "1");
            string filler = Path.Combine(mount, "filler");
            using (FileStream file = File.Create(filler))
            {
                byte[] block = new byte[4096];
                try
                {
                    while (true)
                    {
                        file.Write(block);
                        file.Flush();
                    }
                }
                catch (IOException)
                {
                    // Now it is full.
                }
            }

            List<string> refusals = [];
            for (int i = 0; i < 40 && refusals.Count < 3; i++)
            {
                try
                {
                    await store.Channel.PutAsync($"k{i}", new string('x', 100_000));
                }
                catch (Grpc.Core.RpcException e)
                {
                    refusals.Add($"{e.StatusCode}: {e.Status.Detail}");
                }
            }

            Assert.Equal("ResourceExhausted: etcdserver: mvcc: database space exceeded", refusals.FirstOrDefault());
            Assert.Equal(1, (await store.Channel.PrefixAsync("first")).Count);
            long before = (await store.Channel.PrefixAsync("first")).Header.Revision;

            File.Delete(filler);

            Assert.Equal(before + 1, await store.Channel.PutAsync("again", "1"));
            Assert.Contains("write failed", store.Log);
            Assert.Contains("work again", store.Log);
        }
        finally
        {
            await RunAsync("umount", mount);
        }
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {error}");
    }

    private async Task<(ExitStatus Status, string Log)> RunToItsEndAsync(string? path = null)
    {
        await using RunningStore store = RunningStore.Launch(path ?? Data);
        ExitStatus status = await store.Role.WaitAsync(TimeSpan.FromSeconds(20));
        return (status, store.Log);
    }

    private async Task FillAsync(int keys)
    {
        await using RunningStore store = await RunningStore.StartAsync(Data);
        for (int i = 0; i < keys; i++)
        {
            await store.Channel.PutAsync($"key{i:d4}", new string('v', 200));
        }
    }
}
