using Microsoft.Extensions.Logging;
using Weft.Dataplane.Rules.Model;
using Weft.Linux.Processes;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>
/// Keeps one table. Our chains (by name prefix) are owned whole; in the kernel's chains only rules that carry our hash, or that jump to our chains,
/// are touched. Reads by iptables-save, writes by one iptables-restore, and only when something differs.
/// <code>
///   SetChain/SetInserts/SetAppends --> desired --+
///                                                +--> difference --> RestoreScript --> iptables-restore
///   iptables-save --> SavedTable --> actual -----+                       success: actual = desired
/// </code>
/// </summary>
public sealed class RuleTable : IRuleTable, IReconciler
{
    // With delays of 1, 2, 4 ... 256 ms: half a second in all, longer than any other user holds the table.
    private const int Attempts = 10;

    private static readonly TimeSpan LongestPostWriteInterval = TimeSpan.FromHours(1);
    private static readonly TimeSpan ShortestPostWriteInterval = TimeSpan.FromMilliseconds(50);

    private readonly RuleTableSettings _settings;
    private readonly IpTablesTools _tools;
    private readonly IProcessRunner _runner;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly IpTablesText _text;
    private readonly RuleHasher _hasher;
    private readonly ChainSet _chains;

    private readonly Dictionary<string, HashedChain> _inserts = [];
    private readonly Dictionary<string, HashedChain> _appends = [];
    private readonly HashSet<string> _dirtyKernelChains = [];
    private readonly Dictionary<string, string[]> _dispatchChains = []; // by name of the dispatch

    // What the kernel holds as far as we know: of our chains the hashes, of the kernel's chains also the text of our rules.
    private Dictionary<string, List<SavedRule>> _actual = [];
    private bool _inSync;
    private bool _compareAll; // Since the last read; otherwise only what is dirty differs.
    private RetryBackoff _backoff = new(Attempts);
    private long _lastRead;
    private TimeSpan _postWriteInterval;
    private TimeSpan? _postWriteDue;
    private TimeSpan _slowestRun;

    public RuleTable(RuleTableSettings settings, IpTablesTools tools, IProcessRunner runner, TimeProvider time, ILogger<RuleTable> logger)
    {
        _settings = settings;
        _tools = tools;
        _runner = runner;
        _time = time;
        _logger = logger;
        _text = new IpTablesText(tools.Features);
        _hasher = new RuleHasher(_text);
        _chains = new ChainSet(settings.Name, _hasher);
    }

    public string Name => _settings.Name;

    /// <summary>Runs of iptables-save and of iptables-restore so far, and how many of them failed; read on scrape.</summary>
    public long Reads { get; private set; }

    public long Writes { get; private set; }

    public long Errors { get; private set; }

    public void SetChain(Chain chain)
    {
        if (!IsOwnChain(chain.Name))
        {
            throw new ArgumentException($"chain {chain.Name} has none of our prefixes: it would not be recognised after a restart", nameof(chain));
        }

        _chains.Set(chain);
    }

    public void RemoveChain(string name) => _chains.Remove(name);

    public void SetDispatch(Dispatch dispatch)
    {
        List<Chain> chains = DispatchTree.Of(dispatch);
        foreach (Chain chain in chains)
        {
            SetChain(chain);
        }

        string[] names = [.. chains.Select(static c => c.Name)];
        foreach (string gone in _dispatchChains.GetValueOrDefault(dispatch.Name, []).Except(names))
        {
            _chains.Remove(gone);
        }

        _dispatchChains[dispatch.Name] = names;
    }

    public void SetInserts(string kernelChain, ReadOnlySpan<Rule> rules) => SetHooks(_inserts, kernelChain, rules, _hasher.HashRules(kernelChain, rules));

    public void SetAppends(string kernelChain, ReadOnlySpan<Rule> rules) => SetHooks(_appends, kernelChain, rules, _hasher.HashAppends(kernelChain, rules));

    public void QueueResync() => _inSync = false;

