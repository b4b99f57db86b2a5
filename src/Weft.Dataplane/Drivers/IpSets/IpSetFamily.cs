using Microsoft.Extensions.Logging;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.IpSets;

/// <summary>
/// The ip sets of one address family. Sets whose names start with "cali4" (or "cali6") are ours. Rules refer to sets, so the order within one
/// apply is: <see cref="ApplyUpdates"/>, then the rule tables, then <see cref="ApplyDeletions"/>. Called by one loop only.
/// </summary>
public sealed class IpSetFamily
{
    private const int LongestName = 31;
    private const int Attempts = 10;

    // Destroying a set makes the kernel wait for every packet in flight; a burst of deletions must not hold up updates.
    private const int DeletionsPerApply = 1;

    private static readonly TimeSpan NextDeletion = TimeSpan.FromMilliseconds(100);

    private readonly IpFamily _family;
    private readonly IIpSetKernel _kernel;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _refreshInterval;
    private readonly string[] _ownPrefixes;

    private readonly Dictionary<string, IpSetState> _sets = []; // by name in the kernel
    private readonly HashSet<string> _dirty = [];
    private readonly HashSet<string> _present = []; // ours in the kernel, as far as we know
    private readonly Queue<string> _deletions = [];
    private readonly HashSet<string> _undeletable = []; // failed; tried again after the next read
    private bool _inSync;
    private long _lastRead;
    private RetryBackoff _backoff = new(Attempts);

    /// <param name="refreshInterval">How often the kernel is read although nothing changed; zero for never.</param>
    public IpSetFamily(IpFamily family, IIpSetKernel kernel, TimeProvider time, ILogger<IpSetFamily> logger, TimeSpan? refreshInterval = null)
    {
        _family = family;
        _kernel = kernel;
        _time = time;
        _logger = logger;
        _refreshInterval = refreshInterval ?? TimeSpan.FromSeconds(90);
        _ownPrefixes = family == IpFamily.IPv6 ? ["cali6", "felix-6"] : ["cali4", "felix-4", "felix-masq-ipam-pools", "felix-all-ipam-pools"];
    }

    public IpFamily Family => _family;

    /// <summary>How many sets are desired; read on scrape.</summary>
    public int Count => _sets.Count;

    /// <summary>The set's name in the kernel: "cali40s:qMt7iLlGDhvLnCjM0l9nzxb".</summary>
    public static string NameOf(IpFamily family, string id)
    {
        string name = $"cali{(family == IpFamily.IPv6 ? '6' : '4')}0{id}";
        return name.Length <= LongestName ? name : name[..LongestName];
    }

    /// <inheritdoc cref="NameOf(IpFamily, string)"/>
    public string NameOf(string id) => NameOf(_family, id);

    /// <summary>Defines or replaces a set. Members of the other family are left out.</summary>
    public void AddOrReplace(IpSetMetadata metadata, IEnumerable<IpSetMember> members)
    {
        string name = NameOf(metadata.Id);
        if (!_sets.TryGetValue(name, out IpSetState? set))
        {
            // One that waits for deletion still has its old members, whichever they are: it is replaced whole.
            set = new IpSetState(name, metadata) { Shape = _present.Contains(name) ? IpSetShape.Wrong : IpSetShape.Missing };
            _sets.Add(name, set);
        }
        else if (set.Metadata != metadata)
        {
            set.Shape = set.Shape == IpSetShape.Missing ? IpSetShape.Missing : set.Metadata.Type == metadata.Type ? IpSetShape.Wrong : IpSetShape.WrongType;
            set.Metadata = metadata;
        }

        set.ReplaceAll(members.Where(m => m.Family == _family));
        _dirty.Add(name);
    }

    /// <exception cref="InvalidOperationException">The set is not defined.</exception>
    public void AddMembers(string id, IEnumerable<IpSetMember> members)
    {
        IpSetState set = Find(id);
        foreach (IpSetMember member in members.Where(m => m.Family == _family))
        {
            set.Add(member);
        }

        _dirty.Add(set.Name);
    }

    /// <inheritdoc cref="AddMembers"/>
    public void RemoveMembers(string id, IEnumerable<IpSetMember> members)
    {
        IpSetState set = Find(id);
        foreach (IpSetMember member in members.Where(m => m.Family == _family))
        {
            set.Remove(member);
        }

        _dirty.Add(set.Name);
    }

    public void Remove(string id)
    {
        string name = NameOf(id);
        if (_sets.Remove(name))
        {
            _dirty.Remove(name);
            _deletions.Enqueue(name);
        }
    }

    public void QueueResync() => _inSync = false;

