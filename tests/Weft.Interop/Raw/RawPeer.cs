using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Weft.Linux.Namespaces;
using Weft.Testing.Bgp;

namespace Weft.Interop.Raw;

/// <summary>
/// A neighbour made of octets: it dials weft from an address of the peers' namespace and says what the test wants it to say. What arrives is read in the background
/// and kept, unless the test wants a peer that does not read.
/// </summary>
internal sealed class RawPeer : IDisposable
{
    private readonly Socket _socket;
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentQueue<byte[]> _messages = [];
    private readonly SemaphoreSlim _sending = new(1);
    private readonly byte[] _buffer = new byte[1 << 18];
    private int _begin;
    private int _filled;
    private int _kept;
    private Task _reading = Task.CompletedTask;
    private Task _keeping = Task.CompletedTask;

    private RawPeer(Socket socket) => _socket = socket;

    public Socket Socket => _socket;

    /// <summary>weft's OPEN.</summary>
    public byte[] Open { get; private set; } = [];

    /// <summary>Capabilities weft offered, as code and value.</summary>
    public IReadOnlyList<(byte Code, byte[] Value)> Offered { get; private set; } = [];

    public IReadOnlyCollection<byte[]> Messages => _messages;

    /// <summary>weft closed the connection, or broke it.</summary>
    public bool IsClosed => _reading.IsCompleted;

    /// <summary>"code/subcode" of the NOTIFICATION that came, else null.</summary>
    public string? Notification => _messages.FirstOrDefault(static m => m[18] == 3) is { } m ? $"{m[19]}/{m[20]}" : null;

    /// <summary>Octets of UPDATEs so far.</summary>
    public long UpdateOctets { get; private set; }

    /// <summary>A connection; nothing is said yet. weft may need a moment to listen.</summary>
    public static async Task<RawPeer> DialAsync(Lab lab, string from, string to = Lab.WeftIPv4)
    {
        using NetNamespace peers = NetNamespace.OpenNamed(lab.PeerNamespace);
        IPAddress source = IPAddress.Parse(from);
        for (int attempt = 0; ; attempt++)
        {
            // A socket belongs to the namespace it was made in, whoever uses it later.
            Socket socket = peers.Run(() => new Socket(source.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
            try
            {
                socket.Bind(new IPEndPoint(source, 0));
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(to), 179));
                return new RawPeer(socket);
            }
            catch (SocketException refused) when (refused.SocketErrorCode == SocketError.ConnectionRefused && attempt < 100)
            {
                socket.Dispose();
                await Task.Delay(50);
            }
        }
    }

    /// <summary>Dials and opens; without capabilities given, offers all that weft offers but extended messages, which no tshark of Debian 12 can read. Then reads and sends KEEPALIVEs by itself.</summary>
    public static async Task<RawPeer> EstablishAsync(
        Lab lab, string address, uint asNumber, ushort holdTime = 90, byte[][]? capabilities = null, string to = Lab.WeftIPv4, bool reads = true, bool keepsAlive = true)
    {
        RawPeer peer = await DialAsync(lab, address, to);
        await peer.OpenAsync(asNumber, holdTime, capabilities);
        byte[] first = await peer.ReadAsync();
        Assert.True(first[18] == 4, $"{address}: a KEEPALIVE was due, came {Convert.ToHexStringLower(first)}");
        if (reads)
        {
            peer.StartReading();
        }

        if (keepsAlive)
        {
            peer._keeping = peer.KeepAliveAsync(TimeSpan.FromSeconds(Math.Max(1, holdTime / 3.0)));
        }

        return peer;
    }

    public async Task OpenAsync(uint asNumber, ushort holdTime, byte[][]? capabilities = null)
    {
        Open = await ReadAsync();
        Assert.True(Open[18] == 1, $"an OPEN was due, came {Convert.ToHexStringLower(Open)}");
        Offered = [.. ReadCapabilities(Open)];
        string routerId = $"10.255.{asNumber >> 8 & 255}.{((IPEndPoint)_socket.LocalEndPoint!).Address.GetAddressBytes()[^1]}";
        await SendAsync(BgpBytes.Open(asNumber, routerId, holdTime, capabilities ?? [.. Offered.Where(static c => c.Code != 6).Select(c => Mirrored(c.Code, c.Value, asNumber))]));
        await SendAsync(BgpBytes.Keepalive());
    }

