using Weft.Datastore;
using Weft.Ipam.Blocks;
using Weft.Ipam.Pools;
using Weft.Ipam.Tunnels;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam.Checks;

/// <summary>
/// Everything the datastore says about addresses, compared: blocks against handles, affinities, pools and nodes, and allocations against who uses them. Read
/// at one revision, so nothing is found that was never so; but a request that is under way looks like a leak until it has ended, which is why findings are
/// looked for twice (<see cref="StillThere"/>).
/// </summary>
public sealed class IpamCheck
{
    private readonly List<IpamFinding> _findings = [];
    private readonly Dictionary<IpPrefix, AllocationBlock> _blocks;
    private readonly Dictionary<string, IpamHandle> _handles;
    private readonly Dictionary<string, Revision> _handleRevisions;
    private readonly HashSet<string> _nodes;
    private readonly AddressPool[] _pools;
    private readonly AddressUsers _users;

    private IpamCheck(ListResult list, DateTimeOffset now)
    {
        _blocks = list.Items.Where(i => i.Key is BlockKey).ToDictionary(i => ((BlockKey)i.Key).Cidr, i => i.As<AllocationBlock>());
        _handles = list.Items.Where(i => i.Key is HandleKey).ToDictionary(i => ((HandleKey)i.Key).HandleId, i => i.As<IpamHandle>(), StringComparer.Ordinal);
        _handleRevisions = list.Items.Where(i => i.Key is HandleKey).ToDictionary(i => ((HandleKey)i.Key).HandleId, i => i.Revision, StringComparer.Ordinal);
        _nodes = [.. list.Items.Select(i => i.Value).OfType<Node>().Select(n => n.Metadata.Name)];
        _pools = [.. list.Items.Select(i => i.Value).OfType<IPPool>().Select(AddressPool.From).OfType<AddressPool>()];
        _users = new AddressUsers(list.Items);
        ClusterInformation? cluster = list.Items.Select(i => i.Value).OfType<ClusterInformation>().FirstOrDefault();
        Cluster = cluster?.Spec ?? new ClusterInformationSpec();
        ClusterRevision = cluster?.Metadata.ResourceVersion ?? string.Empty;
        _findings.AddRange(list.Unreadable.Select(u => new IpamFinding(FindingKind.Unreadable, u.Key.Path, u.Reason, "correct or delete the value")));
        Held = [.. _blocks.OrderBy(b => b.Key).SelectMany(b => HeldIn(b.Key, b.Value))];
        CheckHeld();
        CheckUsed();
        CheckHandles();
        CheckBlocks(now);
        CheckAffinities(list);
    }

    /// <summary>Every address that is allocated, in order.</summary>
    public IReadOnlyList<HeldAddress> Held { get; }

    public IReadOnlyList<IpamFinding> Findings => _findings;

    public int Blocks => _blocks.Count;

    public int Handles => _handles.Count;

    public int Endpoints { get; private init; }

    /// <summary>"default", with what is not set left out.</summary>
    public ClusterInformationSpec Cluster { get; }

    /// <summary>Its revision: changes with the lock.</summary>
    public string ClusterRevision { get; }

    /// <summary>Handles that hold nothing, with their revisions.</summary>
    public IReadOnlyList<(string HandleId, Revision Revision)> EmptyHandles =>
        [.. _findings.Where(f => f is { Kind: FindingKind.EmptyHandle, IsProblem: true }).Select(f => (f.Subject, _handleRevisions[f.Subject]))];

    public static async ValueTask<IpamCheck> LoadAsync(IDatastore store, TimeProvider time, CancellationToken stop)
    {
        ListResult list = await store.ListAsync(
            [
                ModelPrefix.AllBlocks, ModelPrefix.Handles, ModelPrefix.AllAffinities(AffinityType.Host), ModelPrefix.AllAffinities(AffinityType.Virtual),
                ModelPrefix.Of(ResourceKind.IPPool), ModelPrefix.Of(ResourceKind.Node), ModelPrefix.Of(ResourceKind.WorkloadEndpoint), ModelPrefix.Of(ResourceKind.ClusterInformation),
            ],
            stop);
        return new IpamCheck(list, time.GetUtcNow()) { Endpoints = list.Items.Count(i => i.Value is WorkloadEndpoint) };
    }

