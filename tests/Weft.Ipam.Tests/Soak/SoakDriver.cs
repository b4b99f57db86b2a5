using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Datastore.Etcd;
using Weft.Ipam.Checks;
using Weft.Ipam.Views;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;
using Weft.Testing.Datastore;

namespace Weft.Ipam.Tests.Soak;

/// <param name="Failures">Every rule that was broken.</param>
internal sealed record SoakResult(
    int Seed, TimeSpan Time, int Allocations, int Releases, int Full, int Lives, int Uncertain, int Leaked, int EmptyHandles, int Blocks, int Peak, IReadOnlyList<string> Failures)
{
    public override string ToString() =>
        $"{Allocations} allocations and {Releases} releases in {Time.TotalSeconds:0} s ({Allocations / Time.TotalSeconds:0}/s), {Full} refused since full, by {Lives} processes of which each was killed; "
        + $"{Uncertain} requests cut off: {Leaked} leaked addresses and {EmptyHandles} empty handles, all named by check; {Blocks} blocks for at most {Peak} addresses; seed {Seed}\n"
        + (Failures.Count == 0 ? "no rule broken" : string.Join('\n', Failures.Take(20)));
}

/// <summary>
/// The proof with real processes and a real etcd: sixteen allocators on eight nodes, each killed at a datastore operation and started anew until enough has
/// been allocated.
/// <code>
///   driver --starts--> 16 x worker --> etcd
///     ^---- datagrams "about to", "done" -----+
/// </code>
/// At the end every address is held by who says so, or is a leak that check names, of a request that was cut off; and releasing those leaves nothing.
/// </summary>
internal sealed class SoakDriver(int allocations, int seed)
{
    private const int Processes = 16;
    private const int Nodes = 8;
    private const int BlockSize = 27;

    private static readonly TimeSpan s_cooldown = TimeSpan.FromSeconds(2);

    private readonly Random _random = new(seed);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("weft-soak-");
    private readonly SoakLedger _ledger = new(s_cooldown, TimeProvider.System);
    private int _lives;

    public async Task<SoakResult> RunAsync(CancellationToken stop)
    {
        try
        {
            await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
            await using EtcdDatastore store = server.Connect();
            await PrepareAsync(store, stop);
            long started = Stopwatch.GetTimestamp();
            await ChurnAsync(server.Endpoint.ToString(), stop);
            TimeSpan took = Stopwatch.GetElapsedTime(started);
            return await JudgeAsync(store, took, stop);
        }
        finally
        {
            _folder.Delete(recursive: true);
        }
    }

    private static async Task PrepareAsync(EtcdDatastore store, CancellationToken stop)
    {
        for (int i = 0; i < Nodes; i++)
        {
            await store.ApplyAsync(new ResourceKey(ResourceKind.Node, $"node-{i}"), new Node { Metadata = { Name = $"node-{i}" } }, null, stop);
        }

        // 16 x 45 addresses at most, and as many again in cooldown: the pool is full now and then, and nodes borrow.
        await store.ApplyAsync(new ResourceKey(ResourceKind.IPPool, "p"), new IPPool { Metadata = { Name = "p" }, Spec = { Cidr = "10.0.0.0/22", BlockSize = BlockSize } }, null, stop);
        IpamConfig config = IpamConfig.Default;
        config.IpCooldownSeconds = (int)s_cooldown.TotalSeconds;
        await store.ApplyAsync(new IpamConfigKey(), config, null, stop);
    }

    private async Task ChurnAsync(string endpoint, CancellationToken stop)
    {
        string path = Path.Combine(_folder.FullName, "told");
        using Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task[] lives = [.. Enumerable.Range(0, Processes).Select(i => LiveAsync(endpoint, path, i, enough.Token))];
        byte[] datagram = new byte[512];
        while (_ledger.Allocations < allocations && _ledger.Failures.Count == 0)
        {
            int length = await socket.ReceiveAsync(datagram, stop);
            _ledger.Hear(Encoding.ASCII.GetString(datagram, 0, length));
        }

        await enough.CancelAsync();
        await Task.WhenAll(lives);
        while (socket.Available > 0)
        {
            _ledger.Hear(Encoding.ASCII.GetString(datagram, 0, await socket.ReceiveAsync(datagram, stop)));
        }
    }

