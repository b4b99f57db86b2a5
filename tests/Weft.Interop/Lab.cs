using System.Globalization;

namespace Weft.Interop;

/// <summary>
/// Two namespaces and a wire: weft in one, a peer in the other. Made by a test, removed with it.
/// <code>  NAMEw [ weft ] eth0 10.99.0.1/24 2001:db8:99::1/64 ---- 10.99.0.2/24 2001:db8:99::2/64 eth0 [ peer ] NAMEp (others: .3 to .7)  </code>
/// </summary>
internal sealed class Lab : IAsyncDisposable
{
    public const string WeftIPv4 = "10.99.0.1";
    public const string WeftIPv6 = "2001:db8:99::1";

    private static int s_count;

    private readonly List<IDisposable> _daemons = [];

    private Lab(string name)
    {
        WeftNamespace = name + "w";
        PeerNamespace = name + "p";
        Folder = Directory.CreateTempSubdirectory("weft-interop-").FullName;
        File.SetUnixFileMode(Folder, (UnixFileMode)0b111_101_101);
    }

    public string WeftNamespace { get; }

    public string PeerNamespace { get; }

    public string Folder { get; }

    public static async Task<Lab> CreateAsync()
    {
        Lab lab = new($"interop{Environment.ProcessId}x{Interlocked.Increment(ref s_count)}");
        foreach (string name in new[] { lab.WeftNamespace, lab.PeerNamespace })
        {
            await Shell.RunAsync("ip", "netns", "add", name);

            // A SYN nobody answers is given up after 3 s, not after two minutes: tests close and open doors.
            await Shell.RunAsync(
                "ip", "netns", "exec", name, "sh", "-c",
                "echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad; echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; echo 1 > /proc/sys/net/ipv4/tcp_syn_retries; ip link set lo up");
        }

        await Shell.RunAsync("ip", "-n", lab.WeftNamespace, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", lab.PeerNamespace);
        await lab.AddressAsync(lab.WeftNamespace, WeftIPv4, WeftIPv6);
        for (int host = 2; host < 8; host++)
        {
            await lab.AddressAsync(lab.PeerNamespace, $"10.99.0.{host}", $"2001:db8:99::{host}");
        }

        return lab;
    }

    public T Own<T>(T daemon)
        where T : IDisposable
    {
        _daemons.Add(daemon);
        return daemon;
    }

    public string Write(string name, string content)
    {
        string path = Path.Combine(Folder, name);
        File.WriteAllText(path, content);
        return path;
    }

    /// <summary>Routes weft's kernel holds for it.</summary>
    public async Task<string> KernelAsync() =>
        await Shell.RunAsync("ip", "-n", WeftNamespace, "route", "show", "proto", "81") + await Shell.RunAsync("ip", "-n", WeftNamespace, "-6", "route", "show", "proto", "81");

    /// <summary>Segments either kernel dropped because their MD5 signature was wrong or missing.</summary>
    public async Task<long> Md5FailuresAsync()
    {
        long sum = 0;
        foreach (string name in new[] { WeftNamespace, PeerNamespace })
        {
            string counters = await Shell.RunAsync("ip", "netns", "exec", name, "nstat", "-saz", "TcpExtTCPMD5Failure", "TcpExtTCPMD5NotFound", "TcpExtTCPMD5Unexpected");
            sum += counters.Split('\n').Where(static l => l.StartsWith("TcpExt", StringComparison.Ordinal))
                .Sum(static l => long.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture));
        }

        return sum;
    }

    /// <summary>BGP connections the peer's side still has open.</summary>
    public async Task<int> ConnectionsAsync() =>
        (await Shell.RunAsync("ip", "netns", "exec", PeerNamespace, "ss", "-Htn", "state", "connected", "( sport = :179 or dport = :179 )")).Count(static c => c == '\n');

    /// <summary>From now on an address of the peers' side is silent: no segment, no reset.</summary>
    public async Task CutAsync(string address)
    {
        await Shell.RunAsync("ip", "netns", "exec", PeerNamespace, "iptables", "-I", "OUTPUT", "-s", address, "-j", "DROP");
        await Shell.RunAsync("ip", "netns", "exec", PeerNamespace, "iptables", "-I", "INPUT", "-d", address, "-j", "DROP");
    }

    /// <summary>Sockets of the peers' side may use any address of the prefix.</summary>
    public async Task StrangersAsync(string prefix)
    {
        await Shell.RunAsync("ip", "-n", PeerNamespace, "route", "add", "local", prefix, "dev", "lo");
        await Shell.RunAsync("ip", "-n", WeftNamespace, "route", "add", prefix, "via", "10.99.0.2");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IDisposable daemon in Enumerable.Reverse(_daemons))
        {
            daemon.Dispose();
        }

        await Shell.TryAsync("ip", "netns", "del", WeftNamespace);
        await Shell.TryAsync("ip", "netns", "del", PeerNamespace);
        Directory.Delete(Folder, recursive: true);
    }

    private async Task AddressAsync(string netns, string ipv4, string ipv6)
    {
        await Shell.RunAsync("ip", "-n", netns, "addr", "add", $"{ipv4}/24", "dev", "eth0");
        await Shell.RunAsync("ip", "-n", netns, "addr", "add", $"{ipv6}/64", "dev", "eth0", "nodad");
        await Shell.RunAsync("ip", "-n", netns, "link", "set", "eth0", "up");
    }
}