    public ApplyStatus Apply()
    {
        if (ReadIsDue())
        {
            _inSync = false;
        }

        string? failure = _inSync ? null : Read();
        if (failure is null)
        {
            RestoreScript script = BuildScript();
            failure = script.IsEmpty ? null : Write(script);
        }

        if (failure is not null)
        {
            return Failed(failure);
        }

        _backoff.Succeeded();
        _compareAll = false;
        _chains.ClearDirty();
        _dirtyKernelChains.Clear();
        return ApplyStatus.DoneUntil(NextRead());
    }

    /// <summary>Counters of the rules of policies and profiles.</summary>
    /// <exception cref="DataplaneException">iptables-save failed.</exception>
    public IEnumerable<RuleHits> ReadHits()
    {
        ProcessResult result = _runner.Run(new ProcessRequest(_tools.SaveCommand, "-c", "-t", _settings.Name));
        if (!result.IsSuccess)
        {
            throw new DataplaneException($"{_tools.SaveCommand} -c -t {_settings.Name}: {result}");
        }

        Dictionary<string, int> places = [];
        List<RuleHits> hits = [];
        foreach (string line in result.OutputText.Split('\n'))
        {
            if (SavedCounter.TryParse(line, out SavedCounter counter) && _chains.IsNeeded(counter.Chain) && _chains.Get(counter.Chain) is { Owner: { } owner } chain)
            {
                int place = places.GetValueOrDefault(counter.Chain);
                places[counter.Chain] = place + 1;
                if (place < chain.Rules.Count && chain.Rules[place] is { CountsHits: true } rule)
                {
                    hits.Add(new RuleHits(owner, rule.PolicyRule, counter.Packets, counter.Bytes));
                }
            }
        }

        return hits;
    }

    private void SetHooks(Dictionary<string, HashedChain> hooks, string kernelChain, ReadOnlySpan<Rule> rules, string[] hashes)
    {
        HashedChain old = hooks.GetValueOrDefault(kernelChain, HashedChain.Empty);
        if (old.Hashes.AsSpan().SequenceEqual(hashes))
        {
            return;
        }

        hooks[kernelChain] = new HashedChain(rules.ToArray(), hashes);
        _chains.Retarget([.. old.Rules], rules);
        _dirtyKernelChains.Add(kernelChain);

        // Hooks change rarely, and others put rules into these chains: look before writing.
        _inSync = false;
    }

    private ApplyStatus Failed(string failure)
    {
        Errors++;
        _inSync = false; // Whatever happened, what we believe about the kernel may be wrong: read again before the next attempt.
        string what = $"keep {_tools.Family} table {_settings.Name}: {failure}";
        if (_settings.CleanupOnly)
        {
            Log.CleanupFailed(_logger, what);
            _actual = [];
            _inSync = true; // Until the next refresh.
            _compareAll = false;
            _lastRead = _time.GetTimestamp();
            return ApplyStatus.DoneUntil(_settings.RefreshInterval);
        }

        Log.TableNotWritten(_logger, _tools.Family, _settings.Name, failure);
        return _backoff.Failed(what);
    }

    // ---- reading

    private bool ReadIsDue()
    {
        TimeSpan age = _time.GetElapsedTime(_lastRead);
        return (_settings.RefreshInterval > TimeSpan.Zero && age >= _settings.RefreshInterval) || age >= _postWriteDue;
    }

    private TimeSpan? NextRead()
    {
        TimeSpan age = _time.GetElapsedTime(_lastRead);
        TimeSpan? due = _settings.RefreshInterval > TimeSpan.Zero ? _settings.RefreshInterval : null;
        if (_postWriteDue is { } check && (due is null || check < due))
        {
            due = check;
        }

        return due is { } at ? TimeSpan.FromTicks(Math.Max((at - age).Ticks, 0)) : null;
    }