    /// <summary>NLRI of prefixes; with a path identifier each where weft takes several paths (RFC 7911).</summary>
    public byte[] Nlri(byte afi, params string[] prefixes)
    {
        bool identified = Offered.Any(c => c.Code == 69 && c.Value.Chunk(4).Any(f => f[1] == afi && (f[3] & 1) != 0));
        return [.. prefixes.SelectMany(p => (byte[])[.. identified ? BgpBytes.Number32(1) : [], .. BgpBytes.Nlri(p)])];
    }

    public async Task SendAsync(byte[] octets)
    {
        await _sending.WaitAsync();
        try
        {
            for (int sent = 0; sent < octets.Length;)
            {
                sent += await _socket.SendAsync(octets.AsMemory(sent), _end.Token);
            }
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Some message holds these octets.</summary>
    public bool Saw(byte[] piece) => _messages.Any(m => m.AsSpan().IndexOf(piece) >= 0);

    public Task UntilAsync(string what, Func<RawPeer, bool> condition, double seconds = 20) => Shell.EventuallyAsync(
        what, () => Task.FromResult(condition(this)), () => Task.FromResult($"closed: {IsClosed}, notification: {Notification}\n" + string.Join('\n', _messages.TakeLast(20).Select(Convert.ToHexStringLower))), seconds);

    public void StartReading() => _reading = ReadAllAsync();

    /// <summary>The next message, before reading in the background begins.</summary>
    public async Task<byte[]> ReadAsync()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));
        while (true)
        {
            if (Take() is { Length: > 0 } message)
            {
                return message.ToArray();
            }

            Assert.True(await FillAsync(limit.Token), "weft closed the connection");
        }
    }

    public void Dispose()
    {
        _end.Cancel();
        _socket.Dispose();
        _end.Dispose();
    }

    private async Task ReadAllAsync()
    {
        try
        {
            do
            {
                while (Take() is { Length: > 0 } message)
                {
                    Keep(message.Span);
                }
            }
            while (await FillAsync(_end.Token));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The end of the connection is what IsClosed tells.
        }
    }

    private void Keep(ReadOnlySpan<byte> message)
    {
        UpdateOctets += message[18] == 2 ? message.Length : 0;

        // A test that moves a million routes does not look at each message.
        if (_kept < 5000 || message[18] == 3)
        {
            _kept++;
            _messages.Enqueue(message.ToArray());
        }
    }

    private async Task KeepAliveAsync(TimeSpan period)
    {
        using PeriodicTimer timer = new(period);
        try
        {
            while (await timer.WaitForNextTickAsync(_end.Token))
            {
                await SendAsync(BgpBytes.Keepalive());
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // As above.
        }
    }

    /// <summary>Empty: no whole message has come yet.</summary>
    private ReadOnlyMemory<byte> Take()
    {
        int unread = _filled - _begin;
        int length = unread < BgpBytes.HeaderLength ? int.MaxValue : BinaryPrimitives.ReadUInt16BigEndian(_buffer.AsSpan(_begin + 16));
        if (unread < length)
        {
            return default;
        }

        _begin += length;
        return _buffer.AsMemory(_begin - length, length);
    }

    private async ValueTask<bool> FillAsync(CancellationToken stop)
    {
        _buffer.AsSpan(_begin.._filled).CopyTo(_buffer);
        (_begin, _filled) = (0, _filled - _begin);
        int count = await _socket.ReceiveAsync(_buffer.AsMemory(_filled), stop);
        _filled += count;
        return count > 0;
    }

    private static IEnumerable<(byte Code, byte[] Value)> ReadCapabilities(byte[] open)
    {
        byte[] parameters = open[29..];
        while (parameters.Length >= 2)
        {
            byte[] value = parameters[2..(2 + parameters[1])];
            parameters = parameters[(2 + parameters[1])..];
            while (value.Length >= 2)
            {
                yield return (value[0], value[2..(2 + value[1])]);
                value = value[(2 + value[1])..];
            }
        }
    }

    /// <summary>What a neighbour says that can do all weft can do.</summary>
    private static byte[] Mirrored(byte code, byte[] value, uint asNumber) => code switch
    {
        65 => BgpBytes.FourOctetAs(asNumber),

        // RFC 9234: provider and customer, server and its client belong together.
        9 => BgpBytes.Capability(9, (byte)(value[0] switch { 0 => 3, 3 => 0, 1 => 2, 2 => 1, var other => other })),

        // RFC 7911: both directions of each family.
        69 => BgpBytes.Capability(69, [.. value.Select((octet, i) => i % 4 == 3 ? (byte)3 : octet)]),

        // RFC 4724: it has not restarted.
        64 => BgpBytes.Capability(64, [(byte)(value[0] & 0x7F), .. value.AsSpan(1)]),
        _ => BgpBytes.Capability(code, value),
    };
}
