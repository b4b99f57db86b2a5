using System.Collections.Immutable;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>
/// RFC 4724 4.1, the restarting speaker: nothing is selected or announced before the neighbours have told what they had told our predecessor, so that nobody hears of an
/// empty table, and the forwarding table keeps what it has. Ends for good, by the last End-of-RIB awaited or by time. Owned by one RIB loop; <see cref="IsActive"/> may be
/// read by anyone.
/// </summary>
internal sealed class SelectionDeferral
{
    /// <summary>A neighbour that has not come by then is not waited for, unless the whole deferral is shorter.</summary>
    public static readonly TimeSpan ComeBackTime = TimeSpan.FromSeconds(30);

    private readonly AddressFamilies _flag;
    private readonly RibPeers _peers;
    private readonly long _until;
    private readonly long _comeBackUntil;
    private volatile bool _active;

    public SelectionDeferral(IpFamily family, SpeakerOptions options, RibPeers peers, TimeProvider time)
    {
        _flag = family == IpFamily.IPv4 ? AddressFamilies.IPv4 : AddressFamilies.IPv6;
        _peers = peers;
        TimeSpan comeBack = ComeBackTime < options.RestartDeferral ? ComeBackTime : options.RestartDeferral;
        _until = time.GetTimestamp() + (long)(options.RestartDeferral.TotalSeconds * time.TimestampFrequency);
        _comeBackUntil = time.GetTimestamp() + (long)(comeBack.TotalSeconds * time.TimestampFrequency);
        _active = options.Restarting && options.RestartDeferral > TimeSpan.Zero;
    }

    public bool IsActive => _active;

    /// <summary>All neighbours there are have been added: there is nobody else to wait for.</summary>
    public bool KnowsAllPeers { get; set; }

    /// <summary>When <see cref="TryEnd"/> should be asked again, in the loop's ticks; <see cref="long.MaxValue"/>: never.</summary>
    public long NextDue(long now) => !_active ? long.MaxValue : now < _comeBackUntil ? _comeBackUntil : _until;

    /// <summary>True once: when the deferral ends.</summary>
    public bool TryEnd(long now)
    {
        if (!_active || (now < _until && !(KnowsAllPeers || now >= _comeBackUntil)) || (now < _until && _peers.All.Any(p => IsAwaited(p, now))))
        {
            return false;
        }

        _active = false;
        return true;
    }

    /// <summary>Neighbours whose End-of-RIB is waited for.</summary>
    public ImmutableArray<string> Awaited(long now) => _active ? [.. _peers.All.Where(p => IsAwaited(p, now)).Select(static p => p.Settings.Name)] : [];

    private bool IsAwaited(RibPeer peer, long now)
    {
        if (peer.Id == PeerId.Local || peer.Leaving is not null || !peer.Settings.Enabled || (peer.Settings.Families & _flag) == 0 || !peer.Settings.GracefulRestart)
        {
            return false;
        }

        // A neighbour that restarts itself waits for us (4.1); one that does not know of restarts may send no End-of-RIB at all; one that went away again starts anew.
        return peer.Session is { } session
            ? (session.RestartFamilies & _flag) != 0 && !session.PeerRestarted && !peer.EndOfRibReceived
            : !peer.HasBeenUp && now < _comeBackUntil;
    }
}