    private string? Read()
    {
        Reads++;
        long started = _time.GetTimestamp();
        ProcessResult result = _runner.Run(new ProcessRequest(_tools.SaveCommand, "-t", _settings.Name));
        NoteDuration(started);
        if (!result.IsSuccess)
        {
            return $"{_tools.SaveCommand} -t {_settings.Name}: {result}";
        }

        if (SavedTable.Parse(result.Output, _settings) is not { } saved)
        {
            return $"{_tools.SaveCommand} -t {_settings.Name}: the table holds rules of another tool that these programs cannot show";
        }

        _actual = saved.Chains;
        _inSync = true;
        _lastRead = _time.GetTimestamp();

        // Looks after a write grow rarer, up to an hour; the next write starts over.
        _postWriteInterval = TimeSpan.FromTicks(Math.Min(_postWriteInterval.Ticks * 2, LongestPostWriteInterval.Ticks));
        _postWriteDue = _postWriteInterval > TimeSpan.Zero ? _postWriteInterval : null;
        MarkEverythingDirty();
        return null;
    }

    private void MarkEverythingDirty()
    {
        foreach (string chain in _actual.Keys.Concat(_inserts.Keys).Concat(_appends.Keys))
        {
            if (!IsOwnChain(chain))
            {
                _dirtyKernelChains.Add(chain);
            }
        }

        _compareAll = true;
    }

    // ---- difference

    private RestoreScript BuildScript()
    {
        RestoreScript script = new(_settings.Name, _text);
        IEnumerable<string> candidates = _compareAll
            ? _actual.Keys.Where(IsOwnChain).Concat(_chains.Needed).Distinct().Order(StringComparer.Ordinal)
            : _chains.Dirty.Order(StringComparer.Ordinal);
        foreach (string chain in candidates)
        {
            DiffOwnChain(script, chain);
        }

        // After the chains they jump to have been declared.
        foreach (string chain in _dirtyKernelChains.Order(StringComparer.Ordinal))
        {
            DiffKernelChain(script, chain);
        }

        return script;
    }

    private void DiffOwnChain(RestoreScript script, string name)
    {
        List<SavedRule>? actual = _actual.GetValueOrDefault(name);
        if (!_chains.IsNeeded(name))
        {
            if (actual is not null)
            {
                // Emptied first, so that chains that refer to one another can all be deleted.
                script.Declare(name);
                script.DeleteChain(name);
            }

            return;
        }

        if (!_chains.IsDefined(name))
        {
            Log.ChainMissing(_logger, _settings.Name, name);
        }

        HashedChain desired = _chains.Get(name);
        if (actual is not null && HashesEqual(actual, desired.Hashes))
        {
            return;
        }

        if (actual is null || _tools.Backend == IpTablesBackend.Nft)
        {
            // iptables-nft mixes up rule numbers within one transaction: the chain is written whole.
            script.Declare(name);
            actual = [];
        }

        for (int i = 0; i < Math.Max(actual.Count, desired.Hashes.Length); i++)
        {
            if (i >= actual.Count)
            {
                script.Append(name, desired.Hashes[i], desired.Rules[i]);
            }
            else if (i >= desired.Hashes.Length)
            {
                script.Delete(name, desired.Hashes.Length + 1); // The numbers move up after each deletion.
            }
            else if (actual[i].Hash != desired.Hashes[i])
            {
                script.Replace(name, i + 1, desired.Hashes[i], desired.Rules[i]);
            }
        }
    }

    private void DiffKernelChain(RestoreScript script, string name)
    {
        List<SavedRule> actual = _actual.GetValueOrDefault(name, []);
        HashedChain inserts = _inserts.GetValueOrDefault(name, HashedChain.Empty);
        HashedChain appends = _appends.GetValueOrDefault(name, HashedChain.Empty);
        int foreign = actual.Count(static rule => !rule.IsOurs);
        IEnumerable<string> others = Enumerable.Repeat(string.Empty, foreign);
        IEnumerable<string> expected = _settings.InsertMode == ChainInsertMode.Insert
            ? inserts.Hashes.Concat(others).Concat(appends.Hashes)
            : others.Concat(inserts.Hashes).Concat(appends.Hashes);
        if (actual.Select(static rule => rule.Hash).SequenceEqual(expected))
        {
            return;
        }

        foreach (SavedRule rule in actual.Where(static rule => rule.IsOurs))
        {
            script.DeleteByText(rule.Line);
        }

        if (_settings.InsertMode == ChainInsertMode.Insert)
        {
            for (int i = inserts.Hashes.Length - 1; i >= 0; i--)
            {
                script.Insert(name, inserts.Hashes[i], inserts.Rules[i]);
            }
        }
        else
        {
            AppendAll(script, name, inserts);
        }

        AppendAll(script, name, appends);
    }

