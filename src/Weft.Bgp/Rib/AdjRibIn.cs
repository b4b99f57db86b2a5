using System.Buffers.Binary;
using Weft.Bgp.Policies;
using Weft.Bgp.Wire;

namespace Weft.Bgp.Rib;

/// <summary>
/// Puts what peers say into the path table: loop checks, import policy, marks for the decision. What was received is kept beside what policy made of it, so a new
/// policy needs no help from the peer. Owned by one RIB loop.
/// </summary>
internal sealed class AdjRibIn
{
    private readonly RibTables _tables;
    private readonly LookAhead _ahead;

    public AdjRibIn(RibTables tables)
    {
        _tables = tables;
        _ahead = new LookAhead(tables);
    }

    /// <summary>Told of the ends and beginnings that stand between routes; set once when the RIB is put together.</summary>
    public PeerRestarts? Restarts { get; set; }

    /// <summary>Applies a batch of a peer whose session is up.</summary>
    public void Apply(UpdateBatch batch)
    {
        RibPeer peer = _tables.Peers.Owner(batch.Peer);
        AttributeId received = AttributeId.None;
        int receivedAt = -1;
        bool looped = false;
        _ahead.Begin();
        ReadOnlySpan<BatchRecord> records = batch.Records;
        for (int i = 0; i < records.Length; i++)
        {
            ref readonly BatchRecord record = ref records[i];
            ReadOnlySpan<byte> nlri = batch.Bytes.Slice(record.NlriAt, record.NlriLength);
            switch (record.Kind)
            {
                case BatchRecordKind.Announce:
                    if (record.AttributesAt != receivedAt)
                    {
                        ReadOnlySpan<byte> block = batch.Bytes.Slice(record.AttributesAt, record.AttributesLength);
                        _tables.Attributes.Release(received);
                        received = _tables.Attributes.Intern(block, record.Hash);
                        receivedAt = record.AttributesAt;
                        looped = IsLooped(peer, block);
                    }

                    var announced = new NlriReader(nlri, _tables.Family, batch.HasPathIds);
                    for (int at = 0; announced.MoveNext(); at = announced.Offset)
                    {
                        uint hash = _ahead.Next(batch, i, at);
                        Announce(peer, announced.Current, hash, announced.CurrentPathId, received, looped);
                    }

                    break;
                case BatchRecordKind.Withdraw:
                    var withdrawn = new NlriReader(nlri, _tables.Family, batch.HasPathIds);
                    for (int at = 0; withdrawn.MoveNext(); at = withdrawn.Offset)
                    {
                        uint hash = _ahead.Next(batch, i, at);
                        Withdraw(peer, withdrawn.Current, hash, withdrawn.CurrentPathId);
                    }

                    break;
                case BatchRecordKind.EndOfRib:
                    Restarts?.OnEndOfRib(peer);
                    break;
                case BatchRecordKind.BeginRefresh:
                    Restarts?.OnBeginRefresh(peer);
                    break;
                default:
                    Restarts?.OnEndRefresh(peer);
                    break;
            }
        }

        _tables.Attributes.Release(received);
    }

    /// <summary>Adds or replaces a route of our own.</summary>
    public void Originate(in PrefixKey key, ReadOnlySpan<byte> block)
    {
        AttributeId id = _tables.Attributes.Intern(block);
        Announce(_tables.Peers.Owner(PeerId.Local), in key, PrefixTable.Hash(in key), identifier: 0, id, looped: false);
        _tables.Attributes.Release(id);
    }

    public void WithdrawLocal(in PrefixKey key) => Withdraw(_tables.Peers.Owner(PeerId.Local), in key, PrefixTable.Hash(in key), identifier: 0);

