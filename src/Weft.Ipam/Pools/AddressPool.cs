using System.Globalization;
using Weft.Datastore;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam.Pools;

/// <summary>An IPPool with its text parsed and its defaults filled in.</summary>
internal sealed class AddressPool
{
    private const int DefaultBlockSizeIPv4 = 26;
    private const int DefaultBlockSizeIPv6 = 122;

    private AddressPool(IPPool resource, IpPrefix cidr)
    {
        (Resource, Cidr) = (resource, cidr);
        int size = resource.Spec.BlockSize is { } given and > 0 ? given : cidr.IsIPv4 ? DefaultBlockSizeIPv4 : DefaultBlockSizeIPv6;
        BlockSize = Math.Clamp(size, cidr.Length, cidr.Address.BitLength);
    }

    public IPPool Resource { get; }

    public ResourceKey Key => new(ResourceKind.IPPool, Name);

    /// <summary>The revision it was read at.</summary>
    public Revision Revision => RevisionOf(Resource);

    public string Name => Resource.Metadata.Name;

    public IpPrefix Cidr { get; }

    /// <summary>Prefix length of its blocks.</summary>
    public int BlockSize { get; }

    /// <summary>New addresses may be taken from it.</summary>
    public bool IsEnabled => Resource.Spec.Disabled != true && Resource.Metadata.DeletionTimestamp is null
        && Resource.Status?.Conditions?.Exists(c => c is { Type: "Allocatable", Status: "False" }) != true;

    /// <summary>Used without being asked for by name.</summary>
    public bool IsAutomatic => Resource.Spec.AssignmentMode is not "Manual";

    public string? NodeSelector => Resource.Spec.NodeSelector;

    public string? NamespaceSelector => Resource.Spec.NamespaceSelector;

    public bool Allows(AddressUse use) => Resource.Spec.AllowedUses is { Count: > 0 } uses
        ? uses.Contains(use.ToString())
        : use is AddressUse.Workload or AddressUse.Tunnel;

    public string UsesText => Resource.Spec.AllowedUses is { Count: > 0 } uses ? string.Join(", ", uses) : "Workload, Tunnel";

    public IpPrefix BlockOf(IpAddress address) => new(address, BlockSize);

    public bool HoldsBlock(IpPrefix block) => Cidr.Contains(block);

    /// <summary>Null for a CIDR that is none: validation keeps such pools out, and one that came in anyway serves nobody.</summary>
    public static AddressPool? From(IPPool resource) => IpPrefix.TryParse(resource.Spec.Cidr, out IpPrefix cidr) ? new AddressPool(resource, cidr) : null;

    /// <summary>The store fills the version of what it reads.</summary>
    public static Revision RevisionOf(Resource resource) =>
        new(long.Parse(resource.Metadata.ResourceVersion ?? throw new InvalidOperationException($"{resource.Metadata.Name} was not read from the store"), CultureInfo.InvariantCulture));

    public override string ToString() => $"{Name} ({Cidr})";
}