    /// <summary>The findings that were there the first time too: those that were requests under way are gone.</summary>
    public IReadOnlyList<IpamFinding> StillThere(IpamCheck before)
    {
        HashSet<(FindingKind, string, ulong?)> known = [.. before._findings.Select(f => (f.Kind, f.Subject, f.SequenceNumber))];
        return [.. _findings.Where(f => known.Contains((f.Kind, f.Subject, f.SequenceNumber)))];
    }

    private IEnumerable<HeldAddress> HeldIn(IpPrefix cidr, AllocationBlock block)
    {
        if (block.Cidr != cidr.ToString())
        {
            yield break; // Whose addresses these are cannot be said; the block itself is a finding.
        }

        BlockOwner? owner = AllocationBlockRules.Owner(block);
        for (int ordinal = 0; ordinal < Math.Min(block.Allocations.Count, (long)UInt128.Min(cidr.Size, int.MaxValue)); ordinal++)
        {
            IpAddress address = cidr.Address.Add((UInt128)ordinal);
            if (AllocationBlockRules.AttributeOf(block, address) is not { ReleasedAt: null } attribute || AllocationBlockRules.IsWindowsReserved(attribute))
            {
                continue;
            }

            Dictionary<string, string> attributes = attribute.Secondary ?? [];
            yield return new HeldAddress(address, cidr, owner?.Name, AllocationBlockRules.Sanitise(attribute.HandleId), attributes, AllocationBlockRules.SequenceOf(block, address))
            {
                Users = [.. _users.Of(address).Select(u => u.Text)],
                IsLeaked = _users.Of(address).Count == 0 && CanJudge(attribute.HandleId, attributes),
            };
        }
    }

    /// <summary>Addresses of services are used by what this datastore does not hold.</summary>
    private static bool CanJudge(string? handle, IReadOnlyDictionary<string, string> attributes) =>
        !attributes.ContainsKey("service") && handle?.StartsWith("lb-", StringComparison.Ordinal) != true;

    private void CheckHeld()
    {
        foreach (HeldAddress held in Held)
        {
            if (held.IsLeaked)
            {
                _findings.Add(new IpamFinding(
                    FindingKind.Leaked, held.Address.ToString(), $"allocated to {Holder(held)}, but {WhyUnused(held)}",
                    $"weft ipam release --ip={held.Address}, or all leaks by a report (--output)") { SequenceNumber = held.SequenceNumber });
            }

            if (held.HandleId is not { Length: > 0 } handle)
            {
                continue;
            }

            if (!_handles.TryGetValue(handle, out IpamHandle? stored) || !stored.Block.ContainsKey(held.Block.ToString()))
            {
                _findings.Add(new IpamFinding(
                    FindingKind.MissingHandle, held.Address.ToString(),
                    stored is null ? $"its handle {handle} does not exist" : $"its handle {handle} does not name block {held.Block}",
                    $"a release by handle misses it: weft ipam release --ip={held.Address} when its user is gone") { SequenceNumber = held.SequenceNumber });
            }

            foreach (AddressUser user in _users.Of(held.Address))
            {
                bool fits = user.HandleId is { } tunnel ? tunnel == handle : user.ContainerId is not { Length: > 0 } container || handle.EndsWith($".{container}", StringComparison.Ordinal) || handle.Contains(".vmi.", StringComparison.Ordinal);
                if (!fits)
                {
                    _findings.Add(new IpamFinding(
                        FindingKind.ForeignHolder, held.Address.ToString(), $"used by {user.Text}, but allocated to {Holder(held)}",
                        $"when {handle} is released the address is handed out although it is used: delete and create {user.Text.Split(" on ")[0]} anew") { SequenceNumber = held.SequenceNumber });
                }
            }
        }
    }

