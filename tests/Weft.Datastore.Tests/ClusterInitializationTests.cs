using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Testing.Datastore;

namespace Weft.Datastore.Tests;

public sealed class ClusterInitializationTests
{
    private static readonly ResourceKey s_information = new(ResourceKind.ClusterInformation, "default");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task EmptyStore_GetsInformationAndTheThreeTiers()
    {
        InMemoryDatastore store = new();

        await ClusterInitialization.EnsureAsync(store, "v1", "weft,bgp", TimeProvider.System, Stop);

        ClusterInformation information = (await store.GetAsync(s_information, Stop))!.As<ClusterInformation>();
        ListResult tiers = await store.ListAsync(ModelPrefix.Of(ResourceKind.Tier), Stop);
        Assert.Matches("^[0-9a-f]{32}$", information.Spec.ClusterGUID);
        Assert.Equal(("v1", "weft,bgp", true), (information.Spec.CalicoVersion, information.Spec.ClusterType, information.Spec.DatastoreReady));
        Assert.True(information.Metadata is { Uid.Length: 36, CreationTimestamp.Length: 20 });
        Assert.Equal(
            [("default", 1_000_000, "Deny"), ("kube-admin", 1_000, "Pass"), ("kube-baseline", 10_000_000, "Pass")],
            tiers.Items.Select(i => i.As<Tier>()).Select(t => (t.Metadata.Name, t.Spec.Order, t.Spec.DefaultAction)));
    }

    [Fact]
    public async Task WhatIsThere_IsCompletedAndNotReplaced()
    {
        InMemoryDatastore store = new();
        await store.CreateAsync(s_information, new ClusterInformation { Spec = { ClusterGUID = "mine", ClusterType = "k8s", DatastoreReady = false } }, Stop);
        await store.CreateAsync(new ResourceKey(ResourceKind.Tier, "default"), new Tier { Spec = { Order = 5, DefaultAction = "Pass" } }, Stop);

        await ClusterInitialization.EnsureAsync(store, "v2", "bgp,k8s", TimeProvider.System, Stop);
        Revision after = store.Revision;
        await ClusterInitialization.EnsureAsync(store, "v2", "bgp", TimeProvider.System, Stop);

        ClusterInformationSpec spec = (await store.GetAsync(s_information, Stop))!.As<ClusterInformation>().Spec;
        Tier tier = (await store.GetAsync(new ResourceKey(ResourceKind.Tier, "default"), Stop))!.As<Tier>();
        Assert.Equal(("mine", "k8s,bgp", "v2", false), (spec.ClusterGUID, spec.ClusterType, spec.CalicoVersion, spec.DatastoreReady));
        Assert.Equal(5, tier.Spec.Order);
        Assert.Equal(after, store.Revision);
    }

    [Fact]
    public async Task ManyNodesAtOnce_AgreeOnOneCluster()
    {
        InMemoryDatastore store = new();

        await Task.WhenAll(Enumerable.Range(0, 10).Select(i => Task.Run(async () =>
        {
            FaultyDatastore slow = new(store) { Before = async _ => await Task.Delay(i % 3, Stop) };
            await ClusterInitialization.EnsureAsync(slow, "v1", $"type{i}", TimeProvider.System, Stop);
        })));

        ClusterInformationSpec spec = (await store.GetAsync(s_information, Stop))!.As<ClusterInformation>().Spec;
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"type{i}"), spec.ClusterType!.Split(',').Order());
    }
}
