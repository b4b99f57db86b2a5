using Weft.Datastore;
using Weft.Ipam.Blocks;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam.Pools;

/// <summary>What an allocation depends on besides the blocks themselves, read at one revision.</summary>
internal sealed class IpamState
{
    /// <summary>Blocks of one node when nothing else is configured.</summary>
    private const int DefaultBlockLimit = 20;

    private IpamState(ListResult list, BlockOwner owner)
    {
        Revision = list.Revision;
        Pools = [.. list.Items.Select(i => i.Value).OfType<IPPool>().Select(AddressPool.From).OfType<AddressPool>().OrderBy(p => p.Name, StringComparer.Ordinal)];
        Reservations = new Reservations(list.Items.Select(i => i.Value).OfType<IPReservation>());
        KeyValue? config = list.Items.FirstOrDefault(i => i.Value is IpamConfig);
        Config = config?.As<IpamConfig>() ?? IpamConfig.Default;
        ConfigRevision = config?.Revision ?? default;
        Node = list.Items.Select(i => i.Value).OfType<Node>().FirstOrDefault();
        Owner = owner;
        Affinities = [.. list.Items.Where(i => i.Key is BlockAffinityKey)];
    }

    /// <summary>Everything here was read at it.</summary>
    public Revision Revision { get; }

    public IReadOnlyList<AddressPool> Pools { get; }

    public Reservations Reservations { get; }

    public IpamConfig Config { get; }

    /// <summary>0 when nothing is stored.</summary>
    public Revision ConfigRevision { get; }

    public BlockOwner Owner { get; }

    /// <summary>Null when there is none of that name, and for the load balancer.</summary>
    public Node? Node { get; }

    public IReadOnlyDictionary<string, string> NodeLabels => Node?.Metadata.Labels ?? [];

    /// <summary>Of the owner, in every state, in the order of their CIDRs.</summary>
    public IReadOnlyList<KeyValue> Affinities { get; }

    public TimeSpan Cooldown => TimeSpan.FromSeconds(Config.IpCooldownSeconds);

    public int BlockLimit => Config.MaxBlocksPerHost > 0 ? Config.MaxBlocksPerHost : DefaultBlockLimit;

    public static async ValueTask<IpamState> LoadAsync(IDatastore store, BlockOwner owner, CancellationToken stop, params IpFamily[] families)
    {
        List<ModelPrefix> ranges =
        [
            ModelPrefix.Of(ResourceKind.IPPool), ModelPrefix.Of(ResourceKind.IPReservation), ModelPrefix.Of(new IpamConfigKey()),
            .. families.Select(f => ModelPrefix.Affinities(owner.Type, owner.Name, f)),
        ];
        if (owner.Type == AffinityType.Host)
        {
            ranges.Add(ModelPrefix.Of(new ResourceKey(ResourceKind.Node, owner.Name)));
        }

        ListResult list = await store.ListAsync(ranges, stop);
        foreach (UnreadableValue value in list.Unreadable.Where(u => u.Key is IpamConfigKey or ResourceKey { Kind.Name: nameof(IPReservation) or nameof(Node) }))
        {
            // Going on would hand out what somebody meant to protect.
            throw new IpamException($"{value.Key} cannot be read: {value.Reason}");
        }

        IpamState state = new(list, owner);
        return state.Node is not null || owner.Type != AffinityType.Host
            ? state
            : throw new IpamException($"node {owner.Name} is not in the datastore: start weft-startup on it, or correct [node] name");
    }
}
