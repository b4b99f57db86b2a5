using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Drivers.IpSets;

public sealed class IpSetFamilyTests : IDisposable
{
    private static readonly IpSetMetadata Nets = new("s:pods", IpSetType.Net);

    private ScriptedNetlink? _netlink; // of the family opened last

    public void Dispose() => _netlink?.Dispose();

    [Theory]
    [InlineData(IpFamily.IPv4)]
    [InlineData(IpFamily.IPv6)]
    public void ApplyUpdates_WritesEveryType_ThenRunsNothing(IpFamily family)
    {
        using TestKernel kernel = new();
        IpSetFamily sets = Fill(Open(kernel, family));

        sets.ApplyUpdates();
        (int writes, int dumps) = (_netlink!.Writes, _netlink.Dumps);
        ApplyStatus status = sets.ApplyUpdates().And(sets.ApplyDeletions());

        Assert.True(status.IsDone);
        Assert.Equal((6, 1), (writes, dumps));
        Assert.Equal((writes, dumps), (_netlink.Writes, _netlink.Dumps));
        char digit = family == IpFamily.IPv4 ? '4' : '6';
        string[] expected = family == IpFamily.IPv4
            ? ["10.0.0.1", "10.1.0.0/16", "10.0.0.9", "10.0.0.1,tcp:80", "10.0.0.1,udp:53"]
            : ["fd00::1", "fd00:1::/64", "fd00::9", "fd00::1,tcp:80", "fd00::1,udp:53"];
        Assert.Equal(expected.Order(), AllMembers(kernel).Order());
        Assert.Contains($"create cali{digit}0this-host hash:ip family {(family == IpFamily.IPv4 ? "inet" : "inet6")}", kernel.Sh("ipset save"));
    }

    [Fact]
    public void Restart_WithNoMemory_WritesNothing()
    {
        using TestKernel kernel = new();
        Fill(Open(kernel, IpFamily.IPv4)).ApplyUpdates();

        IpSetFamily again = Fill(Open(kernel, IpFamily.IPv4));
        again.ApplyUpdates();
        again.ApplyDeletions();

        Assert.Equal(0, _netlink!.Writes);
    }

    [Fact]
    public void MemberChanges_AreWrittenAlone_AndThoseThatCancelOutNotAtAll()
    {
        using TestKernel kernel = new();
        IpSetFamily sets = Fill(Open(kernel, IpFamily.IPv4));
        sets.ApplyUpdates();
        int before = _netlink!.Writes;

        sets.AddMembers("s:pods", [Net("10.9.0.0/16"), Net("10.8.0.0/16")]);
        sets.RemoveMembers("s:pods", [Net("10.8.0.0/16"), Net("10.0.0.1")]);
        sets.ApplyUpdates();

        Assert.Equal(before + 2, _netlink.Writes);
        Assert.Equal(["10.1.0.0/16", "10.9.0.0/16"], Members(kernel, "cali40s:pods").Order());
        sets.AddMembers("s:pods", [Net("10.7.0.0/16"), Net("fd00::/64")]);
        sets.RemoveMembers("s:pods", [Net("10.7.0.0/16")]);
        sets.ApplyUpdates();
        Assert.Equal(before + 2, _netlink.Writes);
    }

    [Fact]
    public void Damage_IsHealed_AndForeignSetsStay()
    {
        using TestKernel kernel = new();
        kernel.Sh("ipset create foreign hash:ip");
        kernel.Sh("ipset add foreign 192.0.2.1");
        IpSetFamily sets = Fill(Open(kernel, IpFamily.IPv4));
        sets.ApplyUpdates();
        string good = Saved(kernel);

        string[][] damages =
        [
            ["ipset flush cali40s:pods"],
            ["ipset del cali40s:pods 10.0.0.1"],
            ["ipset add cali40s:pods 203.0.113.0/24"],
            ["ipset destroy cali40this-host"],
            ["ipset destroy cali40s:pods", "ipset create cali40s:pods hash:net maxelem 10", "ipset add cali40s:pods 203.0.113.0/24"],
            ["ipset destroy cali40s:pods", "ipset create cali40s:pods hash:ip"],
            ["ipset create cali40stray hash:ip", "ipset create cali4t0 hash:ip", "ipset create felix-4old hash:ip"],
        ];
        foreach (string[] damage in damages)
        {
            foreach (string command in damage)
            {
                kernel.Sh(command);
            }

            sets.QueueResync();
            Assert.True(sets.ApplyUpdates().IsDone);
            DeleteAll(sets);
            Assert.Equal(good, Saved(kernel));
        }

        Assert.Equal(["192.0.2.1"], Members(kernel, "foreign"));
    }

