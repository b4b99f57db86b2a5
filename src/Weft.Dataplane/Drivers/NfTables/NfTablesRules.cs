using Microsoft.Extensions.Logging;
using Weft.Dataplane.Rules.Model;
using Weft.Linux;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// Rules and sets of one family in tables of our own, spoken to the kernel directly. Four tables, as iptables has them: the kernel's work for a
/// transaction grows with what the tables it touches hold. All of an apply is one transaction: the kernel has the old rules or the new ones.
/// <code>
///   SetChain, SetDispatch, AddMembers ... --> desired --+
///                                                       +--> difference --> NfTablesBatch --> kernel
///   dumps of our tables (generation checked) --> actual +                      success: actual = desired
/// </code>
/// After a restart the tables are ours by their names, the chains are known by the hashes in their rules. The kernel is read again only when its
/// generation says that somebody else changed something.
/// </summary>
internal sealed class NfTablesRules : IRuleBackend
{
    // With delays of 1, 2, 4 ... 256 ms: half a second in all.
    private const int Attempts = 10;

    // What keeps being refused may stand on something in the table that we do not see: from here on our tables are written anew.
    private const int FailuresBeforeRebuild = 5;

    private readonly NfTablesSocket _socket;
    private readonly NfCommits _commits;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _refreshInterval;
    private readonly NfSetFamily _sets;
    private readonly NfReader _reader;
    private readonly NfTablesBatch _batch;
    private readonly NfTableWriter _writer;
    private readonly NfRuleEncoder _encoder;
    private readonly (NfTable Desired, NfActual Actual)[] _tables;
    private RetryBackoff _backoff = new(Attempts);
    private bool _inSync;
    private bool _compareAll;
    private uint _generation;
    private uint _commitsSeen; // when the generation was read
    private long _lastLook;

    /// <param name="socket">Of the family; stays the caller's.</param>
    /// <param name="family">Whose rules.</param>
    /// <param name="commits">Shared by all families of the namespace.</param>
    /// <param name="time">For the refresh.</param>
    /// <param name="logger">Told of writes and refusals.</param>
    /// <param name="refreshInterval">How often the kernel's generation is asked although nothing changed; zero for never.</param>
    public NfTablesRules(NfTablesSocket socket, IpFamily family, NfCommits commits, TimeProvider time, ILogger<NfTablesRules> logger, TimeSpan refreshInterval)
    {
        (_socket, _commits, _time, _logger, _refreshInterval) = (socket, commits, time, logger, refreshInterval);
        _sets = new NfSetFamily(family);
        _reader = new NfReader(socket, _sets);
        _batch = new NfTablesBatch(family);
        _encoder = new NfRuleEncoder(family, _sets);
        _writer = new NfTableWriter(family, _sets, _encoder, _batch);
        _tables = [.. TableNames.Select(static name => (new NfTable(name), new NfActual()))];
    }

    /// <summary>As iptables has them.</summary>
    public static IReadOnlyList<string> TableNames { get; } = ["raw", "mangle", "nat", "filter"];

    public IRuleTable Raw => _tables[0].Desired;

    public IRuleTable Mangle => _tables[1].Desired;

    public IRuleTable Nat => _tables[2].Desired;

    public IRuleTable Filter => _tables[3].Desired;

    public IIpSetFamily Sets => _sets;

    /// <summary>Reads of all our tables, transactions, and failures of either; read on scrape.</summary>
    public long Reads { get; private set; }

    public long Writes { get; private set; }

    public long Errors { get; private set; }

    public void QueueResync() => _inSync = false;

    public ApplyStatus ApplyUpdates()
    {
        string? failure = Look() ?? Write();
        if (failure is not null)
        {
            Errors++;
            _inSync = false; // Whatever happened, what we believe about the kernel may be wrong.
            Log.TablesNotWritten(_logger, _sets.Family, failure);
            return _backoff.Failed($"keep {_sets.Family} rules: {failure}");
        }

        _backoff.Succeeded();
        return ApplyStatus.DoneUntil(_refreshInterval > TimeSpan.Zero ? Longer(_refreshInterval - _time.GetElapsedTime(_lastLook), TimeSpan.Zero) : null);
    }

