using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.Links;

/// <summary>
/// The addresses of the host's interfaces as far as we know: written from the monitor's events and from dumps, read by managers and drivers. Owned by one
/// loop, like <see cref="LinkFacts"/>, which knows the names of the links.
/// </summary>
public sealed class AddressFacts : IReconciler
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    private readonly AddressRequests _requests;
    private readonly Dictionary<int, HashSet<InterfaceAddress>> _byLink = [];
    private readonly List<AddressInfo> _dump = [];
    private bool _inSync;

    /// <param name="requests">Of a socket in the namespace that is looked at.</param>
    public AddressFacts(AddressRequests requests)
    {
        _requests = requests;
    }

    /// <summary>Grows with every change: who remembers it knows whether to look again.</summary>
    public long Version { get; private set; }

    /// <summary>Addresses of one link; empty when it has none or does not exist.</summary>
    public IReadOnlyCollection<InterfaceAddress> Of(int linkIndex) => _byLink.TryGetValue(linkIndex, out HashSet<InterfaceAddress>? addresses) ? addresses : [];

    /// <summary>The link that has the address; 0 when none has.</summary>
    public int HolderOf(IpAddress address) => HoldersOf(address).FirstOrDefault();

    /// <summary>All links that have the address.</summary>
    public IEnumerable<int> HoldersOf(IpAddress address) => _byLink.Where(l => l.Value.Any(held => held.Address == address)).Select(static l => l.Key);

    /// <summary>A notification of the kernel.</summary>
    public void OnAddress(AddressInfo address, ChangeKind change)
    {
        if (change == ChangeKind.Present)
        {
            if (!_byLink.TryGetValue(address.LinkIndex, out HashSet<InterfaceAddress>? held))
            {
                _byLink[address.LinkIndex] = held = [];
            }

            Version += held.Add(address.Address) ? 1 : 0;
        }
        else if (_byLink.TryGetValue(address.LinkIndex, out HashSet<InterfaceAddress>? held) && held.Remove(address.Address))
        {
            Version++;
            if (held.Count == 0)
            {
                _byLink.Remove(address.LinkIndex);
            }
        }
    }

    public void QueueResync() => _inSync = false;

    /// <summary>Reads all addresses when asked to.</summary>
    public ApplyStatus Apply()
    {
        if (_inSync)
        {
            return ApplyStatus.Done;
        }

        if (!_requests.List(_dump).IsSuccess)
        {
            return ApplyStatus.RetryLater(RetryDelay);
        }

        HashSet<(int, InterfaceAddress)> present = [.. _dump.Select(static a => (a.LinkIndex, a.Address))];
        foreach ((int link, HashSet<InterfaceAddress> addresses) in _byLink.ToArray())
        {
            foreach (InterfaceAddress gone in addresses.Where(a => !present.Contains((link, a))).ToArray())
            {
                OnAddress(new AddressInfo(link, gone, default, IsUsable: true, IsPermanent: true), ChangeKind.Removed);
            }
        }

        foreach (AddressInfo address in _dump)
        {
            OnAddress(address, ChangeKind.Present);
        }

        _inSync = true;
        return ApplyStatus.Done;
    }
}
