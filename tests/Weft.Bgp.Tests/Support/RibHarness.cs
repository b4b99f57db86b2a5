using System.Buffers.Binary;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Export;
using Weft.Bgp.Rib;
using Weft.Bgp.Session;
using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Tests.Support;

/// <summary>A RIB driven by hand on the test's thread: messages in, decoded messages out. No loop, no clock but the test's.</summary>
internal sealed class RibHarness
{
    private readonly UpdateBatchPool _batches = new();
    private readonly Dictionary<string, TestPeer> _peers = [];
    private readonly SpeakerOptions _options;

    public RibHarness(IpFamily family = IpFamily.IPv4, int maximumPaths = 1, INextHopResolver? resolver = null, uint localAs = 65001,
        Confederation? confederation = null, Func<SpeakerOptions, SpeakerOptions>? with = null)
    {
        _options = new SpeakerOptions { LocalAs = localAs, RouterId = IpAddress.Parse("10.0.0.1"), MaximumPaths = maximumPaths, Confederation = confederation };
        _options = with?.Invoke(_options) ?? _options;
        Rib = new RibLoop(family, _options, resolver ?? AllNextHopsReachable.Instance, _batches, new EncodedBlockPool(), Time, NullLogger.Instance);
        Rib.Subscribe(Forwarding);
    }

    public ManualTime Time { get; } = new();

    public RibLoop Rib { get; }

    public ForwardingTable Forwarding { get; } = new();

    public TestPeer this[string name] => _peers[name];

    /// <summary>Configures a peer and brings its session up.</summary>
    public TestPeer Up(string name, string address, uint remoteAs, Func<PeerSettings, PeerSettings>? with = null, Func<NegotiatedSession, NegotiatedSession>? session = null)
    {
        TestPeer peer = _peers.TryGetValue(name, out TestPeer? known) ? known : Add(name, address, remoteAs, with);
        NegotiatedSession negotiated = Messages.Session(peer.Settings.LocalAs != 0 ? peer.Settings.LocalAs : _options.LocalAsTowards(remoteAs), remoteAs) with
        {
            IsConfederation = _options.Confederation?.IsOtherMember(remoteAs, _options.LocalAs) == true,
            HasConfederation = _options.Confederation is not null && _options.LocalAsTowards(remoteAs) == _options.LocalAs,
            RemoteRouterId = peer.Settings.Address.IsIPv4 ? peer.Settings.Address : IpAddress.Parse("10.9.9.9"),
            RemoteAddress = peer.Settings.Address,
        };
        peer.Session = session?.Invoke(negotiated) ?? negotiated;
        peer.Decoder = new UpdateDecoder(_batches, peer.Id, peer.Session, peer.Settings, NullLogger.Instance);
        peer.Seen.Clear();
        peer.SeenPaths.Clear();
        Rib.PeerUp(peer.Id, peer.Session, peer, static () => { });
        return peer;
    }

    /// <summary>Configures a peer whose session is down.</summary>
    public TestPeer Add(string name, string address, uint remoteAs, Func<PeerSettings, PeerSettings>? with = null)
    {
        var settings = new PeerSettings { Name = name, Address = IpAddress.Parse(address), RemoteAs = remoteAs, Families = AddressFamilies.Both };
        settings = with?.Invoke(settings) ?? settings;
        var peer = new TestPeer((PeerId)(_peers.Count + 1), settings);
        _peers.Add(name, peer);
        Rib.AddPeer(peer.Id, settings);
        return peer;
    }

    /// <summary>New settings under a running session.</summary>
    public void Update(string name, Func<PeerSettings, PeerSettings> with)
    {
        TestPeer peer = _peers[name];
        peer.Settings = with(peer.Settings);
        Rib.UpdatePeer(peer.Id, peer.Settings);
    }

    public void Down(string name, bool keep = false) => Rib.PeerDown(_peers[name].Id, _peers[name].Session!, keep);

    public void Receive(string name, byte[] message)
    {
        DecodeResult result = _peers[name].Decoder!.Decode(message, out _);
        Assert.True(result.Action != DecodeAction.SessionReset);
        Post(_peers[name]);
    }

    public void EndOfRib(string name) => Receive(name, Messages.Update([], [], []));

    /// <summary>RFC 7313: BoRR or EoRR.</summary>
    public void Mark(string name, BatchRecordKind kind)
    {
        _peers[name].Decoder!.AddRefreshMark(Rib.Family == IpFamily.IPv4 ? AddressFamilies.IPv4 : AddressFamilies.IPv6, kind);
        Post(_peers[name]);
    }