    /// <summary>Nothing is left: a transaction deletes what it no longer needs.</summary>
    public ApplyStatus ApplyDeletions() => ApplyStatus.Done;

    public IEnumerable<RuleHits> ReadHits()
    {
        List<RuleHits> hits = [];
        foreach ((NfTable desired, _) in _tables)
        {
            Dictionary<string, List<RuleCounter>> counters = new(StringComparer.Ordinal);
            NetlinkResult result = _socket.ReadCounters(desired.KernelName, counters);
            if (!result.IsSuccess && result.Errno != Errno.ENOENT)
            {
                throw new DataplaneException($"read the counters of {desired.KernelName}: {result}");
            }

            foreach ((string name, NfChain chain) in desired.Needed)
            {
                if (chain.Owner is { } owner && counters.TryGetValue(name, out List<RuleCounter>? found))
                {
                    Collect(owner, chain, found, hits);
                }
            }
        }

        return hits;
    }

    /// <summary>The kernel's rules stand in the order of ours; whatever is just being changed is left out.</summary>
    private void Collect(string owner, NfChain chain, List<RuleCounter> found, List<RuleHits> hits)
    {
        int at = 0;
        foreach (Rule rule in chain.Rules)
        {
            int end = at + _encoder.Count(rule);
            for (; at < end && at < found.Count; at++)
            {
                if (rule.CountsHits)
                {
                    hits.Add(new RuleHits(owner, rule.PolicyRule, found[at].Packets, found[at].Bytes));
                }
            }
        }
    }

    private static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private string? Look()
    {
        _inSync &= !_sets.TypeChanged;
        if (_inSync && _refreshInterval > TimeSpan.Zero && _time.GetElapsedTime(_lastLook) >= _refreshInterval)
        {
            NetlinkResult asked = _socket.Generation(out uint generation);
            if (!asked.IsSuccess)
            {
                return $"ask for the generation of nf_tables: {asked}";
            }

            _inSync = _commits.Explain(_generation, _commitsSeen, generation);
            _lastLook = _time.GetTimestamp();
        }

        if (_inSync)
        {
            return null;
        }

        Reads++;
        _commitsSeen = _commits.Count;
        NetlinkResult result = _reader.Read(_tables, out _generation);
        if (!result.IsSuccess)
        {
            return $"read our tables: {result}";
        }

        foreach ((_, NfActual actual) in _tables)
        {
            actual.MustBeRebuilt |= actual.IsPresent && _backoff.Failures >= FailuresBeforeRebuild;
        }

        // What the kernel's sets lack is known now, table by table.
        _sets.MarkWritten(all: true);
        (_inSync, _compareAll, _lastLook) = (true, true, _time.GetTimestamp());
        return null;
    }

    private string? Write()
    {
        foreach (string name in _sets.Dirty)
        {
            if (_sets.Find(name).ShapeChanged)
            {
                foreach ((NfTable desired, _) in _tables)
                {
                    desired.OnSetShapeChanged(name);
                }
            }
        }

        _batch.Clear();
        foreach ((NfTable desired, NfActual actual) in _tables)
        {
            _writer.Write(desired, actual, _compareAll);
        }

        if (_batch.Count > 0 && Commit() is { } failure)
        {
            return failure;
        }

        _compareAll = false;
        _sets.MarkWritten(all: false);
        foreach ((NfTable desired, _) in _tables)
        {
            desired.ClearDirty();
        }

        return null;
    }

    private string? Commit()
    {
        Writes++;
        int requests = _batch.Count;
        NetlinkResult result = _socket.Commit(_batch, out int failed);
        if (!result.IsSuccess)
        {
            return $"transaction of {requests} requests{(failed >= 0 ? $", refused at {_batch.Describe(failed)}" : string.Empty)}: {result}";
        }

        _commits.Add();
        Log.TablesWritten(_logger, _sets.Family, requests, _batch.Length);
        return null;
    }
}
