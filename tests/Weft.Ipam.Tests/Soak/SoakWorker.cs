using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Datastore.Etcd;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Primitives.Net;
using Weft.Testing.Datastore;

namespace Weft.Ipam.Tests.Soak;

/// <summary>One life of an allocator process.</summary>
/// <param name="Endpoint">The store.</param>
/// <param name="Socket">Where it tells what it does.</param>
/// <param name="Name">Unique among all lives.</param>
/// <param name="Node">The node it allocates for.</param>
/// <param name="Seed">Of its choices.</param>
/// <param name="KillAt">The datastore operation at which it kills itself with SIGKILL.</param>
internal sealed record SoakLife(string Endpoint, string Socket, string Name, string Node, int Seed, int KillAt)
{
    public static SoakLife Parse(string[] a) =>
        new(a[0], a[1], a[2], a[3], int.Parse(a[4], CultureInfo.InvariantCulture), int.Parse(a[5], CultureInfo.InvariantCulture));

    public string[] Arguments => ["soak-worker", Endpoint, Socket, Name, Node, Seed.ToString(CultureInfo.InvariantCulture), KillAt.ToString(CultureInfo.InvariantCulture)];
}

/// <summary>
/// Allocates and releases until it dies: in the middle of an operation, before it reached the store or after. Requests and answers get lost on the way, and
/// others write its blocks in between. It tells on a datagram socket what it is about to do and what came of it; a datagram is in the driver's queue before
/// the store is asked, so the driver sees everything of all processes in an order that could have been.
/// </summary>
internal sealed class SoakWorker(SoakLife life)
{
    private const int MostHeld = 45;

    private readonly Random _random = new(life.Seed);
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly List<string> _held = [];

    public async Task<int> RunAsync()
    {
        await _socket.ConnectAsync(new UnixDomainSocketEndPoint(life.Socket));
        DatastoreSettings settings = new() { Endpoints = [new Uri(life.Endpoint)], RequestTimeout = TimeSpan.FromSeconds(5) };
        await using EtcdDatastore store = EtcdDatastore.Connect(settings, NullLoggerFactory.Instance, TimeProvider.System);
        FaultyDatastore faulty = new(store) { Before = o => BeforeAsync(o, store), After = After };
        AddressAllocator allocator = new(faulty, NullLoggerFactory.Instance, TimeProvider.System);
        for (int i = 0; ; i++)
        {
            if (_held.Count == 0 || (_held.Count < MostHeld && _random.Next(100) < 60))
            {
                await AllocateAsync(allocator, $"{life.Name}-{i}");
            }
            else
            {
                await ReleaseAsync(allocator, _held[_random.Next(_held.Count)]);
            }
        }
    }

    private async Task AllocateAsync(AddressAllocator allocator, string handle)
    {
        Tell($"A {handle}");
        try
        {
            Allocation allocation = await allocator.AllocateAsync(
                new AllocationRequest { HandleId = handle, Node = life.Node, Attributes = new Dictionary<string, string> { ["node"] = life.Node } }, CancellationToken.None);
            _held.Add(handle);
            Tell($"a {handle} {allocation.IPv4!.Address}");
        }
        catch (IpamException)
        {
            Tell($"n {handle}"); // Full: nothing is held.
        }
        catch (DatastoreException)
        {
            // What the plugin does: release, which tells what was there.
            await ReleaseAsync(allocator, handle);
        }
    }

    private async Task ReleaseAsync(AddressAllocator allocator, string handle)
    {
        Tell($"R {handle}");
        _held.Remove(handle);
        try
        {
            await allocator.ReleaseByHandleAsync(handle, CancellationToken.None);
            Tell($"r {handle}");
        }
        catch (DatastoreException)
        {
            // Left as it is, like a plugin whose DEL failed and is never repeated: check must name it.
        }
    }

    private async ValueTask BeforeAsync(StoreOperation operation, EtcdDatastore store)
    {
        if (operation.Number == life.KillAt && life.KillAt % 2 == 0)
        {
            Die();
        }

        switch (_random.Next(400))
        {
            case 0:
                throw new DatastoreException("the request was lost");
            case 1 when operation.Key is BlockKey key && await store.GetAsync(key, CancellationToken.None) is { } block:
                // Somebody else writes the block, unchanged but for its sequence number.
                block.As<AllocationBlock>().SequenceNumber++;
                await store.UpdateAsync(key, block.Value, block.Revision, CancellationToken.None);
                break;
            default:
                break;
        }
    }

    private ValueTask After(StoreOperation operation)
    {
        if (operation.Number == life.KillAt)
        {
            Die();
        }

        return _random.Next(400) == 0 ? throw new DatastoreException("the answer was lost") : ValueTask.CompletedTask;
    }

    private static void Die()
    {
        using Process self = Process.GetCurrentProcess();
        self.Kill(); // SIGKILL, to itself: no other moment is as exact.
        Thread.Sleep(Timeout.Infinite);
    }

    private void Tell(string text) => _socket.Send(Encoding.ASCII.GetBytes(text));
}