    private void Post(TestPeer peer)
    {
        if (peer.Decoder!.IPv4 is UpdateBatch ipv4)
        {
            peer.Decoder.IPv4 = null;
            Rib.OnMessage(new RibMessage(ipv4, null));
        }

        if (peer.Decoder.IPv6 is UpdateBatch ipv6)
        {
            peer.Decoder.IPv6 = null;
            Rib.OnMessage(new RibMessage(ipv6, null));
        }
    }

    public void Announce(string name, string prefix, string path = "", byte origin = 0, uint? med = null, uint? localPreference = null, string? nextHop = null,
        byte[]? extra = null, uint? pathId = null)
    {
        TestPeer peer = _peers[name];
        uint[] ases = path.Length == 0 ? [] : [.. path.Split(' ').Select(uint.Parse)];
        byte[] hop = new byte[7] { 0x40, 3, 4, 0, 0, 0, 0 };
        IpAddress.Parse(nextHop ?? (peer.Settings.Address.IsIPv4 ? peer.Settings.Address.ToString() : "10.0.0.99")).CopyTo(hop.AsSpan(3));
        byte[] attributes =
        [
            0x40, 1, 1, origin, .. Messages.AsPath(ases), .. hop,
            .. med is null ? [] : Number(0x80, 4, med.Value),
            .. localPreference is null ? [] : Number(0x40, 5, localPreference.Value),
            .. extra ?? [],
        ];
        Receive(name, Messages.Update([], attributes, Nlri(prefix, pathId)));
    }

    public void Withdraw(string name, string prefix, uint? pathId = null) => Receive(name, Messages.Update(Nlri(prefix, pathId), [], []));

    /// <summary>Lets time pass, then works until nothing is left to do.</summary>
    public void After(TimeSpan time)
    {
        Time.Advance(time);
        Settle();
    }

    /// <summary>Works until nothing is left to do.</summary>
    public void Settle()
    {
        int turns = 0;
        while (Rib.WorkSlice())
        {
            Assert.True(turns++ < 10_000, "the RIB does not come to rest");
        }
    }

    /// <param name="pathId">Of a peer with ADD-PATH.</param>
    public static byte[] Nlri(string prefix, uint? pathId = null)
    {
        byte[] room = new byte[17];
        IpPrefix parsed = IpPrefix.Parse(prefix);
        byte[] plain = room[..NlriReader.Write(room, PrefixKey.From(parsed), parsed.Family)];
        return pathId is uint id ? [(byte)(id >> 24), (byte)(id >> 16), (byte)(id >> 8), (byte)id, .. plain] : plain;
    }

    private static byte[] Number(byte flags, byte type, uint value)
    {
        byte[] attribute = [flags, type, 4, 0, 0, 0, 0];
        BinaryPrimitives.WriteUInt32BigEndian(attribute.AsSpan(3), value);
        return attribute;
    }
}

/// <summary>A peer that reads what it is sent, as a receiver would, and remembers the table that results.</summary>
internal sealed class TestPeer(PeerId id, PeerSettings settings) : IBlockSink
{
    private readonly List<(EncodedBlock Block, GroupMember Member)> _held = [];

    public PeerId Id => id;

    public PeerSettings Settings { get; set; } = settings;

    public NegotiatedSession? Session { get; set; }

    public UpdateDecoder? Decoder { get; set; }

    /// <summary>Prefix to canonical block, as sent to this peer.</summary>
    public Dictionary<IpPrefix, byte[]> Seen { get; } = [];

    /// <summary>With ADD-PATH: prefix and identifier to canonical block; <see cref="Seen"/> then stays empty.</summary>
    public Dictionary<(IpPrefix Prefix, uint Id), byte[]> SeenPaths { get; } = [];

    /// <summary>AS paths of all paths of a prefix, sorted.</summary>
    public string[] Paths(string prefix) =>
        [.. SeenPaths.Where(p => p.Key.Prefix == IpPrefix.Parse(prefix)).Select(static p => AsPath.ToText(CanonicalAttributes.Find(p.Value, AttributeType.AsPath))).Order(StringComparer.Ordinal)];

    public List<IpPrefix> WithdrawnUnknown { get; } = [];

    public int Messages { get; private set; }

