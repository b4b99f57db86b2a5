using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Datastore.Etcd;
using Weft.Ipam.Views;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;
using Weft.Testing.Datastore;

namespace Weft.Ipam.Tests;

/// <summary>Random operations against a naive twin: a dictionary from handle to addresses.</summary>
public sealed class ModelTests
{
    private static readonly string[] s_nodes = ["host-a", "host-b", "host-c"];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private enum Step : byte
    {
        Allocate,
        ReleaseHandle,
        ReleaseAddress,
        Wait,
        ReleaseBlock,
    }

    [Fact]
    public async Task RandomOperations_NeverDuplicateAndNeverLeak()
    {
        Gen<(Step Kind, int Node, int Handle)[]> steps = Gen.Select(
            Gen.Frequency((5, Gen.Const(Step.Allocate)), (3, Gen.Const(Step.ReleaseHandle)), (2, Gen.Const(Step.ReleaseAddress)), (1, Gen.Const(Step.Wait)), (1, Gen.Const(Step.ReleaseBlock))),
            Gen.Int[0, 2], Gen.Int[0, 7]).Array[1, 60];

        await Gen.Select(steps, Gen.Bool, Gen.Int[0, 30]).SampleAsync(async (sequence, strict, cooldown) =>
        {
            Cluster cluster = new(s_nodes);
            cluster.AddPool("p", "10.0.0.0/27", 29);
            cluster.Configure(c => (c.StrictAffinity, c.IpCooldownSeconds) = (strict, cooldown));
            Dictionary<string, HashSet<IpAddress>> twin = [];
            foreach ((Step kind, int node, int handle) in sequence)
            {
                await ApplyAsync(cluster, twin, kind, s_nodes[node], $"h{handle}");
                Dictionary<string, List<IpAddress>> held = cluster.CheckInvariants(exactCounts: true);
                Assert.Equal(
                    twin.Where(t => t.Value.Count > 0).OrderBy(t => t.Key).Select(t => (t.Key, string.Join(' ', t.Value.Order()))),
                    held.OrderBy(h => h.Key).Select(h => (h.Key, string.Join(' ', h.Value.Order()))));
            }
        }, iter: 200);
    }

    [Fact]
    public async Task ManyAllocatorsAtOnce_InMemory_NeitherDuplicateNorLeak()
    {
        Cluster cluster = new(s_nodes);
        cluster.AddPool("p", "10.0.0.0/25", 28);
        Task[] workers = [.. Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            Random random = new(worker);
            FaultyDatastore slow = new(cluster.Store) { Before = async _ => await Task.Delay(random.Next(3), Stop) };
            AddressAllocator allocator = cluster.Allocator(slow);
            for (int i = 0; i < 30; i++)
            {
                // Half the handles are shared, so that requests for one handle meet.
                string handle = random.Next(2) == 0 ? $"own-{worker}-{i % 4}" : $"shared-{random.Next(4)}";
                if (random.Next(5) < 3)
                {
                    await allocator.AllocateAsync(new AllocationRequest { HandleId = handle, Node = s_nodes[worker % 3] }, Stop);
                }
                else
                {
                    await allocator.ReleaseByHandleAsync(handle, Stop);
                }
            }
        }))];

        await Task.WhenAll(workers);
        Dictionary<string, List<IpAddress>> held = cluster.CheckInvariants(exactCounts: false);
        foreach (string handle in cluster.Handles().Keys)
        {
            await cluster.Allocator().ReleaseByHandleAsync(handle, Stop);
        }

        Assert.Equal(held.Values.Sum(v => v.Count), held.Values.SelectMany(v => v).Distinct().Count());
        Assert.Empty(cluster.CheckInvariants(exactCounts: true));
    }

    [Fact]
    public async Task SixteenAllocators_OnARealEtcd_NeitherDuplicateNorLeak()
    {
        await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
        await using EtcdDatastore store = server.Connect();
        foreach (string node in s_nodes)
        {
            await store.ApplyAsync(new ResourceKey(ResourceKind.Node, node), new Node { Metadata = { Name = node } }, null, Stop);
        }

        await store.ApplyAsync(new ResourceKey(ResourceKind.IPPool, "p"), new IPPool { Metadata = { Name = "p" }, Spec = { Cidr = "10.0.0.0/23" } }, null, Stop);

        Allocation[][] taken = await Task.WhenAll(Enumerable.Range(0, 16).Select(worker => Task.Run(async () =>
        {
            await using EtcdDatastore own = server.Connect();
            AddressAllocator allocator = new(own, NullLoggerFactory.Instance, TimeProvider.System);
            List<Allocation> mine = [];
            for (int i = 0; i < 20; i++)
            {
                mine.Add(await allocator.AllocateAsync(new AllocationRequest { HandleId = $"h-{worker}-{i}", Node = s_nodes[worker % 3] }, Stop));
            }

            for (int i = 0; i < 10; i++)
            {
                Assert.Equal(1, await allocator.ReleaseByHandleAsync($"h-{worker}-{i}", Stop));
            }

            return mine.Skip(10).ToArray();
        })));

        IpAddress[] kept = [.. taken.SelectMany(t => t).Select(a => a.IPv4!.Address)];
        IpamView view = await IpamView.LoadAsync(store, Stop);
        ListResult handles = await store.ListAsync(ModelPrefix.Handles, Stop);
        Assert.Equal(160, kept.Distinct().Count());
        Assert.Equal((UInt128)160, view.Pools[0].Use.InUse);
        Assert.Equal(160, handles.Items.Count);
        Assert.All(handles.Items, h => Assert.Equal(1, h.As<Model.Ipam.IpamHandle>().Block.Values.Sum()));

        // Three nodes with some 60 addresses each: the race for new blocks must not claim more than a node needs and one or two lost races.
        Assert.True(view.Pools[0].Blocks.Count <= 8, $"{view.Pools[0].Blocks.Count} blocks");
    }

    private static async Task ApplyAsync(Cluster cluster, Dictionary<string, HashSet<IpAddress>> twin, Step step, string node, string handle)
    {
        HashSet<IpAddress> mine = twin.TryGetValue(handle, out HashSet<IpAddress>? set) ? set : twin[handle] = [];
        switch (step)
        {
            case Step.Allocate:
                AutoAssignResult result = await cluster.AssignAsync(node, 1 + (handle[1] % 3), handle);
                foreach (AssignedAddress address in result.Addresses)
                {
                    Assert.DoesNotContain(twin, t => t.Value.Contains(address.Address));
                    mine.Add(address.Address);
                }

                break;
            case Step.ReleaseHandle:
                Assert.Equal(mine.Count, await cluster.Allocator().ReleaseByHandleAsync(handle, Stop));
                mine.Clear();
                break;
            case Step.ReleaseAddress when mine.Count > 0:
                ReleaseResult released = await cluster.Allocator().ReleaseAddressesAsync([new AddressRelease(mine.Min(), handle)], Stop);
                Assert.Equal(mine.Min(), Assert.Single(released.Released));
                mine.Remove(mine.Min());
                break;
            case Step.Wait:
                cluster.Time.Advance(TimeSpan.FromSeconds(20));
                break;
            case Step.ReleaseBlock when cluster.Affinities(node).Keys.FirstOrDefault() is { } block:
                await cluster.Allocator().ReleaseBlockAsync(AffinityType.Host, node, IpPrefix.Parse(block), onlyEmpty: handle[1] % 2 == 0, Stop);
                break;
            default:
                break;
        }
    }
}
