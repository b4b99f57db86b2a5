using Weft.Linux.Netlink;

namespace Weft.Dataplane.Drivers.Links;

/// <summary>
/// The links of the host as far as we know: written from the monitor's events and from dumps, read by the other drivers. Owned by one loop.
/// <code>
///   NetlinkMonitor --event--> loop --> OnLink ----+
///                                                 +--> by name --> RouteTable, NeighborTable, SysctlTable
///   lost events, refresh --> QueueResync/Apply ---+
/// </code>
/// </summary>
public sealed class LinkFacts : IReconciler
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    private readonly LinkRequests _requests;
    private readonly Dictionary<string, LinkInfo> _byName = [];
    private readonly Dictionary<int, string> _names = [];
    private readonly List<LinkInfo> _dump = [];
    private readonly HashSet<string> _changed = [];
    private bool _inSync;

    /// <param name="requests">Of a socket in the namespace that is looked at.</param>
    public LinkFacts(LinkRequests requests)
    {
        _requests = requests;
    }

    public IReadOnlyCollection<LinkInfo> All => _byName.Values;

    public LinkInfo? Find(string name) => _byName.GetValueOrDefault(name);

    public string? NameOf(int index) => _names.GetValueOrDefault(index);

    /// <summary>A notification of the kernel.</summary>
    /// <returns>False when it says nothing new.</returns>
    public bool OnLink(LinkInfo link, ChangeKind change)
    {
        if (change == ChangeKind.Removed)
        {
            // A link that moved away under its old name is removed after another took the name, so the index decides.
            if (_names.Remove(link.Index, out string? known) && _byName.TryGetValue(known, out LinkInfo? held) && held.Index == link.Index)
            {
                _byName.Remove(known);
                _changed.Add(known);
                return true;
            }

            return false;
        }

        if (_names.TryGetValue(link.Index, out string? oldName) && oldName != link.Name)
        {
            _byName.Remove(oldName);
            _changed.Add(oldName);
        }

        bool same = _byName.TryGetValue(link.Name, out LinkInfo? before) && before == link;
        _byName[link.Name] = link;
        _names[link.Index] = link.Name;
        if (!same)
        {
            _changed.Add(link.Name);
        }

        return !same;
    }

    public void QueueResync() => _inSync = false;

    /// <summary>Reads all links when asked to.</summary>
    public ApplyStatus Apply()
    {
        if (_inSync)
        {
            return ApplyStatus.Done;
        }

        if (!_requests.List(_dump).IsSuccess)
        {
            return ApplyStatus.RetryLater(RetryDelay);
        }

        HashSet<int> present = [.. _dump.Select(static link => link.Index)];
        foreach (LinkInfo gone in _byName.Values.Where(link => !present.Contains(link.Index)).ToArray())
        {
            OnLink(gone, ChangeKind.Removed);
        }

        foreach (LinkInfo link in _dump)
        {
            OnLink(link, ChangeKind.Present);
        }

        _inSync = true;
        return ApplyStatus.Done;
    }

    /// <summary>Names of links that came, went or changed since the last call; the caller tells the other drivers.</summary>
    public IReadOnlyList<string> TakeChanges()
    {
        if (_changed.Count == 0)
        {
            return [];
        }

        string[] changes = [.. _changed.Order(StringComparer.Ordinal)];
        _changed.Clear();
        return changes;
    }
}