    private void Announce(RibPeer peer, in PrefixKey key, uint hash, uint identifier, AttributeId received, bool looped)
    {
        PrefixId prefix = _tables.Prefixes.FindOrAdd(in key, hash);
        PathTable paths = _tables.Paths;
        bool added = peer.Prefixes.Set((uint)prefix);
        PathId path = added ? PathId.None : Find(prefix, peer, identifier);
        if (path == PathId.None)
        {
            // The first of the peer, or one more beside others (RFC 7911).
            added = true;
            ref PathId first = ref _tables.Prefixes.FirstPath(prefix);
            path = paths.Add(prefix, peer.Id, peer.Epochs.Current, first, identifier);
            first = path;
            peer.Received++;
            peer.Epochs.Add(peer.Epochs.Current);
        }
        else
        {
            Renew(peer, path);
            if (paths.Received(path) == received && !paths.SetMark(path, PathMarks.LongLived, on: false))
            {
                return;
            }

            CountAccepted(peer, path, -1);
        }

        _tables.Attributes.Acquire(received);
        ref AttributeId kept = ref paths.Received(path);
        _tables.Attributes.Release(kept);
        kept = received;
        paths.SetMark(path, PathMarks.Looped, looped);
        Import(peer, prefix, path, in key);
        if (added)
        {
            _tables.ReconsiderAdded(prefix);
        }
        else
        {
            _tables.Reconsider(prefix);
        }
    }

    /// <summary>The path is announced in this epoch.</summary>
    public void Renew(RibPeer peer, PathId path)
    {
        int epoch = _tables.Paths.Epoch(path);
        if (epoch != peer.Epochs.Current)
        {
            _tables.Paths.SetEpoch(path, peer.Epochs.Current);
            peer.Epochs.Remove(epoch);
            peer.Epochs.Add(peer.Epochs.Current);
        }
    }

    /// <summary>Runs import policy over a path and stores the outcome.</summary>
    private void Import(RibPeer peer, PrefixId prefix, PathId path, in PrefixKey key)
    {
        PathTable paths = _tables.Paths;
        AttributeId received = paths.Received(path);
        AttributeId imported = AttributeId.None;
        bool accepted = true;
        if (peer.Import is PolicyProgram program)
        {
            PolicyRoute route = PolicyViews.Of(_tables, in key, received, peer, peer.IsInternal);
            accepted = program.Evaluate(in route, out MatchedRules matched);
            if (accepted && matched.Count != 0)
            {
                imported = _tables.Attributes.Intern(program.Apply(in matched, route.Attributes, _tables.PolicyScratch.First, _tables.PolicyScratch.Second));
            }
        }

        if (imported == AttributeId.None)
        {
            imported = received;
            _tables.Attributes.Acquire(imported);
        }

        // RFC 8326 4: whoever leaves soon is the last choice. After policy, which must not lift it again.
        if ((_tables.Attributes.Facts(imported).Marks & AttributeMarks.GracefulShutdown) != 0 && !peer.IsInterior && peer.Settings.HonourGracefulShutdown)
        {
            imported = Edited(imported, RouteEdit.SetLocalPreference(0));
        }

        if (paths.Has(path, PathMarks.LongLived))
        {
            imported = Edited(imported, RouteEdit.AddCommunity(WellKnownCommunities.LongLivedStale));
        }

        ref AttributeId current = ref paths.Attributes(path);
        bool rejectionChanged = paths.SetMark(path, PathMarks.Rejected, !accepted);
        if (imported != current || rejectionChanged)
        {
            Touch(prefix, path, current, imported);
        }

        _tables.Attributes.Release(current);
        current = imported;
        CountAccepted(peer, path, +1);
    }

    /// <summary>Takes the caller's reference and gives one to the edited set.</summary>
    private AttributeId Edited(AttributeId id, in RouteEdit edit)
    {
        byte[] room = _tables.PolicyScratch.First;
        int length = AttributeRewriter.Apply(in edit, default, _tables.Attributes.Block(id), room);
        AttributeId edited = _tables.Attributes.Intern(room.AsSpan(0, length));
        _tables.Attributes.Release(id);
        return edited;
    }

    /// <summary>Tells the coming decision what a change in place would hide from it: the row looks the same, but its attributes do not.</summary>
    private void Touch(PrefixId prefix, PathId path, AttributeId before, AttributeId after)
    {
        ref PrefixMarks marks = ref _tables.Prefixes.Marks(prefix);
        if (_tables.Prefixes.BestPath(prefix) == path)
        {
            marks |= PrefixMarks.BestTouched;
        }

        if (_tables.Paths.Has(path, PathMarks.Multipath) && before != AttributeId.None)
        {
            ref readonly AttributeFacts old = ref _tables.Attributes.Facts(before);
            ref readonly AttributeFacts now = ref _tables.Attributes.Facts(after);
            if (old.NextHop != now.NextHop || old.LinkBandwidth != now.LinkBandwidth)
            {
                marks |= PrefixMarks.ForwardingTouched;
            }
        }
    }

