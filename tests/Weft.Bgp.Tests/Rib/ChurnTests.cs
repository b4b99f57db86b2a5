using System.Diagnostics;
using System.Globalization;
using Weft.Bgp.Policies;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Tests.Support;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Rib;

/// <summary>
/// Hours of churn in simulated time: every second routes come, change and go, peers fail, restart gracefully and refresh, policies change, readers are slow. At the
/// end of each hour all is let come to rest, and the RIB, the forwarding table and what every kind of neighbour holds must be what a naive model says; memory must
/// stay where it was after the first hours. One hour within "build.sh test"; "build.sh soak" sets WEFT_SOAK_HOURS (12).
/// </summary>
public sealed class ChurnTests
{
    private const int Peers = 8, Prefixes = 600;

    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1), s_restart = TimeSpan.FromSeconds(120);

    /// <summary>The last two are internal; the first sends several paths per prefix (RFC 7911).</summary>
    private static uint As(int peer) => peer >= Peers - 2 ? 65001 : (uint)(65010 + peer);

    private static string Name(int peer) => $"p{peer}";

    private static Func<NegotiatedSession, NegotiatedSession> Session(int peer) => s => s with
    {
        RestartFamilies = AddressFamilies.Both, ForwardingKept = AddressFamilies.Both, PeerRestartTime = s_restart, EnhancedRouteRefresh = true,
        AddPathReceive = peer == 0 ? AddressFamilies.Both : AddressFamilies.None,
    };

    /// <summary>What a peer said last of a prefix.</summary>
    private sealed record Word(uint[] Path, uint Med, uint? LocalPreference)
    {
        public bool IsOld { get; set; }

        public string Text => string.Join(' ', Path);
    }

    private readonly Dictionary<(int Prefix, uint Id), Word>[] _words = [.. Enumerable.Range(0, Peers).Select(static _ => new Dictionary<(int, uint), Word>())];
    private readonly TimeSpan?[] _downUntil = new TimeSpan?[Peers];
    private readonly TimeSpan?[] _staleUntil = new TimeSpan?[Peers];
    private readonly uint[] _preference = [.. Enumerable.Repeat(100u, Peers)];
    private readonly RibHarness _rib = new();
    private readonly Random _random = new(20);
    private TimeSpan _now;
    private long _events;

    [Fact]
    public void HoursOfChurn_MemoryIsFlat_AndTheTablesAreThoseOfANaiveModel()
    {
        int hours = Environment.GetEnvironmentVariable("WEFT_SOAK_HOURS") is { } asked ? int.Parse(asked, CultureInfo.InvariantCulture) : 1;
        for (int peer = 0; peer < Peers; peer++)
        {
            Up(peer);
        }

        _rib.Up("outside", "10.0.0.90", 65090);
        _rib.Up("inside", "10.0.0.91", 65001, static s => s with { RouteReflectorClient = true });
        _rib.Up("paths", "10.0.0.92", 65092, session: static s => s with { AddPathSend = AddressFamilies.Both });
        Stopwatch clock = Stopwatch.StartNew();
        List<(long Managed, long Tables)> memory = [];
        for (int hour = 1; hour <= hours; hour++)
        {
            for (int second = 0; second < 3600; second++)
            {
                Turn();
            }

            Rest();
            Compare();
            memory.Add((Forget(), Tables()));
            Console.WriteLine($"churn: hour {hour}: {_events} events in {clock.Elapsed.TotalSeconds:0} s, {_rib.Rib.Tables.Paths.Count} paths, {memory[^1].Managed >> 10} KiB managed, {memory[^1].Tables >> 10} KiB tables");
        }

        if (hours > 3)
        {
            // Tables have grown to what the churn needs at most; from then on nothing may be added.
            Assert.InRange(memory[^1].Managed, 0, memory[2].Managed * 11 / 10);
            Assert.InRange(memory[^1].Tables, 0, memory[2].Tables * 11 / 10);
        }

        for (int peer = 0; peer < Peers; peer++)
        {
            _rib.Down(Name(peer));
        }

        _rib.Settle();
        Assert.Equal((0, 0, 0), (_rib.Rib.Tables.Paths.Count, _rib.Rib.Tables.Prefixes.Count, _rib.Rib.Tables.Attributes.Count));
        Assert.Empty(_rib.Forwarding.Routes);
        Assert.All(new[] { "outside", "inside", "paths" }, l => Assert.Equal((0, 0), (_rib[l].Seen.Count, _rib[l].WithdrawnUnknown.Count)));
    }

    /// <summary>One second.</summary>
    private void Turn()
    {
        for (int i = _random.Next(16); i > 0; i--)
        {
            Say(_random.Next(Peers));
        }

        switch (_random.Next(400))
        {
            case 0:
                Fail(_random.Next(Peers), keep: false);
                break;
            case 1 or 2:
                Fail(_random.Next(Peers), keep: true);
                break;
            case 3 or 4:
                Refresh(_random.Next(Peers));
                break;
            case 5 or 6:
                Prefer(_random.Next(Peers));
                break;
            case 7:
                _rib["outside"].Slow = !_rib["outside"].Slow;
                break;
        }

        _now += s_second;
        _rib.After(s_second);
        if (!_rib["outside"].Slow)
        {
            _rib["outside"].ReturnCredits();
        }

        for (int peer = 0; peer < Peers; peer++)
        {
            if (_staleUntil[peer] <= _now)
            {
                _staleUntil[peer] = null;
                _words[peer].Clear();
            }

            if (_downUntil[peer] <= _now)
            {
                Return(peer);
            }
        }
    }

    private void Say(int peer)
    {
        if (_downUntil[peer] is not null)
        {
            return;
        }

        _events++;
        (int prefix, uint id) = (_random.Next(Prefixes), peer == 0 ? (uint)_random.Next(1, 4) : 0);
        uint? pathId = peer == 0 ? id : null;
        if (_random.Next(4) == 0)
        {
            _rib.Withdraw(Name(peer), Text(prefix), pathId);
            _words[peer].Remove((prefix, id));
            return;
        }

        bool isInternal = As(peer) == 65001;
        Word word = new(
            [isInternal ? (uint)(65100 + _random.Next(3)) : As(peer), .. Enumerable.Range(0, _random.Next(3)).Select(_ => (uint)_random.Next(100, 110))],
            (uint)_random.Next(3), isInternal ? (uint)_random.Next(99, 102) : null);
        Announce(peer, prefix, id, word);
    }

    private void Announce(int peer, int prefix, uint id, Word word)
    {
        _rib.Announce(Name(peer), Text(prefix), word.Text, med: word.Med, localPreference: word.LocalPreference, pathId: peer == 0 ? id : null);
        _words[peer][(prefix, id)] = word with { IsOld = false };
    }

    private void Up(int peer) => _rib.Up(Name(peer), $"10.0.0.{10 + peer}", As(peer), session: Session(peer));

    private void Fail(int peer, bool keep)
    {
        if (_downUntil[peer] is not null)
        {
            return;
        }

        _rib.Down(Name(peer), keep);
        _downUntil[peer] = _now + s_second * _random.Next(1, 200);
        if (!keep)
        {
            _words[peer].Clear();
        }
        else if (_words[peer].Count > 0)
        {
            // A second failure while stale leaves only what the last session told.
            Drop(peer, static w => w.IsOld);
            _staleUntil[peer] = _now + s_restart;
        }
    }

    /// <summary>The session is there again; half of the routes are told once more, then End-of-RIB sweeps the rest.</summary>
    private void Return(int peer)
    {
        _downUntil[peer] = null;
        _staleUntil[peer] = null;
        foreach (Word word in _words[peer].Values)
        {
            word.IsOld = true;
        }

        Up(peer);
        TellHalf(peer);
        _rib.EndOfRib(Name(peer));
        Drop(peer, static w => w.IsOld);
    }

    private void Refresh(int peer)
    {
        if (_downUntil[peer] is not null)
        {
            return;
        }

        _rib.Mark(Name(peer), BatchRecordKind.BeginRefresh);
        foreach (Word word in _words[peer].Values)
        {
            word.IsOld = true;
        }

        TellHalf(peer);
        _rib.Mark(Name(peer), BatchRecordKind.EndRefresh);
        Drop(peer, static w => w.IsOld);
    }

    private void TellHalf(int peer)
    {
        foreach (((int prefix, uint id), Word word) in _words[peer].Where(_ => _random.Next(2) == 0).ToArray())
        {
            Announce(peer, prefix, id, word);
        }
    }

    private void Prefer(int peer)
    {
        if (As(peer) == 65001)
        {
            return;
        }

        _preference[peer] = (uint)_random.Next(99, 102);
        RoutePolicy import = new() { Rules = [new PolicyRule { Edits = [RouteEdit.SetLocalPreference(_preference[peer])], Verdict = PolicyVerdict.Accept }], Default = PolicyVerdict.Reject };
        _rib.Update(Name(peer), s => s with { Import = import });
    }

    private void Drop(int peer, Func<Word, bool> which)
    {
        foreach ((int, uint) key in _words[peer].Where(w => which(w.Value)).Select(static w => w.Key).ToArray())
        {
            _words[peer].Remove(key);
        }
    }

    private static string Text(int prefix) => $"10.{prefix >> 8}.{prefix & 255}.0/24";

    /// <summary>Everybody is back, everything is read and told.</summary>
    private void Rest()
    {
        for (int peer = 0; peer < Peers; peer++)
        {
            if (_downUntil[peer] is not null)
            {
                _rib.Settle();
                Return(peer);
            }
        }

        TestPeer outside = _rib["outside"];
        outside.Slow = false;
        for (int i = 0; i < 3; i++)
        {
            outside.ReturnCredits();
            _rib.After(s_second);
        }
    }

    private void Compare()
    {
        Dictionary<string, (int Peer, uint Id, Word Word)[]> paths = Enumerable.Range(0, Peers)
            .SelectMany(p => _words[p].Select(w => (Prefix: Text(w.Key.Prefix), Path: (Peer: p, w.Key.Id, Word: w.Value))))
            .GroupBy(static p => p.Prefix, static p => p.Path).ToDictionary(static g => g.Key, static g => g.ToArray());
        Dictionary<string, (int Peer, uint Id, Word Word)> best = paths.ToDictionary(static p => p.Key, p => Best(p.Value));

        Assert.Equal((paths.Values.Sum(static p => p.Length), paths.Count), (_rib.Rib.Tables.Paths.Count, _rib.Rib.Tables.Prefixes.Count));
        Assert.Equal(
            best.Select(static b => $"{b.Key} 10.0.0.{10 + b.Value.Peer}").Order(StringComparer.Ordinal),
            _rib.Forwarding.Routes.Select(static r => $"{r.Key} {r.Value}").Order(StringComparer.Ordinal));
        Assert.Equal(best.Select(static b => $"{b.Key} 65001 {b.Value.Word.Text}").Order(StringComparer.Ordinal), Told("outside"));
        Assert.Equal(best.Select(static b => $"{b.Key} {b.Value.Word.Text}").Order(StringComparer.Ordinal), Told("inside"));
        Assert.Equal(
            paths.SelectMany(static p => p.Value.Select(w => $"{p.Key} 65001 {w.Word.Text}")).Order(StringComparer.Ordinal),
            _rib["paths"].SeenPaths.Select(static s => $"{s.Key.Prefix} {AsPath.ToText(CanonicalAttributes.Find(s.Value, AttributeType.AsPath))}").Order(StringComparer.Ordinal));
    }

    private IEnumerable<string> Told(string listener) => _rib[listener].Prefixes.Select(p => $"{p} {_rib[listener].Path(p)}").Order(StringComparer.Ordinal);

    /// <summary>RFC 4271 9.1.2 in LINQ; equal paths of one peer go by the lower identifier.</summary>
    private (int Peer, uint Id, Word Word) Best((int Peer, uint Id, Word Word)[] all)
    {
        uint Preference((int Peer, uint Id, Word Word) p) => p.Word.LocalPreference ?? _preference[p.Peer];
        (int Peer, uint Id, Word Word)[] left = [.. all.Where(p => Preference(p) == all.Max(Preference))];
        left = [.. left.Where(p => p.Word.Path.Length == left.Min(static o => o.Word.Path.Length))];
        left = [.. left.Where(p => p.Word.Med == left.Where(o => o.Word.Path[0] == p.Word.Path[0]).Min(static o => o.Word.Med))];
        left = left.Any(p => As(p.Peer) != 65001) ? [.. left.Where(p => As(p.Peer) != 65001)] : left;
        return left.OrderBy(static p => p.Peer).ThenBy(static p => p.Id).First();
    }

    /// <summary>Octets the process still holds when the harness has let go of what it wrote down.</summary>
    private long Forget()
    {
        foreach (string name in Enumerable.Range(0, Peers).Select(Name).Concat(["outside", "inside", "paths"]))
        {
            _rib[name].Heard.Clear();
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private long Tables()
    {
        RibMemory memory = _rib.Rib.DescribeMemory();
        return memory.PathBytes + memory.PrefixBytes + memory.AttributeBytes;
    }
}