    /// <summary>One process after another until it is enough; what the last one holds is left to it.</summary>
    private async Task LiveAsync(string endpoint, string socket, int slot, CancellationToken enough)
    {
        while (!enough.IsCancellationRequested)
        {
            SoakLife life;
            lock (_random) // Guards the random numbers and the count of lives.
            {
                // Half die within their first operations, where claims and first reads are; the others anywhere.
                int killAt = _random.Next(2) == 0 ? _random.Next(1, 40) : _random.Next(40, allocations > 10_000 ? 4000 : 400);
                life = new SoakLife(endpoint, socket, $"l{_lives++}", $"node-{slot % Nodes}", _random.Next(), killAt);
            }

            using Process process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, life.Arguments) { Environment = { ["DOTNET_TieredPGO"] = "0", ["DOTNET_EnableDiagnostics"] = "0" } })!;
            try
            {
                await process.WaitForExitAsync(enough);
            }
            catch (OperationCanceledException)
            {
                process.Kill();
                await process.WaitForExitAsync(CancellationToken.None);
            }
        }
    }

    private async Task<SoakResult> JudgeAsync(EtcdDatastore store, TimeSpan took, CancellationToken stop)
    {
        List<string> failures = [.. _ledger.Failures];
        foreach ((IpAddress address, string handle) in _ledger.Held)
        {
            // Who holds an address becomes an endpoint, so that check sees its user.
            string name = handle.Replace('-', '.');
            await store.ApplyAsync(
                new ResourceKey(ResourceKind.WorkloadEndpoint, "soak", name),
                new WorkloadEndpoint { Metadata = { Name = name, Namespace = "soak" }, Spec = { Node = "node", Workload = handle, IpNetworks = [$"{address}/32"] } }, null, stop);
        }

        IpamCheck check = await IpamCheck.LoadAsync(store, TimeProvider.System, stop);
        IReadOnlySet<string> uncertain = _ledger.Uncertain;
        foreach (HeldAddress held in check.Held)
        {
            string holder = held.HandleId ?? string.Empty;
            if (!uncertain.Contains(holder) && _ledger.Held.GetValueOrDefault(held.Address) != holder)
            {
                failures.Add($"UNKNOWN: {held.Address} is allocated to {holder}, which does not hold it");
            }

            if (uncertain.Contains(holder) && !check.Findings.Any(f => f.Kind == FindingKind.Leaked && f.Subject == held.Address.ToString()))
            {
                failures.Add($"UNNAMED LEAK: {held.Address} of {holder}");
            }
        }

        failures.AddRange(check.Findings.Where(f => f.IsProblem && !IsExpected(f, uncertain)).Select(f => $"FINDING: {f.Kind} {f.Subject}: {f.Explanation}"));
        int leaked = check.Findings.Count(f => f.Kind == FindingKind.Leaked);
        int empty = check.EmptyHandles.Count;

        // Two processes of a node may both find their blocks full and claim; a block lost in a race, or one claimed by a process that died at once, is the other.
        int most = ((_ledger.Peak + (1 << (32 - BlockSize)) - 1) >> (32 - BlockSize)) + (3 * Nodes);
        if (check.Blocks > most)
        {
            failures.Add($"BLOCKS: {check.Blocks}, although at most {_ledger.Peak} addresses were held and cooling at a time; expected no more than {most}");
        }

        AddressAllocator allocator = new(store, NullLoggerFactory.Instance, TimeProvider.System);
        foreach (string handle in uncertain)
        {
            await allocator.ReleaseByHandleAsync(handle, stop);
        }

        IpamCheck after = await IpamCheck.LoadAsync(store, TimeProvider.System, stop);
        failures.AddRange(after.Findings.Where(f => f.IsProblem).Select(f => $"AFTER THE CLEAN-UP: {f.Kind} {f.Subject}: {f.Explanation}"));
        return new SoakResult(seed, took, _ledger.Allocations, _ledger.Releases, _ledger.Full, _lives, uncertain.Count, leaked, empty, check.Blocks, _ledger.Peak, failures);
    }

    private static bool IsExpected(IpamFinding finding, IReadOnlySet<string> uncertain) => finding.Kind switch
    {
        FindingKind.Leaked => true, // Judged by its holder above.
        FindingKind.EmptyHandle => uncertain.Contains(finding.Subject),
        _ => false,
    };
}