    private static void AppendAll(RestoreScript script, string name, HashedChain rules)
    {
        for (int i = 0; i < rules.Hashes.Length; i++)
        {
            script.Append(name, rules.Hashes[i], rules.Rules[i]);
        }
    }

    private static bool HashesEqual(List<SavedRule> actual, string[] desired)
    {
        if (actual.Count != desired.Length)
        {
            return false;
        }

        for (int i = 0; i < desired.Length; i++)
        {
            if (actual[i].Hash != desired[i])
            {
                return false;
            }
        }

        return true;
    }

    private bool IsOwnChain(string name)
    {
        foreach (string prefix in _settings.OwnPrefixes)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    // ---- writing

    private string? Write(RestoreScript script)
    {
        Writes++;
        byte[] input = script.Finish(_tools.Backend);
        List<string> arguments = ["--noflush"];
        if (_tools.Features.RestoreLock)
        {
            arguments.AddRange(["--wait", $"{(int)_settings.LockTimeout.TotalSeconds}", "--wait-interval", $"{(long)_settings.LockProbeInterval.TotalMicroseconds}"]);
        }

        long started = _time.GetTimestamp();
        ProcessResult result = _runner.Run(new ProcessRequest(_tools.RestoreCommand, [.. arguments]) { Input = input });
        NoteDuration(started);
        if (!result.IsSuccess)
        {
            Log.RefusedInput(_logger, _settings.Name, System.Text.Encoding.UTF8.GetString(input));
            return $"{_tools.RestoreCommand} of {input.Length} bytes: {result}";
        }

        Log.TableWritten(_logger, _tools.Family, _settings.Name, input.Length);
        AdoptWritten();
        _postWriteInterval = Longest(_settings.PostWriteCheckInterval, ShortestPostWriteInterval, 2 * _slowestRun);
        _postWriteDue = _postWriteInterval + _time.GetElapsedTime(_lastRead);
        return null;
    }

    /// <summary>The transaction went through: what we know of the kernel is now what we wanted there.</summary>
    private void AdoptWritten()
    {
        foreach (string name in _compareAll ? [.. _actual.Keys.Where(IsOwnChain).Concat(_chains.Needed)] : _chains.Dirty)
        {
            if (!_chains.IsNeeded(name))
            {
                _actual.Remove(name);
                continue;
            }

            _actual[name] = [.. _chains.Get(name).Hashes.Select(static hash => new SavedRule(hash, string.Empty))];
        }

        foreach (string name in _dirtyKernelChains)
        {
            List<SavedRule> foreign = [.. _actual.GetValueOrDefault(name, []).Where(static rule => !rule.IsOurs)];
            List<SavedRule> inserts = Written(name, _inserts), appends = Written(name, _appends);
            _actual[name] = _settings.InsertMode == ChainInsertMode.Insert ? [.. inserts, .. foreign, .. appends] : [.. foreign, .. inserts, .. appends];
        }
    }

    private List<SavedRule> Written(string chain, Dictionary<string, HashedChain> hooks)
    {
        HashedChain rules = hooks.GetValueOrDefault(chain, HashedChain.Empty);
        return [.. rules.Hashes.Select((hash, i) => new SavedRule(hash, new RestoreScript(_settings.Name, _text).Line("-A", chain, 0, hash, rules.Rules[i])))];
    }

    private void NoteDuration(long started)
    {
        TimeSpan took = _time.GetElapsedTime(started);
        _slowestRun = took > _slowestRun ? took : _slowestRun;
    }

    private static TimeSpan Longest(params ReadOnlySpan<TimeSpan> spans)
    {
        TimeSpan longest = TimeSpan.Zero;
        foreach (TimeSpan span in spans)
        {
            longest = span > longest ? span : longest;
        }

        return longest;
    }
}
