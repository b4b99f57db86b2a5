using System.Numerics;
using Microsoft.Extensions.Logging;
using Weft.Linux;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.IpSets;

/// <summary>
/// The ip sets of one address family. Sets whose names start with "cali4" (or "cali6") are ours. Rules refer to sets, so the order within one
/// apply is: <see cref="ApplyUpdates"/>, then the rule tables, then <see cref="ApplyDeletions"/>. Called by one loop only.
/// </summary>
public sealed class IpSetFamily : IIpSetFamily
{
    private const int LongestName = 31;
    private const int Attempts = 10;

    // Destroying a set makes the kernel wait for every packet in flight; a burst of deletions must not hold up updates.
    private const int DeletionsPerApply = 1;

    private static readonly TimeSpan NextDeletion = TimeSpan.FromMilliseconds(100);

    private readonly IpFamily _family;
    private readonly IpSetSocket _kernel;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TimeSpan _refreshInterval;
    private readonly int _hashSize;
    private readonly string[] _ownPrefixes;

    private readonly Dictionary<string, IpSetState> _sets = []; // by name in the kernel
    private readonly HashSet<string> _dirty = [];
    private readonly HashSet<string> _present = []; // ours in the kernel, as far as we know
    private readonly Queue<string> _deletions = [];
    private readonly Dictionary<string, int> _tooLarge = []; // by id: how many members
    private readonly List<IpSetHeader> _headers = [];
    private readonly List<IpSetEntry> _members = [];
    private readonly HashSet<string> _undeletable = []; // failed; tried again after the next read
    private bool _inSync;
    private long _lastRead;
    private RetryBackoff _backoff = new(Attempts);

    /// <param name="refreshInterval">How often the kernel is read although nothing changed; zero for never.</param>
    /// <param name="hashSize">Buckets of a new set; 0 for as many as its first members need. The kernel doubles them by itself.</param>
    public IpSetFamily(IpFamily family, IpSetSocket kernel, TimeProvider time, ILogger<IpSetFamily> logger, TimeSpan? refreshInterval = null, int hashSize = 0)
    {
        _hashSize = hashSize;
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

    /// <summary>
    /// Sets, by id, with more members than the kernel would take. They are not written, so what the kernel has is old: rules that ask them must not be used.
    /// </summary>
    public IReadOnlyDictionary<string, int> TooLarge => _tooLarge;

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
        Changed(set);
    }

    /// <exception cref="InvalidOperationException">The set is not defined.</exception>
    public void AddMembers(string id, IEnumerable<IpSetMember> members)
    {
        IpSetState set = Find(id);
        foreach (IpSetMember member in members.Where(m => m.Family == _family))
        {
            set.Add(member);
        }

        Changed(set);
    }

    /// <inheritdoc cref="AddMembers"/>
    public void RemoveMembers(string id, IEnumerable<IpSetMember> members)
    {
        IpSetState set = Find(id);
        foreach (IpSetMember member in members.Where(m => m.Family == _family))
        {
            set.Remove(member);
        }

        Changed(set);
    }

    /// <summary>The set gets another largest size, its members stay.</summary>
    /// <inheritdoc cref="AddMembers"/>
    public void Resize(string id, int maxElements)
    {
        IpSetState set = Find(id);
        if (set.Metadata.MaxElements != maxElements)
        {
            set.Metadata = set.Metadata with { MaxElements = maxElements };
            set.Shape = set.Shape == IpSetShape.Right ? IpSetShape.Wrong : set.Shape;
            Changed(set);
        }
    }

    public void Remove(string id)
    {
        string name = NameOf(id);
        if (_sets.Remove(name))
        {
            _dirty.Remove(name);
            _tooLarge.Remove(id);
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
            NetlinkResult result = _kernel.Destroy(name);
            if (result.IsSuccess)
            {
                _present.Remove(name);
            }
            else
            {
                // Somebody still refers to it; the next read brings it up again.
                _undeletable.Add(name);
                Log.SetNotDeleted(_logger, name, result);
            }
        }

        return _deletions.Count > 0 ? ApplyStatus.DoneUntil(NextDeletion) : ApplyStatus.Done;
    }

    private void Changed(IpSetState set)
    {
        _dirty.Add(set.Name);
        set.RefusedByKernel = false;
        NoteSize(set);
    }

    private void NoteSize(IpSetState set)
    {
        string id = set.Metadata.Id;
        if (!set.IsTooLarge)
        {
            _tooLarge.Remove(id);
            return;
        }

        if (!_tooLarge.ContainsKey(id))
        {
            Log.SetTooLarge(_logger, set.Name, set.MemberCount, set.Metadata.MaxElements);
        }

        _tooLarge[id] = set.MemberCount;
    }