    private string WhyUnused(HeldAddress held)
    {
        string? node = held.Attributes.GetValueOrDefault("node");
        string where = node is null ? string.Empty : _nodes.Contains(node) ? $" (node {node} exists)" : $", and node {node} does not exist";
        if (held.Attributes.GetValueOrDefault("type") is { } type)
        {
            TunnelKind? kind = TunnelKind.All.FirstOrDefault(k => k.Type == type);
            return node is not null && _nodes.Contains(node) ? $"Node {node} names another {kind?.Word ?? type} address or none" : $"no Node names it{where}";
        }

        return held.Attributes.GetValueOrDefault("pod") is { } pod
            ? $"no WorkloadEndpoint of {held.Attributes.GetValueOrDefault("namespace")}/{pod} or of anybody has it{where}"
            : $"no WorkloadEndpoint has it{where}";
    }

    private static string Holder(HeldAddress held)
    {
        string attributes = string.Join(", ", held.Attributes.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => $"{a.Key}={a.Value}"));
        return $"handle {(held.HandleId is { Length: > 0 } handle ? handle : "(none)")}{(attributes.Length > 0 ? $" ({attributes})" : string.Empty)}";
    }

    private void CheckUsed()
    {
        HashSet<IpAddress> held = [.. Held.Select(h => h.Address)];
        foreach ((IpAddress address, List<AddressUser> users) in _users.All)
        {
            string who = string.Join(" and ", users.Select(u => u.Text));
            if (users.Count > 1)
            {
                _findings.Add(new IpamFinding(FindingKind.Duplicate, address.ToString(), $"used by {who} at the same time", "delete and create all but one of them anew"));
            }

            if (held.Contains(address))
            {
                continue;
            }

            bool inPool = _pools.Any(p => p.Cidr.Contains(address));
            _findings.Add(inPool
                ? new IpamFinding(FindingKind.NotAllocated, address.ToString(), $"used by {who}, but no block has it as allocated", "it may be handed out to somebody else: delete and create its user anew")
                : new IpamFinding(FindingKind.OutsidePools, address.ToString(), $"used by {who}, but in no IPPool", "policy and NAT treat it as outside the cluster: add an IPPool (disabled, if nothing is to be assigned from it)"));
        }
    }

    private void CheckHandles()
    {
        Dictionary<(string, string), int> counts = [];
        foreach (HeldAddress held in Held)
        {
            (string, string) key = (held.HandleId ?? string.Empty, held.Block.ToString());
            counts[key] = counts.GetValueOrDefault(key) + 1;
        }

        foreach ((string id, IpamHandle handle) in _handles.OrderBy(h => h.Key, StringComparer.Ordinal))
        {
            (string Block, int Counted, int There)[] blocks = [.. handle.Block.Select(b => (b.Key, b.Value, counts.GetValueOrDefault((AllocationBlockRules.Sanitise(id)!, b.Key))))];
            if (blocks.All(b => b.There == 0))
            {
                _findings.Add(new IpamFinding(
                    FindingKind.EmptyHandle, id, $"counts {(blocks.Length == 0 ? "nothing" : string.Join(", ", blocks.Select(b => $"{b.Counted} in {b.Block}")))}, and no block holds an address of it",
                    "left by an allocation that was cut off, holds no address; a report (--output) releases it"));
            }
            else if (blocks.Any(b => b.Counted > b.There))
            {
                // Upstream counts what was asked for, not what was had (reference 3.7), so its data are full of these; a release by handle does not mind.
                _findings.Add(new IpamFinding(
                    FindingKind.EmptyHandle, id, $"counts more than it holds: {string.Join(", ", blocks.Where(b => b.Counted > b.There).Select(b => $"{b.Counted} in {b.Block}, which holds {b.There}"))}",
                    "harmless: a count is an upper bound") { IsProblem = false });
            }
        }
    }

    private void CheckBlocks(DateTimeOffset now)
    {
        foreach ((IpPrefix cidr, AllocationBlock block) in _blocks.OrderBy(b => b.Key))
        {
            _findings.AddRange(BlockInvariants.Broken(cidr, block, now).Select(b => new IpamFinding(FindingKind.InvalidBlock, cidr.ToString(), b, "release its addresses, then delete the block")));
            if (!_pools.Any(p => p.HoldsBlock(cidr)))
            {
                _findings.Add(new IpamFinding(
                    FindingKind.StrayBlock, cidr.ToString(), "in no IPPool", "nothing is assigned from it; it goes with its last address, or belongs to a pool to be created again") { IsProblem = false });
            }

            if (AllocationBlockRules.Owner(block) is { Type: AffinityType.Host } owner && !_nodes.Contains(owner.Name))
            {
                _findings.Add(new IpamFinding(
                    FindingKind.StrayBlock, cidr.ToString(), $"belongs to node {owner.Name}, which does not exist", "the controllers release it once its addresses are released; other nodes may borrow from it unless affinity is strict"));
            }

            IpPrefix[] overlapping = [.. _blocks.Keys.Where(o => o != cidr && o.Contains(cidr))];
            if (overlapping.Length > 0)
            {
                _findings.Add(new IpamFinding(FindingKind.InvalidBlock, cidr.ToString(), $"lies inside block {string.Join(", ", overlapping)}: an address may be handed out by both", "release the addresses of one, then delete it"));
            }
        }
    }

    private void CheckAffinities(ListResult list)
    {
        HashSet<(BlockOwner, IpPrefix)> known = [];
        foreach (KeyValue item in list.Items.Where(i => i.Key is BlockAffinityKey))
        {
            BlockAffinityKey key = (BlockAffinityKey)item.Key;
            BlockOwner owner = new(key.Type, key.Host);
            known.Add((owner, key.Cidr));
            BlockAffinityValue value = item.As<BlockAffinityValue>();
            bool confirmed = BlockClaims.IsConfirmed(value);
            string subject = $"{key.Cidr} of {owner}";
            if (!_blocks.TryGetValue(key.Cidr, out AllocationBlock? block))
            {
                _findings.Add(new IpamFinding(
                    FindingKind.Affinity, subject, $"affinity is {(confirmed ? "confirmed" : value.State)}, and there is no such block",
                    confirmed ? "its routes are announced for nothing; the node's next allocation there makes the block" : "left by a claim that was cut off; the next allocation completes or drops it") { IsProblem = confirmed });
            }
            else if (AllocationBlockRules.Owner(block) != owner)
            {
                _findings.Add(new IpamFinding(
                    FindingKind.Affinity, subject, $"affinity is {(confirmed ? "confirmed" : value.State)}, but the block belongs to {AllocationBlockRules.Owner(block)?.ToString() ?? "nobody"}",
                    confirmed ? "two nodes may announce it: the owner's next allocation drops it, or delete the affinity" : "left by a lost race; the next allocation drops it") { IsProblem = confirmed });
            }
            else if (!confirmed)
            {
                bool empty = AllocationBlockRules.IsEmpty(block);
                _findings.Add(new IpamFinding(
                    FindingKind.Affinity, subject, $"affinity is {value.State} although the block is there{(empty ? string.Empty : " and holds addresses: no route is announced for them")}",
                    "the node's next allocation from it completes it") { IsProblem = !empty });
            }
        }

        foreach ((IpPrefix cidr, AllocationBlock block) in _blocks.OrderBy(b => b.Key))
        {
            if (AllocationBlockRules.Owner(block) is { } owner && !known.Contains((owner, cidr)))
            {
                _findings.Add(new IpamFinding(
                    FindingKind.Affinity, $"{cidr} of {owner}", "the block says so, and there is no affinity: no route is announced for it", "the owner's next claim completes it"));
            }
        }
    }
}
