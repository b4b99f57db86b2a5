using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Weft.Bgp.Export;
using Weft.Bgp.Policies;
using Weft.Bgp.Session;
using Weft.Bgp.Wire;
using Weft.Hosting.Loops;
using Weft.Primitives.Collections;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>A batch of updates, or something rarer to do on the loop; neither: just look whether work is left.</summary>
internal readonly record struct RibMessage(UpdateBatch? Batch, Action? Call);

/// <summary>
/// The one writer of one family's RIB. Takes batches (bounded channel: when it is full the receivers stop reading and TCP slows the peers), then decides, tells
/// listeners and encodes, in slices of a few milliseconds so that no message waits long and the thread is given back between them.
/// </summary>
internal sealed class RibLoop : ILoopBody<RibMessage>
{
    private const int ChannelCapacity = 64;
    private const int MessagesPerBatch = 8;
    private const int DecideLimit = 1024;
    private const int TellLimit = 512;

    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(4);

    private static readonly TimeSpan YieldAfter = TimeSpan.FromMilliseconds(2);

    private readonly SpeakerOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly UpdateBatchPool _batches;
    private readonly Loop<RibMessage> _loop;
    private readonly AdjRibIn _in;
    private readonly AdjRibOut _out;
    private readonly Decision _decision;
    private readonly LocRib _loc;
    private readonly Sweeps _sweeps;
    private readonly PeerRestarts _restarts;
    private readonly SelectionDeferral _deferral;
    private readonly ITimer _timer;
    private readonly long _sliceTicks;
    private readonly long _yieldTicks;
    private long _yieldedAt;

    /// <summary>Prefixes still to decide since a deferral ended: no End-of-RIB before. Counted, because under load there may always be some.</summary>
    private int _firstSelection;