    [Fact]
    public void ChangedMaximum_IsSwappedIn_WhileRulesUseTheSet()
    {
        using TestKernel kernel = new();
        IpSetFamily sets = Fill(Open(kernel, IpFamily.IPv4));
        sets.ApplyUpdates();
        kernel.Sh("iptables-nft -A INPUT -m set --match-set cali40s:pods src -j DROP");

        sets.AddOrReplace(Nets with { MaxElements = 500 }, [Net("10.2.0.0/16")]);
        sets.ApplyUpdates();
        DeleteAll(sets);

        Assert.Contains("cali40s:pods hash:net family inet hashsize 1024 maxelem 1586", kernel.Sh("ipset save"));
        Assert.Equal(["10.2.0.0/16"], Members(kernel, "cali40s:pods"));
        Assert.DoesNotContain("cali4t", kernel.Sh("ipset save"));
    }

    [Fact]
    public void RemovedSet_InUse_StaysUntilTheNextReadAfterTheRuleIsGone()
    {
        using TestKernel kernel = new();
        IpSetFamily sets = Fill(Open(kernel, IpFamily.IPv4));
        sets.ApplyUpdates();
        kernel.Sh("iptables-nft -A INPUT -m set --match-set cali40s:pods src -j DROP");

        sets.Remove("s:pods");
        sets.ApplyUpdates();
        ApplyStatus status = sets.ApplyDeletions();

        Assert.True(status.IsDone);
        Assert.Contains("cali40s:pods", kernel.Sh("ipset save"));
        kernel.Sh("iptables-nft -F INPUT");
        kernel.Time.Advance(TimeSpan.FromSeconds(90));
        sets.ApplyUpdates();
        DeleteAll(sets);
        Assert.DoesNotContain("cali40s:pods", kernel.Sh("ipset save"));
    }