    /// <summary>Creates sets and changes members; destroys nothing. To be called before the rule tables are written.</summary>
    /// <exception cref="DataplaneException">Writes kept failing.</exception>
    public ApplyStatus ApplyUpdates()
    {
        if (_refreshInterval > TimeSpan.Zero && _time.GetElapsedTime(_lastRead) >= _refreshInterval)
        {
            _inSync = false;
        }

        string? failure = (_inSync ? null : Read()) ?? Write();
        if (failure is not null)
        {
            _inSync = false;
            Log.SetsNotWritten(_logger, _family, failure);
            return _backoff.Failed($"keep {_family} sets: {failure}");
        }

        _backoff.Succeeded();
        return ApplyStatus.DoneUntil(_refreshInterval > TimeSpan.Zero ? _refreshInterval - _time.GetElapsedTime(_lastRead) : null);
    }

    /// <summary>Destroys sets that nothing needs any more, a few at a time. To be called after the rule tables have been written.</summary>
    public ApplyStatus ApplyDeletions()
    {
        for (int i = 0; i < DeletionsPerApply && _deletions.Count > 0;)
        {
            string name = _deletions.Dequeue();
            if (_sets.ContainsKey(name) || !_present.Contains(name) || _undeletable.Contains(name))
            {
                continue; // Wanted again, or gone, or queued twice.
            }

            i++;
            if (_kernel.Destroy(name) is { } failure)
            {
                // Somebody still refers to it; the next read brings it up again.
                _undeletable.Add(name);
                Log.SetNotDeleted(_logger, failure);
            }
            else
            {
                _present.Remove(name);
            }
        }

        return _deletions.Count > 0 ? ApplyStatus.DoneUntil(NextDeletion) : ApplyStatus.Done;
    }

    private IpSetState Find(string id) =>
        _sets.TryGetValue(NameOf(id), out IpSetState? set) ? set : throw new InvalidOperationException($"set {id} is not defined: its members cannot change");

    private string? Read()
    {
        List<KernelIpSet> actual = [];
        if (_kernel.ReadAll(actual) is { } failure)
        {
            return failure;
        }

        _present.Clear();
        _undeletable.Clear();
        _deletions.Clear();
        foreach (IpSetState set in _sets.Values)
        {
            set.Shape = IpSetShape.Missing;
        }

        foreach (KernelIpSet set in actual.Where(s => IsOurs(s.Name)))
        {
            _present.Add(set.Name);
            if (_sets.TryGetValue(set.Name, out IpSetState? desired))
            {
                desired.Compare(set, _family);
            }
            else
            {
                _deletions.Enqueue(set.Name);
            }
        }

        _dirty.UnionWith(_sets.Keys);
        _inSync = true;
        _lastRead = _time.GetTimestamp();
        return null;
    }

    private string? Write()
    {
        List<IpSetEdit> edits = [];
        HashSet<string> temporaries = [];
        foreach (string name in _dirty.Order(StringComparer.Ordinal))
        {
            IpSetState set = _sets[name];
            if (!set.IsDirty)
            {
                continue;
            }

            if (set.Shape == IpSetShape.WrongType)
            {
                if (_kernel.Destroy(name) is { } failure)
                {
                    return failure;
                }

                set.Shape = IpSetShape.Missing;
            }

            edits.Add(EditOf(set, temporaries));
        }

        if (edits.Count > 0)
        {
            if (_kernel.Write(edits) is { } failure)
            {
                return failure;
            }

            Log.SetsWritten(_logger, _family, edits.Count);
            Adopt(temporaries);
        }

        _dirty.Clear();
        return null;
    }

    private IpSetEdit EditOf(IpSetState set, HashSet<string> temporaries)
    {
        bool whole = set.Shape != IpSetShape.Right;
        bool swap = set.Shape == IpSetShape.Wrong;
        string name = set.Name;
        if (swap)
        {
            name = FreeTemporaryName(temporaries);
            temporaries.Add(name);
        }

        return new IpSetEdit
        {
            Name = name,
            Type = set.Metadata.Type,
            Family = _family,
            MaxElements = set.Metadata.MaxElements,
            Create = whole,
            Deletions = whole ? [] : set.ToDelete,
            Additions = whole ? set.KernelMembers : set.ToAdd,
            SwapWith = swap ? set.Name : null,
        };
    }

    private void Adopt(HashSet<string> temporaries)
    {
        foreach (string name in _dirty)
        {
            _sets[name].MarkWritten();
            _present.Add(name);
        }

        // After the swap the temporary names hold the old contents.
        foreach (string name in temporaries)
        {
            _present.Add(name);
            _deletions.Enqueue(name);
        }
    }

    private string FreeTemporaryName(HashSet<string> taken)
    {
        for (int i = 0; ; i++)
        {
            string name = $"cali{(_family == IpFamily.IPv6 ? '6' : '4')}t{i}";
            if (!_present.Contains(name) && !taken.Contains(name))
            {
                return name;
            }
        }
    }

    private bool IsOurs(string name)
    {
        foreach (string prefix in _ownPrefixes)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }
}
