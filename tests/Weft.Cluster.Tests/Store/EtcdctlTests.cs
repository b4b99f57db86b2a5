using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Weft.Cluster.Tests.Store.Fixtures;

namespace Weft.Cluster.Tests.Store;

/// <summary>Debian's etcdctl does the same to the store and to Debian's etcd; what it prints must be the same, byte for byte but for ids.</summary>
public partial class EtcdctlTests
{
    /// <summary>One command per line; "&lt;" begins its standard input, in which "|" ends a line.</summary>
    private const string Script = """
        put a 1
        put a 2 --prev-kv
        put a 3 -w json --prev-kv
        put b 1
        put ba 2
        put bb 3
        put c 4
        put "" x
        put empty ""
        get a
        get a -w json
        get a -w fields
        get a -w simple --print-value-only
        get a --hex
        get nothing -w json
        get b --prefix
        get b --prefix -w json
        get b --prefix --limit=2 -w json
        get b --prefix --keys-only -w json
        get b --prefix --order=DESCEND
        get "" --prefix --sort-by=CREATE --order=DESCEND
        get "" --prefix --sort-by=VALUE --order=ASCEND
        get "" --prefix --sort-by=MODIFY
        get "" --prefix --sort-by=VERSION --order=DESCEND --limit=1
        get "" --from-key --count-only -w json
        get b --from-key -w json
        get a c -w json
        get c a -w json
        get a --rev=2 -w json
        get a --rev=3 -w json
        get "" --prefix --rev=5 -w json
        get a --rev=1000
        get a --consistency=s
        put a --ignore-value
        put new --ignore-value
        put a 9 --ignore-lease
        put new 9 --ignore-lease
        put a 9 --lease=1234
        del nothing
        del bb
        del bb -w json
        del a --prev-kv -w json
        del b c --prev-kv
        del c --from-key
        put a/1 x
        put a/2 y
        put a/3 z
        del a/ --prefix --prev-kv -w json
        txn -w json < value("a") = "3"||put a 5|get a||put a 1|get a
        txn < value("a") = "3"||put a 5|get a||put a 1|get a|
        txn -w json < mod("a") > "0"|version("a") = "1"||put x 1|del a|get x||get a|
        txn -w json < create("zzz") = "0"||put zzz 1||get zzz|
        txn -w json < create("zzz") = "0"||put zzz 1||get zzz|
        txn -w json < value("none") != "x"||get zzz||put none 1|
        txn -w json < version("zzz") < "1"||||get zzz --rev=2|
        txn < ||put d 1|put d 2||
        txn < ||get zzz --rev=99999||
        compaction 10
        compaction 10
        compaction 5
        compaction 99999
        get a --rev=9
        get zzz --rev=10 -w json
        get "" --prefix -w json
        watch zzz --rev=2
        lease timeout 1234
        lease revoke 1234
        lease revoke zz
        lease list -w json
        lease timetolive 1234 -w json
        alarm list -w json
        alarm disarm -w json
        user list
        role list
        auth enable
        auth disable
        --user=root:pw get a
        defrag
        endpoint health
        """;

    [Fact]
    public async Task TheSameCommands_PrintTheSame()
    {
        using Scratch scratch = new();
        await using RunningStore store = await RunningStore.StartAsync(scratch.File("s.db"));
        await using RealEtcd etcd = await RealEtcd.StartAsync();
        StringBuilder ours = new();
        StringBuilder theirs = new();

        foreach (string line in Script.Split('\n'))
        {
            string[] parts = line.Split(" < ", 2);
            string[] words = [.. Words().Matches(parts[0]).Select(m => m.Value.Trim('"'))];
            string input = parts.Length > 1 ? parts[1].Replace('|', '\n') + "\n" : string.Empty;
            EtcdctlResult[] both = await Task.WhenAll(Etcdctl.RunAsync(store.EndPoint, input, words), Etcdctl.RunAsync(etcd.EndPoint, input, words));
            ours.AppendLine(Show(line, both[0], store.EndPoint));
            theirs.AppendLine(Show(line, both[1], etcd.EndPoint));
        }

        Assert.Equal(theirs.ToString(), ours.ToString());
    }

    [Fact]
    public async Task Watch_PrintsTheSameEvents()
    {
        using Scratch scratch = new();
        await using RunningStore store = await RunningStore.StartAsync(scratch.File("s.db"));
        await using RealEtcd etcd = await RealEtcd.StartAsync();

        string[] outputs = await Task.WhenAll(WatchAsync(store.EndPoint), WatchAsync(etcd.EndPoint));

        Assert.Equal(outputs[1], outputs[0]);
        Assert.Contains("DELETE", outputs[0]);
    }