    private void Withdraw(RibPeer peer, in PrefixKey key, uint hash, uint identifier)
    {
        PrefixId prefix = _tables.Prefixes.Find(in key, hash);
        if (prefix != PrefixId.None && peer.Prefixes[(uint)prefix] && Find(prefix, peer, identifier) is var path and not PathId.None)
        {
            Remove(peer, prefix, path);
        }
    }

    private void Remove(RibPeer peer, PrefixId prefix, PathId path)
    {
        PathTable paths = _tables.Paths;
        ref PathId link = ref _tables.Prefixes.FirstPath(prefix);
        while (link != path)
        {
            link = ref paths.Next(link);
        }

        link = paths.Next(path);
        ref PrefixMarks marks = ref _tables.Prefixes.Marks(prefix);
        if (_tables.Prefixes.BestPath(prefix) == path)
        {
            _tables.Prefixes.BestPath(prefix) = PathId.None;
            marks |= PrefixMarks.BestTouched | PrefixMarks.ForwardingTouched;
        }

        if (paths.Has(path, PathMarks.Multipath))
        {
            marks |= PrefixMarks.ForwardingTouched;
        }

        CountAccepted(peer, path, -1);
        if (!peer.HasPathIds || paths.Find(_tables.Prefixes.FirstPath(prefix), peer.Id) == PathId.None)
        {
            peer.Prefixes.Clear((uint)prefix);
        }

        peer.Received--;
        peer.Epochs.Remove(paths.Epoch(path));
        _tables.Attributes.Release(paths.Received(path));
        _tables.Attributes.Release(paths.Attributes(path));
        paths.Remove(path);
        _tables.Reconsider(prefix);
    }

    /// <summary>Looks at one row of the path table; rows nobody has are passed over.</summary>
    public void Sweep(in PathSweep sweep, PathId path)
    {
        PeerId owner = _tables.Paths.Peer(path);
        if (owner == PeerId.None)
        {
            return;
        }

        switch (sweep.Kind)
        {
            case SweepKind.Remove:
                RibPeer leaving = _tables.Peers.Owner(owner);
                if (PathEpochs.Has(leaving.Epochs.Removing, _tables.Paths.Epoch(path)))
                {
                    Remove(leaving, _tables.Paths.Prefix(path), path);
                }

                break;
            case SweepKind.NextHops:
                SweepNextHop(path, sweep.NextHops!);
                break;
            case SweepKind.Roas:
                SweepRoas(path, sweep.Roas!);
                break;
            case SweepKind.Import when owner == sweep.Peer:
                ImportAgain(_tables.Peers.Owner(owner), path);
                break;
            case SweepKind.LongLived when owner == sweep.Peer:
                KeepLong(_tables.Peers.Owner(owner), path);
                break;
            default:
                break;
        }
    }

    private void ImportAgain(RibPeer peer, PathId path)
    {
        PrefixId prefix = _tables.Paths.Prefix(path);
        CountAccepted(peer, path, -1);
        AttributeId received = _tables.Paths.Received(path);
        if (_tables.Paths.SetMark(path, PathMarks.Looped, IsLooped(peer, _tables.Attributes.Block(received))))
        {
            Touch(prefix, path, received, received);
        }

        Import(peer, prefix, path, _tables.Prefixes.Key(prefix));
        _tables.Reconsider(prefix);
    }

    /// <summary>RFC 9494 4.2: the restart time is over. What may not be kept longer goes now, the rest is marked for everybody to see.</summary>
    private void KeepLong(RibPeer peer, PathId path)
    {
        PathTable paths = _tables.Paths;
        if (peer.Phase != StalePhase.LongLived || !peer.IsStale(paths.Epoch(path)) || paths.Has(path, PathMarks.LongLived))
        {
            return;
        }

        PrefixId prefix = paths.Prefix(path);
        if ((_tables.Attributes.Facts(paths.Attributes(path)).Marks & AttributeMarks.NoLongLived) != 0)
        {
            Remove(peer, prefix, path);
            return;
        }

        paths.SetMark(path, PathMarks.LongLived, on: true);
        CountAccepted(peer, path, -1);
        Import(peer, prefix, path, _tables.Prefixes.Key(prefix));
        _tables.Reconsider(prefix);
    }