    public int EndOfRibs { get; private set; }

    /// <summary>What came, in order: "+prefix", "-prefix", "end of rib", "begin", "end".</summary>
    public List<string> Heard { get; } = [];

    /// <summary>True: credits are kept until <see cref="ReturnCredits"/>.</summary>
    public bool Slow { get; set; }

    public IEnumerable<string> Prefixes => Seen.Keys.Order().Select(static p => p.ToString());

    public string Path(string prefix) => AsPath.ToText(CanonicalAttributes.Find(Seen[IpPrefix.Parse(prefix)], AttributeType.AsPath));

    public string NextHop(string prefix)
    {
        ReadOnlySpan<byte> octets = new CanonicalAttributes(Seen[IpPrefix.Parse(prefix)]).NextHop;
        return IpAddress.FromBytes(octets[..Math.Min(16, octets.Length)]).ToString();
    }

    public byte[] Attribute(string prefix, AttributeType type) => CanonicalAttributes.Find(Seen[IpPrefix.Parse(prefix)], type).ToArray();

    public void Send(EncodedBlock block, GroupMember member)
    {
        foreach (BlockSegment segment in block.Segments)
        {
            if (segment.IsFor(id))
            {
                Read(block.Bytes.AsSpan(segment.Start, segment.End - segment.Start));
            }
        }

        _held.Add((block, member));
        if (!Slow)
        {
            ReturnCredits();
        }
    }

    public void ReturnCredits()
    {
        foreach ((EncodedBlock block, GroupMember member) in _held)
        {
            block.Release();
            member.Returned();
        }

        _held.Clear();
    }

    private void Read(ReadOnlySpan<byte> messages)
    {
        while (!messages.IsEmpty)
        {
            Assert.Null(MessageFramer.CheckHeader(messages, Session!.MaximumMessageLength, out int length));
            byte[] message = messages[..length].ToArray();
            messages = messages[length..];
            Messages++;

            if ((MessageType)message[18] == MessageType.RouteRefresh)
            {
                Assert.True(RouteRefreshMessage.TryRead(message, out _, out RouteRefreshSubtype subtype));
                Heard.Add(subtype.ToString().ToLowerInvariant());
                continue;
            }

            // The peer's own view: internal stays internal, and the sender is us.
            NegotiatedSession theirs = Session with { LocalAs = Session.RemoteAs, RemoteAs = Session.LocalAs, LocalAddress = Session.RemoteAddress, LocalRole = null, AddPathReceive = Session.AddPathSend };
            (DecodeResult result, Decoded routes) = Support.Messages.Decode(message, theirs, enforceFirstAs: true);
            Assert.Equal(DecodeAction.None, result.Action);
            bool several = Session.AddPathSend != AddressFamilies.None;
            foreach ((IpPrefix prefix, uint id) in routes.Withdrawn.Zip(routes.WithdrawnIds))
            {
                Heard.Add($"-{prefix}");
                if (!(several ? SeenPaths.Remove((prefix, id)) : Seen.Remove(prefix)))
                {
                    WithdrawnUnknown.Add(prefix);
                }
            }

            foreach (((IpPrefix prefix, byte[] attributes), uint id) in routes.Announced.Zip(routes.AnnouncedIds))
            {
                Heard.Add($"+{prefix}");
                if (several)
                {
                    SeenPaths[(prefix, id)] = attributes;
                }
                else
                {
                    Seen[prefix] = attributes;
                }
            }

            Heard.AddRange(routes.EndOfRib.Select(static _ => "end of rib"));
            EndOfRibs += routes.EndOfRib.Count;
        }
    }
}

/// <summary>What a kernel fed by the listener would hold.</summary>
internal sealed class ForwardingTable : IRibListener
{
    public Dictionary<IpPrefix, string> Routes { get; } = [];

    public int Changes { get; private set; }

    public void OnBestChanged(in BestChange change)
    {
        Changes++;
        if (change.IsWithdrawn)
        {
            Assert.True(Routes.Remove(change.Prefix), $"{change.Prefix} was never told");
            return;
        }

        string[] hops = [.. change.NextHops.ToArray().Select(static h => h.Weight == 1 ? h.Address.ToString() : $"{h.Address}*{h.Weight}").Order()];
        Routes[change.Prefix] = change.IsLocal ? "local" : string.Join(',', hops);
    }

    public void OnBatchEnd(IpFamily family)
    {
    }
}