    private IpSetState Find(string id) =>
        _sets.TryGetValue(NameOf(id), out IpSetState? set) ? set : throw new InvalidOperationException($"set {id} is not defined: its members cannot change");

    private string? Read()
    {
        NetlinkResult result = _kernel.ListHeaders(_headers);
        if (!result.IsSuccess)
        {
            return $"list sets: {result}";
        }

        _present.Clear();
        _undeletable.Clear();
        _deletions.Clear();
        foreach (IpSetState set in _sets.Values)
        {
            set.Shape = IpSetShape.Missing;
        }

        foreach (IpSetHeader header in _headers.Where(s => IsOurs(s.Name)))
        {
            _present.Add(header.Name);
            if (!_sets.TryGetValue(header.Name, out IpSetState? desired))
            {
                _deletions.Enqueue(header.Name);
                continue;
            }

            desired.CompareForm(header, _family);
            if (desired.Shape == IpSetShape.Right)
            {
                result = _kernel.ListMembers(header.Name, _members);
                if (!result.IsSuccess)
                {
                    return $"list members of set {header.Name}: {result}";
                }

                desired.CompareMembers(_members);
            }
        }

        _members.Clear();
        _dirty.UnionWith(_sets.Keys);
        _inSync = true;
        _lastRead = _time.GetTimestamp();
        return null;
    }

    private string? Write()
    {
        int written = 0;
        string? failure = null;
        foreach (string name in _dirty.Order(StringComparer.Ordinal).ToArray())
        {
            IpSetState set = _sets[name];
            if (set.IsDirty && !set.IsTooLarge)
            {
                if (WriteSet(set) is { } problem)
                {
                    failure ??= problem;
                    continue;
                }

                set.MarkWritten();
                _present.Add(name);
                written++;
            }

            // One that is too large comes back with its next change.
            _dirty.Remove(name);
        }

        if (written > 0)
        {
            Log.SetsWritten(_logger, _family, written);
        }

        return failure;
    }

    /// <returns>Null on success. Not a transaction: after a failure the kernel must be read again.</returns>
    private string? WriteSet(IpSetState set)
    {
        if (set.Shape == IpSetShape.Right)
        {
            // Deletions first: a full set has no room for more.
            IpSetHeader header = set.Header(set.Name, _family, _hashSize);
            return Failure("remove members from", set.Name, _kernel.Remove(header, Entries(set.ToDelete)))
                ?? Failure("add members to", set.Name, Add(set, header, set.ToAdd));
        }

        if (set.Shape == IpSetShape.WrongType && Failure("destroy", set.Name, _kernel.Destroy(set.Name)) is { } inUse)
        {
            return inUse;
        }

        bool swap = set.Shape == IpSetShape.Wrong;
        string name = swap ? FreeTemporaryName() : set.Name;
        IReadOnlyCollection<IpSetMember> members = set.KernelMembers;
        IpSetHeader created = set.Header(name, _family, _hashSize > 0 ? _hashSize : HashSizeFor(members.Count));
        string? failure = Failure("create", name, _kernel.Create(created)) ?? Failure("add members to", name, Add(set, created, members));
        if (!swap)
        {
            return failure;
        }

        // Whether filled, half filled or swapped, the temporary name is not wanted any more.
        _present.Add(name);
        _deletions.Enqueue(name);
        return failure ?? Failure("swap in", set.Name, _kernel.Swap(name, set.Name));
    }

    private NetlinkResult Add(IpSetState set, IpSetHeader header, IReadOnlyCollection<IpSetMember> members)
    {
        NetlinkResult result = _kernel.Add(header, Entries(members));
        if (result.Errno == Errno.IPSET_ERR_HASH_FULL)
        {
            set.RefusedByKernel = true;
            NoteSize(set);
        }

        return result;
    }

    private static string? Failure(string tried, string name, NetlinkResult result) => result.IsSuccess ? null : $"{tried} set {name}: {result}";

    private static IpSetEntry[] Entries(IReadOnlyCollection<IpSetMember> members) => [.. members.Select(static m => new IpSetEntry(m.Prefix, m.Protocol, m.Port))];

    /// <summary>The kernel's 1024, or for many members so many that its buckets of 12 are about half full: then it need not double on the way.</summary>
    private static int HashSizeFor(int members) => members <= 4096 ? 0 : (int)BitOperations.RoundUpToPowerOf2((uint)members / 6);

    private string FreeTemporaryName()
    {
        for (int i = 0; ; i++)
        {
            string name = $"cali{(_family == IpFamily.IPv6 ? '6' : '4')}t{i}";
            if (!_present.Contains(name))
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