    [Fact]
    public void Deletions_AreSpreadOverApplies()
    {
        using TestKernel kernel = new();
        IpSetFamily sets = Fill(Open(kernel, IpFamily.IPv4));
        sets.ApplyUpdates();
        sets.Remove("s:pods");
        sets.Remove("this-host");

        ApplyStatus first = sets.ApplyDeletions();
        ApplyStatus second = sets.ApplyDeletions();

        Assert.Equal(TimeSpan.FromMilliseconds(100), first.Next);
        Assert.Null(second.Next);
        Assert.Single(kernel.Sh("ipset list -name").Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void SetThatComesBackBeforeItsDeletion_HasOnlyItsNewMembers()
    {
        using TestKernel kernel = new();
        IpSetFamily sets = Fill(Open(kernel, IpFamily.IPv4));
        sets.ApplyUpdates();

        sets.Remove("s:pods");
        sets.AddOrReplace(Nets, [Net("10.5.0.0/16")]);
        sets.ApplyUpdates();
        DeleteAll(sets);

        Assert.Equal(["10.5.0.0/16"], Members(kernel, "cali40s:pods"));
        Assert.DoesNotContain("cali4t", kernel.Sh("ipset save"));
    }

    [Fact]
    public void Everything_IsKeptAsItsTwoHalves()
    {
        using TestKernel kernel = new();
        IpSetFamily sets = Open(kernel, IpFamily.IPv4);
        sets.AddOrReplace(Nets, [Net("0.0.0.0/0"), Net("128.0.0.0/1")]);
        sets.ApplyUpdates();
        Assert.Equal(["0.0.0.0/1", "128.0.0.0/1"], Members(kernel, "cali40s:pods").Order());

        sets.RemoveMembers("s:pods", [Net("0.0.0.0/0")]);
        sets.ApplyUpdates();

        Assert.Equal(["128.0.0.0/1"], Members(kernel, "cali40s:pods"));
    }

    [Theory]
    [InlineData(3, 0)]
    [InlineData(0, 3)]
    public void Failures_AreRetriedAfterReadingAgain(int wholeCalls, int answers)
    {
        using TestKernel kernel = new();
        IpSetFamily sets = Fill(Open(kernel, IpFamily.IPv4));
        (_netlink!.FailNext, _netlink.FailResults) = (wholeCalls, answers);

        int retries = 0;
        while (!sets.ApplyUpdates().IsDone)
        {
            retries++;
        }

        Assert.InRange(retries, 1, 3);
        Assert.Equal(5, AllMembers(kernel).Count());
    }

    [Fact]
    public void DeathAtEveryStep_LeavesTheOldSetOrTheNew_WhileRulesUseIt()
    {
        for (int step = 0; step < 6; step++)
        {
            using TestKernel kernel = new();
            IpSetFamily sets = Open(kernel, IpFamily.IPv4);
            sets.AddOrReplace(Nets, [Net("10.1.0.0/16"), Net("10.2.0.0/16")]);
            sets.ApplyUpdates();

            // Another size: the whole set is written beside it.
            sets.AddOrReplace(Nets with { MaxElements = 500 }, [Net("10.3.0.0/16"), Net("10.4.0.0/16")]);
            _netlink!.DieAfter = step;
            sets.ApplyUpdates();

            string[] members = [.. Members(kernel, "cali40s:pods").Order()];
            Assert.True(members is ["10.1.0.0/16", "10.2.0.0/16"] or ["10.3.0.0/16", "10.4.0.0/16"], $"died after {step}: {string.Join(' ', members)}");

            IpSetFamily next = Open(kernel, IpFamily.IPv4);
            next.AddOrReplace(Nets with { MaxElements = 500 }, [Net("10.3.0.0/16"), Net("10.4.0.0/16")]);
            Assert.True(next.ApplyUpdates().IsDone);
            DeleteAll(next);
            Assert.Equal(["10.3.0.0/16", "10.4.0.0/16"], Members(kernel, "cali40s:pods").Order());
            Assert.DoesNotContain("cali4t", kernel.Sh("ipset save"));
        }
    }

    [Fact]
    public void SetThatCannotFit_IsNotTouched_AndSaid_UntilItFits()
    {
        using TestKernel kernel = new();
        IpSetFamily sets = Open(kernel, IpFamily.IPv4);
        sets.AddOrReplace(Nets with { MaxElements = 3 }, [Net("10.1.0.0/16"), Net("10.2.0.0/16")]);
        sets.ApplyUpdates();

        sets.AddMembers("s:pods", [Net("10.3.0.0/16"), Net("10.4.0.0/16")]);
        Assert.True(sets.ApplyUpdates().IsDone);

        Assert.Equal(4, sets.TooLarge["s:pods"]);
        Assert.Equal(["10.1.0.0/16", "10.2.0.0/16"], Members(kernel, "cali40s:pods").Order());
        sets.RemoveMembers("s:pods", [Net("10.1.0.0/16")]);
        sets.ApplyUpdates();
        Assert.Empty(sets.TooLarge);
        Assert.Equal(["10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"], Members(kernel, "cali40s:pods").Order());
        sets.AddMembers("s:pods", [Net("10.5.0.0/16")]);
        sets.Resize("s:pods", 100);
        sets.ApplyUpdates();
        Assert.Equal(4, Members(kernel, "cali40s:pods").Count());
        sets.AddMembers("s:pods", [Net("0.0.0.0/0")]);
        sets.Resize("s:pods", 5);
        Assert.Equal(6, sets.TooLarge["s:pods"]);
    }

    [Fact]
    public void WritesThatKeepFailing_EndTheProcess()
    {
        using TestKernel kernel = new();
        IpSetFamily sets = Fill(Open(kernel, IpFamily.IPv4));
        _netlink!.FailNext = int.MaxValue;

        Assert.Throws<DataplaneException>(() =>
        {
            while (!sets.ApplyUpdates().IsDone)
            {
            }
        });
    }

    [Fact]
    public void HundredThousandMembers_AreWrittenAndReadBack()
    {
        using TestKernel kernel = new();
        IpSetMember[] members = [.. Enumerable.Range(0, 100_000).Select(static i => new IpSetMember(IpAddress.FromIPv4(0x0A000000 + (uint)i).ToPrefix()))];
        IpSetFamily sets = Open(kernel, IpFamily.IPv4);
        sets.AddOrReplace(Nets, members);
        sets.ApplyUpdates();

        IpSetFamily again = Open(kernel, IpFamily.IPv4);
        again.AddOrReplace(Nets, members);
        again.ApplyUpdates();

        Assert.Equal(0, _netlink!.Writes);
        Assert.Equal(100_000, Members(kernel, "cali40s:pods").Count());

        // One more costs the same as in a set of ten. The median, because the machine may be busy; it is some tens of microseconds.
        double[] microseconds = new double[200];
        for (int i = 0; i < microseconds.Length; i++)
        {
            again.AddMembers("s:pods", [new IpSetMember(IpAddress.FromIPv4(0x0B000000 + (uint)i).ToPrefix())]);
            long started = System.Diagnostics.Stopwatch.GetTimestamp();
            again.ApplyUpdates();
            microseconds[i] = System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalMicroseconds;
        }

        Array.Sort(microseconds);
        TestContext.Current.TestOutputHelper?.WriteLine($"one member added to 100 000: p50 {microseconds[100]:f0} us, p99 {microseconds[197]:f0} us");
        Assert.Equal(200, _netlink.Writes);
        Assert.True(microseconds[100] < 1000, $"median {microseconds[100]} us");
    }

    [Fact]
    public void Names_AreCutToWhatTheKernelTakes()
    {
        Assert.Equal("cali40s:qMt7iLlGDhvLnCjM0l9nzxb", IpSetFamily.NameOf(IpFamily.IPv4, "s:qMt7iLlGDhvLnCjM0l9nzxbabcd"));
        Assert.Equal("cali60this-host", IpSetFamily.NameOf(IpFamily.IPv6, "this-host"));
    }

    private IpSetFamily Open(TestKernel kernel, IpFamily family)
    {
        _netlink?.Dispose();
        _netlink = new ScriptedNetlink(NetlinkSocket.OpenNetfilter(kernel.Space));
        return new IpSetFamily(family, new IpSetSocket(_netlink), kernel.Time, NullLogger<IpSetFamily>.Instance);
    }

    private static IpSetFamily Fill(IpSetFamily sets)
    {
        sets.AddOrReplace(Nets, [Net("10.0.0.1"), Net("10.1.0.0/16"), Net("fd00::1"), Net("fd00:1::/64")]);
        sets.AddOrReplace(new IpSetMetadata("this-host", IpSetType.Ip), [Net("10.0.0.9"), Net("fd00::9")]);
        sets.AddOrReplace(
            new IpSetMetadata("n:ports", IpSetType.IpPort),
            ((string[])["10.0.0.1,tcp:80", "10.0.0.1,udp:53", "fd00::1,tcp:80", "fd00::1,udp:53"]).Select(static t => IpSetMember.Parse(IpSetType.IpPort, t)));
        return sets;
    }

    private static IpSetMember Net(string text) => IpSetMember.Parse(IpSetType.Net, text);

    private static void DeleteAll(IpSetFamily sets)
    {
        while (sets.ApplyDeletions().Next is not null)
        {
        }
    }

    private static string Saved(TestKernel kernel) => string.Join('\n', kernel.Sh("ipset save").Split('\n').Select(static l => l.Split(" initval")[0]).Order());

    private static IEnumerable<string> AllMembers(TestKernel kernel) =>
        kernel.Sh("ipset save").Split('\n').Where(static l => l.StartsWith("add ")).Select(static l => l.Split(' ')[2]);

    private static IEnumerable<string> Members(TestKernel kernel, string set) =>
        kernel.Sh($"ipset save {set}").Split('\n').Where(static l => l.StartsWith("add ")).Select(static l => l.Split(' ')[2]);
}
