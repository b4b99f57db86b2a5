using System.Buffers.Binary;
using Weft.Bgp.Export;
using Weft.Bgp.Policies;
using Weft.Bgp.Session;
using Weft.Primitives.Collections;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>How near a peer is to its limit of prefixes, as far as it was told.</summary>
internal enum PrefixLimitState : byte
{
    Below,
    Warned,

    /// <summary>Above, and the session goes on.</summary>
    Exceeded,

    /// <summary>Above, and the session is being ended: nothing more is taken from it.</summary>
    Ending,
}

/// <summary>What a peer's stale paths wait for (RFC 4724, RFC 9494).</summary>
public enum StalePhase : byte
{
    /// <summary>It has none.</summary>
    None,

    /// <summary>The peer is away: its restart time runs.</summary>
    PeerAway,

    /// <summary>The peer is back: its End-of-RIB.</summary>
    EndOfRib,

    /// <summary>The restart time is over: the long-lived stale time runs, until End-of-RIB when the peer comes back.</summary>
    LongLived,
}

/// <summary>One peer as one family's RIB knows it. Owned by that RIB's loop.</summary>
internal sealed class RibPeer
{
    public RibPeer(PeerId id, PeerSettings settings)
    {
        Id = id;
        Settings = settings;
    }

    public PeerId Id { get; }

    public PeerSettings Settings { get; set; }

    /// <summary>Null: everything is accepted unchanged.</summary>
    public PolicyProgram? Import { get; set; }

    /// <summary>Null while the session is down (its routes may still be here, stale).</summary>
    public NegotiatedSession? Session { get; set; }

    public bool IsInternal { get; set; }

    /// <summary>Internal, or in another member AS of our confederation: attributes of the AS stay with its routes (RFC 5065 4).</summary>
    public bool IsInterior { get; set; }

    /// <summary>We are in a confederation, whatever the peer is.</summary>
    public bool IsInConfederation { get; init; }

    /// <summary>RFC 9234: what we were to the peer in its last session; null: nothing was said.</summary>
    public BgpRole? Role { get; set; }

    /// <summary>Of its last session.</summary>
    public uint RemoteAs { get; set; }

    /// <summary>Restarts say nothing of a path that may be used now.</summary>
    public bool IsStale(int epoch) => PathEpochs.Has(Epochs.Stale, epoch);

    public bool IsClient => IsInternal && Settings.RouteReflectorClient;

    /// <summary>BGP identifier as a number, for decision and ORIGINATOR_ID.</summary>
    public uint RouterId { get; set; }

    /// <summary>Order of peers in the last step of the decision.</summary>
    public IpAddress Address => Settings.Address;

    public uint LocalAs { get; set; }

    public uint ClusterId { get; set; }

    /// <summary>The prefixes it has paths for: a bit answers what else needs a walk along the chain of all peers' paths.</summary>
    public Bitmap Prefixes { get; } = new();

    /// <summary>RFC 7911: it may have several paths for a prefix. Stays while paths of a session with identifiers are here.</summary>
    public bool HasPathIds { get; set; }

    /// <summary>Paths in the Adj-RIB-In.</summary>
    public int Received { get; set; }

    /// <summary>Of those, in the decision.</summary>
    public int Accepted { get; set; }

    /// <summary>Which of its paths are of this session, and what becomes of the others.</summary>
    public PathEpochs Epochs { get; } = new();

    public bool EndOfRibReceived { get; set; }

    /// <summary>A session of it has come up, with or without this family.</summary>
    public bool HasBeenUp { get; set; }

    /// <summary>Why it has stale paths.</summary>
    public StalePhase Phase { get; set; }

    /// <summary>When <see cref="Phase"/> ends by itself, in the loop's ticks; 0: never armed.</summary>
    public long StaleUntil { get; set; }

    /// <summary>RFC 9494: how long stale paths are kept when the restart time is over; zero: not at all.</summary>
    public TimeSpan LongLivedTime { get; set; }

    /// <summary>RFC 7313: when paths that were not announced again are dropped although the refresh did not end, in the loop's ticks; 0: no refresh is under way.</summary>
    public long RefreshUntil { get; set; }

    /// <summary>Not null: the peer is being removed. Completed when its last path is gone.</summary>
    public TaskCompletionSource? Leaving { get; set; }

    /// <summary>Tells the session that the peer sent more prefixes than it may.</summary>
    public Action? LimitExceeded { get; set; }

    /// <summary>What has been said of the number of prefixes.</summary>
    public PrefixLimitState LimitState { get; set; }

    /// <summary>Membership in an update group while the session is up.</summary>
    public GroupMember? Member { get; set; }

    public static uint Number(IpAddress ipv4)
    {
        Span<byte> octets = stackalloc byte[4];
        return ipv4.IsIPv4 && ipv4.CopyTo(octets) == 4 ? BinaryPrimitives.ReadUInt32BigEndian(octets) : 0;
    }
}

/// <summary>The peers of one RIB by id. Owned by its loop.</summary>
internal sealed class RibPeers
{
    private readonly Dictionary<IpAddress, PeerId> _byAddress = [];
    private RibPeer?[] _peers = new RibPeer?[8];

    public RibPeer? this[PeerId id] => (int)id < _peers.Length ? _peers[(int)id] : null;

    /// <summary>A peer that owns a path, or <see cref="PeerId.Local"/>.</summary>
    public RibPeer Owner(PeerId id) => _peers[(int)id] ?? throw new InvalidOperationException($"a path belongs to peer {(int)id}, which is gone");

    public IEnumerable<RibPeer> All => _peers.OfType<RibPeer>();

    /// <summary>The configured peer with this address, or None.</summary>
    public PeerId Find(IpAddress address) => _byAddress.GetValueOrDefault(address, PeerId.None);

    public void Set(PeerId id, RibPeer? peer)
    {
        if (this[id] is RibPeer old && Find(old.Address) == id)
        {
            _byAddress.Remove(old.Address);
        }

        if (peer is not null)
        {
            _byAddress[peer.Address] = id;
        }

        if ((int)id >= _peers.Length)
        {
            Array.Resize(ref _peers, Math.Max((int)id + 1, _peers.Length * 2));
        }

        _peers[(int)id] = peer;
    }
}