    public RibLoop(IpFamily family, SpeakerOptions options, INextHopResolver resolver, UpdateBatchPool batches, EncodedBlockPool blocks, TimeProvider time, ILogger logger)
    {
        Family = family;
        _options = options;
        _time = time;
        _logger = logger;
        _batches = batches;
        Tables = new RibTables(family, options, resolver);
        _in = new AdjRibIn(Tables);
        _decision = new Decision(Tables, options.MaximumPaths);
        _out = new AdjRibOut(Tables, blocks, _decision, time);
        _in.SurroundingsChanged = _out.OnSurroundingsChanged;
        _sweeps = new Sweeps(Tables, _in, _out);
        _restarts = new PeerRestarts(family, Tables, _sweeps, time, logger);
        _in.Restarts = _restarts;
        _deferral = new SelectionDeferral(family, options, Tables.Peers, time);
        _loc = new LocRib(Tables, _decision, _out, options.MaximumPaths > 1);
        _loop = new Loop<RibMessage>(this, ChannelCapacity, MessagesPerBatch);
        _sliceTicks = (long)(Slice.TotalSeconds * time.TimestampFrequency);
        _yieldTicks = (long)(YieldAfter.TotalSeconds * time.TimestampFrequency);
        _timer = time.CreateTimer(static loop => ((RibLoop)loop!).Wake(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public IpFamily Family { get; }

    public RibTables Tables { get; }

    public AdjRibOut Export => _out;

    public int LocRibCount => _loc.Count;

    /// <summary>We restarted and have not selected routes yet (RFC 4724 4.1). May be read by anyone.</summary>
    public bool IsDeferring => _deferral.IsActive;

    public async Task RunAsync(CancellationToken stop)
    {
        await using ITimer timer = _timer;
        await _loop.RunAsync(stop);
    }

    /// <summary>Takes the batch: the loop returns it to the pool.</summary>
    public ValueTask PostAsync(UpdateBatch batch, CancellationToken stop) => _loop.PostAsync(new RibMessage(batch, null), stop);

    /// <summary>Runs something on the loop, in order with the batches posted before.</summary>
    public ValueTask PostAsync(Action call, CancellationToken stop) => _loop.PostAsync(new RibMessage(null, call), stop);

    /// <summary>Makes the loop look for work. A full channel needs no wake.</summary>
    public void Wake() => _loop.TryPost(default);

    public void OnMessage(in RibMessage message)
    {
        if (message.Batch is UpdateBatch batch)
        {
            // A batch of a session whose peer was removed meanwhile has nowhere to go.
            if (Tables.Peers[batch.Peer] is { Session: not null } peer)
            {
                Take(batch, peer);
            }

            _batches.Return(batch);
        }
        else
        {
            message.Call?.Invoke();
        }
    }

    private void Take(UpdateBatch batch, RibPeer peer)
    {
        if (peer.LimitState == PrefixLimitState.Ending)
        {
            // Asked again: the session loop may have been too busy to hear it.
            peer.LimitExceeded?.Invoke();
            return;
        }

        _in.Apply(batch);
        AfterBatch(peer);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask OnBatchEndAsync(CancellationToken stop)
    {
        bool more = WorkSlice();
        if (more)
        {
            Wake();
        }
        else
        {
            ArmTimer();
        }

        // The loop never runs dry under load: without this it would keep a thread of the pool from the sessions. Not after every batch: a yield wakes a thread.
        if (_time.GetTimestamp() - _yieldedAt > _yieldTicks)
        {
            await Task.Yield();
            _yieldedAt = _time.GetTimestamp();
        }
    }

    /// <summary>Works for at most a slice. True when work is left.</summary>
    internal bool WorkSlice()
    {
        long start = _time.GetTimestamp();
        bool more;
        _restarts.OnTime(start);
        bool selects = !_deferral.IsActive || EndsDeferral(start);
        do
        {
            more = _sweeps.Run();
            if (selects)
            {
                bool undecided = _loc.DecideDirty(DecideLimit);
                _firstSelection = undecided ? Math.Max(0, _firstSelection - DecideLimit) : 0;
                more |= undecided | _loc.TellListeners(TellLimit) | _out.Flush(start + _sliceTicks, complete: _firstSelection == 0);
            }
        }
        while (more && _time.GetTimestamp() - start < _sliceTicks);

        _loc.EndBatch();
        return more;
    }

    private bool EndsDeferral(long now)
    {
        ImmutableArray<string> awaited = _deferral.Awaited(now);
        if (!_deferral.TryEnd(now))
        {
            return false;
        }

        _firstSelection = Tables.Prefixes.Count;
        Log.SelectionBegins(_logger, Family, Tables.Prefixes.Count, awaited.IsEmpty ? "every neighbour has told its routes" : $"time is up, without {string.Join(", ", awaited)}");
        return true;
    }

    private void AfterBatch(RibPeer peer)
    {
        if (peer.Settings.PrefixLimit is PrefixLimit limit)
        {
            CheckLimit(peer, limit);
        }
    }

    /// <summary>Each threshold is told once; again only after the peer has withdrawn a twentieth of its limit below it.</summary>
    private void CheckLimit(RibPeer peer, PrefixLimit limit)
    {
        int most = limit.Of(Family);
        if (most == 0 || peer.Session is null)
        {
            peer.LimitState = PrefixLimitState.Below;
            return;
        }

        long warning = limit.Warning == 0 ? long.MaxValue : (long)most * limit.Warning / 100;
        int slack = most / 20;
        if (peer.Received > most)
        {
            if (limit.Action != PrefixLimitAction.Warn)
            {
                peer.LimitState = PrefixLimitState.Ending;
                peer.LimitExceeded?.Invoke();
            }
            else if (peer.LimitState != PrefixLimitState.Exceeded)
            {
                peer.LimitState = PrefixLimitState.Exceeded;
                Log.PrefixLimitPassed(_logger, peer.Settings.Name, Family, peer.Received, most);
            }
        }
        else if (peer.LimitState == PrefixLimitState.Below && peer.Received >= warning)
        {
            peer.LimitState = PrefixLimitState.Warned;
            Log.PrefixWarning(_logger, peer.Settings.Name, Family, peer.Received, most);
        }
        else if (peer.LimitState == PrefixLimitState.Exceeded && peer.Received < most - slack)
        {
            peer.LimitState = peer.Received >= warning ? PrefixLimitState.Warned : PrefixLimitState.Below;
        }
        else if (peer.LimitState == PrefixLimitState.Warned && peer.Received < warning - slack)
        {
            peer.LimitState = PrefixLimitState.Below;
        }
    }

    /// <summary>The peer is configured: it may own paths from now on.</summary>
    public void AddPeer(PeerId id, PeerSettings settings) => Tables.Peers.Set(id, new RibPeer(id, settings)
    {
        LocalAs = LocalAs(settings),
        IsInConfederation = _options.Confederation is not null,
        ClusterId = RibPeer.Number(settings.ClusterId.IsIPv4 ? settings.ClusterId : _options.ClusterId.IsIPv4 ? _options.ClusterId : _options.RouterId),
    });

    /// <summary>New settings without a new session: policies take effect on what is here already.</summary>
    public void UpdatePeer(PeerId id, PeerSettings settings)
    {
        RibPeer peer = Tables.Peers.Owner(id);
        RoutePolicy? import = MissingPolicy.ImportOf(peer);
        bool loopsChanged = peer.Settings.AllowedLocalAs != settings.AllowedLocalAs;
        bool clientChanged = peer.Settings.RouteReflectorClient != settings.RouteReflectorClient;
        bool weightChanged = peer.Settings.MultipathWeight != settings.MultipathWeight;
        peer.Settings = settings;
        bool importChanged = !Equals(import, MissingPolicy.ImportOf(peer));
        peer.ClusterId = RibPeer.Number(settings.ClusterId.IsIPv4 ? settings.ClusterId : _options.ClusterId.IsIPv4 ? _options.ClusterId : _options.RouterId);
        if (importChanged)
        {
            peer.Import = CompileImport(peer);
        }

        if (settings.PrefixLimit is PrefixLimit limit)
        {
            CheckLimit(peer, limit);
        }

        if (weightChanged)
        {
            ForwardAgain(peer);
        }

        if (importChanged || loopsChanged)
        {
            _sweeps.Add(SweepKind.Import, id);
        }

        if (clientChanged)
        {
            // Who may hear of its routes is another set now (RFC 4456 6).
            _sweeps.Add(SweepKind.Export, id);
        }

        if (peer is { Member: GroupMember member, Session: NegotiatedSession session })
        {
            ExportProfile profile = ExportProfile.For(peer, session, Family, _options.DefaultLocalPreference);
            if (member.Group is null || !member.Group.Profile.Equals(profile))
            {
                _out.Refresh(member, profile);
            }
        }
    }

    /// <summary>The peer is no longer configured. Completes when its routes are gone and its id may be given to another.</summary>
    public Task RemovePeer(PeerId id)
    {
        RibPeer peer = Tables.Peers.Owner(id);
        peer.Session = null;
        LeaveGroup(peer);
        return _restarts.Remove(peer);
    }

    /// <summary>The session is up in this family.</summary>
    public void PeerUp(PeerId id, NegotiatedSession session, IBlockSink sink, Action limitExceeded)
    {
        if (Tables.Peers[id] is not { Leaving: null } peer)
        {
            return;
        }

        LeaveGroup(peer);
        peer.Session = session;
        peer.IsInternal = session.IsInternal;
        peer.IsInterior = session.IsInternal || session.IsConfederation;
        peer.RouterId = RibPeer.Number(session.RemoteRouterId);
        peer.LocalAs = session.LocalAs;
        peer.RemoteAs = session.RemoteAs;
        peer.Import = CompileImport(peer); // What is required of it depends on what kind of session it is.
        peer.Role = session.LocalRole;
        peer.HasPathIds = (peer.HasPathIds && peer.Received != 0) || (session.AddPathReceive & (Family == IpFamily.IPv4 ? AddressFamilies.IPv4 : AddressFamilies.IPv6)) != 0;
        peer.LimitExceeded = limitExceeded;
        peer.LimitState = PrefixLimitState.Below;
        peer.HasBeenUp = true;
        _restarts.OnUp(peer, session);
        peer.Member = new GroupMember(id, sink, Wake) { TellsRefresh = session.EnhancedRouteRefresh };
        _out.Join(peer.Member, ExportProfile.For(peer, session, Family, _options.DefaultLocalPreference));
    }

    /// <summary>The session is up, but without this family.</summary>
    public void PeerUpWithout(PeerId id)
    {
        if (Tables.Peers[id] is { Leaving: null } peer)
        {
            peer.HasBeenUp = true;
            _restarts.OnUpWithout(peer);
        }
    }

    /// <summary>All neighbours there are have been added: after our own restart, there is nobody else to wait for.</summary>
    public void PeersComplete() => _deferral.KnowsAllPeers = true;

    /// <summary>The session ended.</summary>
    /// <param name="keep">RFC 4724: keep its routes, stale, for as long as it asked for.</param>
    public void PeerDown(PeerId id, NegotiatedSession session, bool keep)
    {
        if (Tables.Peers[id] is not RibPeer peer || !ReferenceEquals(peer.Session, session))
        {
            return;
        }

        peer.Session = null;
        LeaveGroup(peer);
        _restarts.OnDown(peer, session, keep);
    }

    /// <summary>ROUTE-REFRESH came.</summary>
    public void RefreshPeer(PeerId id)
    {
        if (Tables.Peers[id] is { Member: { Group: UpdateGroup group } member })
        {
            _out.Refresh(member, group.Profile);
        }
    }

    public void Originate(IpPrefix prefix, byte[] block) => _in.Originate(PrefixKey.From(prefix), block);

    public void WithdrawLocal(IpPrefix prefix) => _in.WithdrawLocal(PrefixKey.From(prefix));

    public void Subscribe(IRibListener listener) => _loc.Subscribe(listener);

    public void Unsubscribe(IRibListener listener) => _loc.Unsubscribe(listener);

    public void ResolveNextHops()
    {
        var changed = new Bitmap();
        Tables.NextHops.ResolveAgain(changed);
        if (!changed.IsEmpty)
        {
            _sweeps.Add(new PathSweep { Kind = SweepKind.NextHops, NextHops = changed });
        }
    }

    /// <summary>The forwarding table hears again of every prefix that shares its traffic among several next hops, this peer's among them.</summary>
    private void ForwardAgain(RibPeer peer)
    {
        for (uint id = 1; peer.Prefixes.TryNext(id, out id); id++)
        {
            ref PrefixMarks marks = ref Tables.Prefixes.Marks((PrefixId)id);
            if ((marks & PrefixMarks.HasMultipath) != 0)
            {
                marks |= PrefixMarks.ForwardingTouched;
                Tables.Reconsider((PrefixId)id);
            }
        }
    }

    /// <summary>Decides everything again with another number of paths that may share the traffic.</summary>
    public void SetMaximumPaths(int value)
    {
        _decision.SetMaximumPaths(value);
        if (value > 1)
        {
            _loc.AllowMultipath();
        }

        _sweeps.Add(new PathSweep { Kind = SweepKind.Decide });
    }

    /// <summary>Import policy again over what is here (RFC 4271 9.1.1): the operator's soft reset in.</summary>
    public void ImportAgain(PeerId id)
    {
        if (Tables.Peers[id] is not null)
        {
            _sweeps.Add(SweepKind.Import, id);
        }
    }

    /// <summary>Another table of authorizations: what it changes for the routes here is worked off in slices.</summary>
    /// <param name="changed">Authorizations that came or went; worked out beforehand, for it takes long.</param>
    public void UseRoas(RoaTable roas, RoaTable changed)
    {
        Tables.Roas = roas;
        if (changed.Count != 0)
        {
            _sweeps.Add(new PathSweep { Kind = SweepKind.Roas, Roas = changed });
        }
    }

    public ImmutableArray<RouteExplanation> Explain(IpPrefix prefix, PeerId from, PeerId to) => RouteExplanations.Run(Tables, _decision, prefix, from, to);

    /// <summary>True while routes of a peer without a session wait for its return (RFC 4724, RFC 9494).</summary>
    public bool KeepsRoutes(PeerId id) => Tables.Peers[id] is { Session: null, Epochs.StalePaths: > 0 };

    public PeerFamilySnapshot? Describe(PeerId id) => Tables.Peers[id] is not RibPeer peer ? null : new PeerFamilySnapshot(
        Family, peer.Received, peer.Accepted, RouteQueries.CountAdvertised(Tables, peer.Member), peer.EndOfRibReceived, peer.Member is { EndOfRibDue: false })
    {
        LimitExceeded = peer.LimitState >= PrefixLimitState.Exceeded,
        Stale = peer.Epochs.StalePaths,
        StalePhase = peer.Phase,
        StaleFor = Remaining(peer.StaleUntil),
        Unrefreshed = peer.Epochs.UnrefreshedPaths,
        RefreshFor = Remaining(peer.RefreshUntil),
        UpdateGroup = peer.Member?.Group is { } group ? _out.Groups.TakeWhile(g => !ReferenceEquals(g, group)).Count() + 1 : 0,
        UpdateGroupMembers = peer.Member?.Group?.Output.Members.Count ?? 0,
        Pending = peer.Member?.Group?.Pending.Count ?? 0,
        BlocksUnderWay = peer.Member?.UnderWay ?? 0,
    };

    public SelectionSnapshot DescribeSelection() =>
        new(Family, _deferral.IsActive, !_deferral.IsActive && _firstSelection == 0, _deferral.Awaited(_time.GetTimestamp()));

    public RibMemory DescribeMemory() => new(
        Family, Tables.Prefixes.Count, Tables.Prefixes.Reserved, Tables.Paths.Count, Tables.Paths.Reserved, Tables.Attributes.Count, Tables.Attributes.Reserved,
        Tables.NextHops.Count, _out.Groups.Count, _out.Groups.Sum(g => g.Sent.Reserved + g.Pending.Reserved + g.SourceMoved.Reserved + (g.Paths?.Sent.Reserved ?? 0)));

    /// <summary>One page of an answer.</summary>
    /// <param name="cursor">0 at first; 0 again when nothing is left.</param>
    public ImmutableArray<RouteSnapshot> Query(RouteQuery query, PeerId from, PeerId advertisedTo, ref uint cursor) =>
        RouteQueries.Page(Tables, _decision, query, from, advertisedTo, ref cursor);

    private uint LocalAs(PeerSettings settings) => settings.LocalAs != 0 ? settings.LocalAs : _options.LocalAsTowards(settings.RemoteAs);

    private static PolicyProgram? CompileImport(RibPeer peer) => PolicyProgram.Compile(
        MissingPolicy.ImportOf(peer), new PolicyContext(peer.LocalAs, peer.Settings.Address, peer.IsInConfederation && peer.IsInterior));

    private TimeSpan? Remaining(long until) => until == 0 ? null : TimeSpan.FromSeconds(Math.Max(0, until - _time.GetTimestamp()) / (double)_time.TimestampFrequency);

    private void LeaveGroup(RibPeer peer)
    {
        if (peer.Member is GroupMember member)
        {
            peer.Member = null;
            _out.Leave(member);
        }
    }

    private void ArmTimer()
    {
        long now = _time.GetTimestamp();
        long next = _deferral.IsActive ? long.MaxValue : _out.NextDeadline(now, _time.TimestampFrequency);
        next = Math.Min(next, Math.Min(_restarts.NextDue, _deferral.NextDue(now)));
        if (next != long.MaxValue)
        {
            // A millisecond late rather than early: nothing would be due yet.
            var due = TimeSpan.FromSeconds(Math.Max(0, next - now) / (double)_time.TimestampFrequency);
            _timer.Change(due + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
        }
    }
}