    [Fact]
    public async Task LeaseCommands_Work()
    {
        using Scratch scratch = new();
        await using RunningStore store = await RunningStore.StartAsync(scratch.File("s.db"));

        string granted = (await Etcdctl.RunAsync(store.EndPoint, "lease", "grant", "1")).Output;
        string id = granted.Split(' ')[1];
        EtcdctlResult put = await Etcdctl.RunAsync(store.EndPoint, "put", "k", "v", $"--lease={id}");
        EtcdctlResult alive = await Etcdctl.RunAsync(store.EndPoint, "lease", "keep-alive", "--once", id);
        EtcdctlResult left = await Etcdctl.RunAsync(store.EndPoint, "lease", "timetolive", id, "--keys");
        EtcdctlResult revoked = await Etcdctl.RunAsync(store.EndPoint, "lease", "revoke", id);
        EtcdctlResult gone = await Etcdctl.RunAsync(store.EndPoint, "get", "k");

        Assert.Equal($"lease {id} granted with TTL(2s)\n", granted);
        Assert.Equal("OK\n", put.Output);
        Assert.Equal($"lease {id} keepalived with TTL(2)\n", alive.Output);
        Assert.Matches($"^lease {id} granted with TTL\\(2s\\), remaining\\([012]s\\), attached keys\\(\\[k\\]\\)\n$", left.Output);
        Assert.Equal($"lease {id} revoked\n", revoked.Output);
        Assert.Equal(string.Empty, gone.Output);
    }

    [Fact]
    public async Task StatusMembersHashesAndLocks_Work()
    {
        using Scratch scratch = new();
        await using RunningStore store = await RunningStore.StartAsync(scratch.File("s.db"));
        await store.Channel.PutAsync("k", "v");

        EtcdctlResult status = await Etcdctl.RunAsync(store.EndPoint, "endpoint", "status", "-w", "json");
        EtcdctlResult members = await Etcdctl.RunAsync(store.EndPoint, "member", "list");
        EtcdctlResult hash = await Etcdctl.RunAsync(store.EndPoint, "endpoint", "hashkv");
        EtcdctlResult locked = await Etcdctl.RunAsync(store.EndPoint, "lock", "l", "echo", "held");
        EtcdctlResult elected = await Etcdctl.RunAsync(store.EndPoint, "check", "datascale", "--load=nonsense");

        Assert.Contains("\"version\":\"3.5.16\"", status.Output);
        Assert.Matches($"^[0-9a-f]+, started, weft, , http://{store.EndPoint}, false\n$", members.Output);
        Assert.Matches($"^{store.EndPoint}, \\d+\n$", hash.Output);
        Assert.Equal("held\n", locked.Output);
        Assert.NotEqual(0, elected.ExitCode);
    }

    private static async Task<string> WatchAsync(string endPoint)
    {
        await Etcdctl.RunAsync(endPoint, "put", "w/1", "a");
        await Etcdctl.RunAsync(endPoint, "put", "w/2", "b");
        await Etcdctl.RunAsync(endPoint, "del", "w/1");
        using Process watch = Etcdctl.Start(endPoint, "watch", "w/", "--prefix", "--rev=2", "--prev-kv");
        StringBuilder output = new();
        await ReadUntilAsync("DELETE");
        await Etcdctl.RunAsync(endPoint, "put", "w/2", "c");
        await Etcdctl.RunAsync(endPoint, "del", "w/", "--prefix");
        await Etcdctl.RunAsync(endPoint, "put", "w/end", "x");
        await ReadUntilAsync("w/end");
        watch.Kill();
        return output.ToString();

        async Task ReadUntilAsync(string sign)
        {
            while (await watch.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20)) is { } line)
            {
                output.AppendLine(line);
                if (line == sign)
                {
                    return;
                }
            }
        }
    }

    private static string Show(string line, EtcdctlResult result, string endPoint) =>
        $"$ etcdctl {line}\n{result.ExitCode}\n{Variable().Replace(Etcdctl.Normalize(result.Output + result.Error).Replace(endPoint, "ENDPOINT"), "$1 ID")}";

    [GeneratedRegex("(took =|\"(?:ClusterID|MemberID|RaftTerm)\" :) [^\n]*")]
    private static partial Regex Variable();

    [GeneratedRegex("\"[^\"]*\"|[^ ]+")]
    private static partial Regex Words();
}