    /// <summary>Policies that ask for the state of a route the change covers are run again: import here, export where the prefix is told.</summary>
    private void SweepRoas(PathId path, RoaTable changed)
    {
        PrefixId prefix = _tables.Paths.Prefix(path);
        PrefixKey key = _tables.Prefixes.Key(prefix);
        if (!changed.Covers(key.ToPrefix(_tables.Family)))
        {
            return;
        }

        Reimport(_tables.Peers.Owner(_tables.Paths.Peer(path)), prefix, path, in key, static p => p.ReadsRpki);
        SurroundingsChanged?.Invoke(prefix, _tables.Prefixes.BestPath(prefix) == path);
    }

    /// <summary>
    /// Told of each path that is the same but whose RPKI state or link may have changed, and whether it is the best one; update groups whose policy asks for these look
    /// at it again.
    /// </summary>
    public Action<PrefixId, bool>? SurroundingsChanged { get; set; }

    private void Reimport(RibPeer peer, PrefixId prefix, PathId path, in PrefixKey key, Func<PolicyProgram, bool> concerns)
    {
        if (peer.Import is PolicyProgram program && concerns(program))
        {
            CountAccepted(peer, path, -1);
            Import(peer, prefix, path, in key);
            _tables.Reconsider(prefix);
        }
    }

    private void SweepNextHop(PathId path, Weft.Primitives.Collections.Bitmap changed)
    {
        PathTable paths = _tables.Paths;
        if (changed[(uint)_tables.Attributes.Facts(paths.Attributes(path)).NextHop])
        {
            PrefixId prefix = paths.Prefix(path);
            Reimport(_tables.Peers.Owner(paths.Peer(path)), prefix, path, _tables.Prefixes.Key(prefix), static p => p.ReadsInterface);
            SurroundingsChanged?.Invoke(prefix, _tables.Prefixes.BestPath(prefix) == path);

            _tables.Reconsider(prefix);
        }
    }

    private PathId Find(PrefixId prefix, RibPeer peer, uint identifier) => peer.HasPathIds
        ? _tables.Paths.Find(_tables.Prefixes.FirstPath(prefix), peer.Id, identifier)
        : _tables.Paths.Find(_tables.Prefixes.FirstPath(prefix), peer.Id);

    private void CountAccepted(RibPeer peer, PathId path, int change) =>
        peer.Accepted += (_tables.Paths.Marks(path) & (PathMarks.Rejected | PathMarks.Looped)) == 0 ? change : 0;

    private int TimesOfOwn(RibPeer peer, ReadOnlySpan<byte> path) => _tables.Confederation is not { Id: var id } ? AsPath.CountOf(path, peer.LocalAs)
        : AsPath.CountOf(path, _tables.Peers.Owner(PeerId.Local).LocalAs, id);

    /// <summary>RFC 4271 9.1.2 (own AS), RFC 4456 8 (own router id, own cluster), RFC 9234 5 (leaks, which bar a path like loops do).</summary>
    private bool IsLooped(RibPeer peer, ReadOnlySpan<byte> block)
    {
        var attributes = new CanonicalAttributes(block);
        while (attributes.MoveNext())
        {
            ReadOnlySpan<byte> value = attributes.Value;
            switch ((AttributeType)attributes.Type)
            {
                case AttributeType.AsPath when TimesOfOwn(peer, value) > peer.Settings.AllowedLocalAs:
                case AttributeType.OriginatorId when BinaryPrimitives.ReadUInt32BigEndian(value) == _tables.RouterId:
                case AttributeType.ClusterList when AttributeRewriter.Contains(value, peer.ClusterId):
                case AttributeType.OnlyToCustomer when peer.Role is BgpRole role && OnlyToCustomer.IsLeak(role, peer.RemoteAs, value):
                    return true;
                default:
                    break;
            }
        }

        return false;
    }
}
