using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Rules.Model;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Drivers.IpTables;

/// <summary>The table against the real kernel, each rule with both backends and both families.</summary>
public class RuleTableTests
{
    public static TheoryData<IpTablesBackend, IpFamily> Kernels => new()
    {
        { IpTablesBackend.Nft, IpFamily.IPv4 },
        { IpTablesBackend.Nft, IpFamily.IPv6 },
        { IpTablesBackend.Legacy, IpFamily.IPv4 },
        { IpTablesBackend.Legacy, IpFamily.IPv6 },
    };

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Apply_WritesOnce_ThenRunsNothing(IpTablesBackend backend, IpFamily family)
    {
        using TestKernel kernel = new();
        RuleTable table = Fill(Open(kernel, backend, family));

        ApplyStatus first = table.Apply();
        int runs = kernel.Runner.Commands.Count;
        ApplyStatus second = table.Apply();

        Assert.True(first.IsDone && second.IsDone);
        Assert.Equal(runs, kernel.Runner.Commands.Count);
        Assert.Equal((1, 1), (table.Reads, table.Writes));
        string saved = Save(kernel, backend, family);
        Assert.Contains("cali:Cz_u1IQiXIMmKD4c", saved);
        Assert.Contains("-A cali-FORWARD", saved);
        Assert.DoesNotContain("cali-unused", saved);
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Restart_WithNoMemory_ReadsAndWritesNothing(IpTablesBackend backend, IpFamily family)
    {
        using TestKernel kernel = new();
        Fill(Open(kernel, backend, family)).Apply();
        string before = Save(kernel, backend, family);

        RuleTable again = Fill(Open(kernel, backend, family));
        again.Apply();

        Assert.Equal((1, 0), (again.Reads, again.Writes));
        Assert.Equal(before, Save(kernel, backend, family));
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Damage_IsHealed_AndForeignRulesStay(IpTablesBackend backend, IpFamily family)
    {
        using TestKernel kernel = new();
        string ipt = Command(backend, family);
        kernel.Sh($"{ipt} -N FOREIGN");
        kernel.Sh($"{ipt} -A INPUT -p tcp -j FOREIGN");
        RuleTable table = Fill(Open(kernel, backend, family));
        table.Apply();
        string good = Save(kernel, backend, family);

        string[][] damages =
        [
            [$"{ipt} -F cali-FORWARD"],
            [$"{ipt} -D cali-FORWARD 2"],
            [$"{ipt} -D INPUT 1"],
            [$"{ipt} -I INPUT 1 -p udp -j ACCEPT"],
            [$"{ipt} -A FORWARD -p udp -j ACCEPT"],
            [$"{ipt} -I cali-FORWARD 1 -p udp -j ACCEPT"],
            [$"{ipt} -R cali-from-wl 1 -j ACCEPT"],
            [$"{ipt} -F"],
            [$"{ipt} -F", $"{ipt} -X"],
            [$"{ipt} -N cali-stray", $"{ipt} -A cali-stray -j ACCEPT", $"{ipt} -A INPUT -j cali-stray"],
        ];
        foreach (string[] damage in damages)
        {
            foreach (string command in damage)
            {
                kernel.Sh(command);
            }

            table.QueueResync();
            Assert.True(table.Apply().IsDone);

            string healed = Save(kernel, backend, family);
            Assert.Equal(OurLines(good), OurLines(healed));
            Assert.Equal("cali:Cz_u1IQiXIMmKD4c", FirstHash(healed, "INPUT"));
            Assert.Equal("cali:mp77cMpurHhyjLrM", LastHash(healed, "FORWARD"));
        }

        kernel.Sh($"{ipt} -N FOREIGN");
        kernel.Sh($"{ipt} -A INPUT -p tcp -j FOREIGN");
        table.QueueResync();
        table.Apply();
        Assert.Contains("-A INPUT -p tcp -j FOREIGN", Save(kernel, backend, family));
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Changes_AreWrittenIncrementally(IpTablesBackend backend, IpFamily family)
    {
        using TestKernel kernel = new();
        RuleTable table = Fill(Open(kernel, backend, family));
        table.Apply();
        Rule[] rules = [new(Match.All.Protocol(IpProtocol.Tcp), RuleAction.Drop), new(Match.All, RuleAction.Jump("cali-unused")), new(Match.All, RuleAction.Return)];

        table.SetChain(new Chain("cali-from-wl", rules));
        table.Apply();

        Assert.Contains("cali-unused", Save(kernel, backend, family));
        Assert.DoesNotContain("cali-FORWARD", kernel.Runner.LastInput);
        table.SetChain(new Chain("cali-from-wl", [rules[0]]));
        table.Apply();
        string saved = Save(kernel, backend, family);
        Assert.DoesNotContain("cali-unused", saved);
        Assert.Single(saved.Split('\n'), static line => line.StartsWith("-A cali-from-wl"));
        Assert.Equal(1, table.Reads);
        AssertEqualsFresh(kernel, backend, family, t => Fill(t).SetChain(new Chain("cali-from-wl", [rules[0]])));
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void RemovedChain_ThatIsStillReferred_Drops(IpTablesBackend backend, IpFamily family)
    {
        using TestKernel kernel = new();
        RuleTable table = Fill(Open(kernel, backend, family));
        table.Apply();

        table.RemoveChain("cali-from-wl");
        table.Apply();

        string line = Assert.Single(Save(kernel, backend, family).Split('\n'), static l => l.StartsWith("-A cali-from-wl"));
        Assert.EndsWith("-j DROP", line);
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void NoHooks_SweepsEverythingOfOurs(IpTablesBackend backend, IpFamily family)
    {
        using TestKernel kernel = new();
        string ipt = Command(backend, family);
        Fill(Open(kernel, backend, family)).Apply();
        kernel.Sh($"{ipt} -N felix-FORWARD");
        kernel.Sh($"{ipt} -A FORWARD -j felix-FORWARD");
        kernel.Sh($"{ipt} -A FORWARD -p icmp -j ACCEPT");

        Open(kernel, backend, family, cleanupOnly: true).Apply();

        string saved = Save(kernel, backend, family);
        Assert.DoesNotContain("cali", saved);
        Assert.DoesNotContain("felix", saved);
        Assert.Contains("-p icmp", saved);
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void AppendMode_StandsBehindOthers(IpTablesBackend backend, IpFamily family)
    {
        using TestKernel kernel = new();
        string ipt = Command(backend, family);
        kernel.Sh($"{ipt} -A INPUT -p tcp -j ACCEPT");
        RuleTable table = Fill(Open(kernel, backend, family, ChainInsertMode.Append));

        table.Apply();
        kernel.Sh($"{ipt} -A INPUT -p udp -j ACCEPT");
        table.QueueResync();
        table.Apply();

        Assert.Equal("cali:Cz_u1IQiXIMmKD4c", LastHash(Save(kernel, backend, family), "INPUT"));
        Assert.Equal(2, table.Writes);
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Failures_AreRetriedAfterReadingAgain_AndNothingIsLost(IpTablesBackend backend, IpFamily family)
    {
        foreach ((string pattern, bool afterWork) in ((string, bool)[])[("save", false), ("restore", false), ("restore", true)])
        {
            using TestKernel kernel = new();
            RuleTable table = Fill(Open(kernel, backend, family));
            kernel.Runner.FailPattern = pattern;
            kernel.Runner.FailAfterWork = afterWork;
            kernel.Runner.FailNext = 3;

            List<TimeSpan?> delays = [];
            ApplyStatus status = table.Apply();
            while (!status.IsDone)
            {
                delays.Add(status.Next);
                status = table.Apply();
            }

            // A write that went through although it reported failure is found by the read before the next attempt.
            Assert.Equal(afterWork ? [1] : [1, 2, 4], delays.Select(static d => d!.Value.TotalMilliseconds));
            AssertEqualsFresh(kernel, backend, family, t => Fill(t));
        }
    }

    [Fact]
    public void WritesThatKeepFailing_EndTheProcess()
    {
        using TestKernel kernel = new();
        RuleTable table = Fill(Open(kernel, IpTablesBackend.Nft, IpFamily.IPv4));
        kernel.Runner.FailPattern = "restore";
        kernel.Runner.FailNext = int.MaxValue;

        DataplaneException e = Assert.Throws<DataplaneException>(() =>
        {
            while (!table.Apply().IsDone)
            {
            }
        });

        Assert.Contains("simulated failure", e.Message);
        Assert.Equal(10, table.Writes);
    }

    [Fact]
    public void Sweep_ThatKeepsFailing_NeverEndsTheProcess()
    {
        using TestKernel kernel = new();
        RuleTable table = Open(kernel, IpTablesBackend.Nft, IpFamily.IPv4, cleanupOnly: true);
        kernel.Runner.FailNext = int.MaxValue;

        for (int i = 0; i < 20; i++)
        {
            Assert.True(table.Apply().IsDone);
        }

        Assert.Equal(1, table.Reads);
    }

    [Fact]
    public void PostWriteChecks_GrowRarer_AndRefreshIsPeriodic()
    {
        using TestKernel kernel = new();
        RuleTable table = Fill(Open(kernel, IpTablesBackend.Nft, IpFamily.IPv4));
        List<double> waits = [];

        for (int i = 0; i < 8; i++)
        {
            ApplyStatus status = table.Apply();
            waits.Add(Math.Round(status.Next!.Value.TotalSeconds));
            kernel.Time.Advance(status.Next.Value);
        }

        Assert.Equal([5, 10, 20, 40, 80, 160, 180, 180], waits);
        Assert.Equal((8, 1), (table.Reads, table.Writes));
    }

    [Fact]
    public void ChainWithoutOurPrefix_IsRefused()
    {
        using TestKernel kernel = new();

        Assert.Throws<ArgumentException>(() => Open(kernel, IpTablesBackend.Nft, IpFamily.IPv4).SetChain(new Chain("INPUT", [])));
    }

    [Fact]
    public void Detection_FollowsTheHints_ThenTheNumberOfRules()
    {
        using TestKernel hinted = new();
        hinted.Sh("iptables-nft -t mangle -N KUBE-IPTABLES-HINT");
        using TestKernel busy = new();
        busy.Sh("iptables-legacy -A INPUT -j ACCEPT");
        busy.Sh("iptables-legacy -A INPUT -j ACCEPT");
        busy.Sh("iptables-nft -A INPUT -j ACCEPT");

        Assert.Equal(IpTablesBackend.Nft, IpTablesTools.Detect(hinted.Runner, IpFamily.IPv4, IpTablesBackend.Auto).Backend);
        IpTablesTools legacy = IpTablesTools.Detect(busy.Runner, IpFamily.IPv4, IpTablesBackend.Auto);
        Assert.Equal((IpTablesBackend.Legacy, "iptables-legacy-save"), (legacy.Backend, legacy.SaveCommand));
        Assert.Equal(IpTablesBackend.Nft, legacy.OtherBackend(busy.Runner)!.Backend);
    }

    /// <summary>A table that hooks INPUT and FORWARD, with a chain that is used twice over and one that is not used.</summary>
    private static RuleTable Fill(RuleTable table)
    {
        table.SetChain(new Chain("cali-INPUT", [new Rule(Match.All.InInterface("cali+"), RuleAction.Goto("cali-from-wl"), "to the host's door")]));
        table.SetChain(new Chain("cali-FORWARD",
        [
            new Rule(Match.All, RuleAction.ClearMark(0xe0000)),
            new Rule(Match.All.InInterface("cali+"), RuleAction.Jump("cali-from-wl")),
            new Rule(Match.All.MarkSet(0x10000).Protocol(IpProtocol.Tcp).DestinationPorts([(80, 80), (8000, 8080)]), RuleAction.Accept, "weft's; `odd\" comment"),
        ]));
        table.SetChain(new Chain("cali-from-wl", [new Rule(Match.All.ConntrackState(ConntrackStates.Related | ConntrackStates.Established), RuleAction.Accept), new Rule(Match.All, RuleAction.Drop)]));
        table.SetChain(new Chain("cali-unused", [new Rule(Match.All, RuleAction.Drop)]));
        table.SetInserts("INPUT", [new Rule(Match.All, RuleAction.Jump("cali-INPUT"))]);
        table.SetInserts("FORWARD", [new Rule(Match.All, RuleAction.Jump("cali-FORWARD"))]);
        table.SetAppends("FORWARD",
        [
            new Rule(Match.All.MarkSet(0x10000), RuleAction.Accept, "Policy explicitly accepted packet."),
            new Rule(Match.All, RuleAction.SetMark(0x10000)),
        ]);
        return table;
    }

    private static RuleTable Open(
        TestKernel kernel, IpTablesBackend backend, IpFamily family, ChainInsertMode mode = ChainInsertMode.Insert, bool cleanupOnly = false)
    {
        IpTablesTools tools = IpTablesTools.Detect(kernel.Runner, family, backend);
        RuleTableSettings settings = new("filter") { InsertMode = mode, CleanupOnly = cleanupOnly };
        return new RuleTable(settings, tools, kernel.Runner, kernel.Time, NullLogger<RuleTable>.Instance);
    }

    /// <summary>A driver with no memory finds nothing to do: the kernel is exactly what the state asks for.</summary>
    private static void AssertEqualsFresh(TestKernel kernel, IpTablesBackend backend, IpFamily family, Action<RuleTable> fill)
    {
        kernel.Runner.FailNext = 0;
        RuleTable fresh = Open(kernel, backend, family);
        fill(fresh);
        fresh.Apply();
        Assert.Equal(0, fresh.Writes);
    }

    private static string Command(IpTablesBackend backend, IpFamily family) =>
        $"{(family == IpFamily.IPv6 ? "ip6tables" : "iptables")}-{(backend == IpTablesBackend.Nft ? "nft" : "legacy")}";

    private static string Save(TestKernel kernel, IpTablesBackend backend, IpFamily family) =>
        string.Join('\n', kernel.Sh($"{Command(backend, family)}-save -t filter").Split('\n').Where(static l => !l.StartsWith('#')));

    private static IEnumerable<string> OurLines(string saved) => saved.Split('\n').Where(static l => l.Contains("cali")).Order();

    private static string FirstHash(string saved, string chain) => HashOf(saved.Split('\n').First(l => l.StartsWith($"-A {chain} ")));

    private static string LastHash(string saved, string chain) => HashOf(saved.Split('\n').Last(l => l.StartsWith($"-A {chain} ")));

    private static string HashOf(string line) => line.Contains("cali:") ? line.Substring(line.IndexOf("cali:", StringComparison.Ordinal), 21) : line;
}
