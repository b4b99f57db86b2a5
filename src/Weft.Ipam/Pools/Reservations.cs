using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ipam.Pools;

/// <summary>The addresses of every IPReservation: never assigned unless asked for one by one.</summary>
internal sealed class Reservations
{
    private readonly List<IpPrefix> _ranges = [];

    public Reservations(IEnumerable<IPReservation> reservations)
    {
        List<IpPrefix> all = [];
        foreach (string text in reservations.SelectMany(r => r.Spec.ReservedCIDRs ?? []))
        {
            if (IpPrefix.TryParseNet(text, out IpPrefix range))
            {
                all.Add(range);
            }
        }

        // Covering ranges sort before what they cover: what remains overlaps nowhere and can be summed.
        all.Sort();
        foreach (IpPrefix range in all.Where(range => _ranges.Count == 0 || !_ranges[^1].Contains(range)))
        {
            _ranges.Add(range);
        }
    }

    public bool Contains(IpAddress address) => _ranges.Exists(r => r.Contains(address));

    /// <summary>Every address of the prefix is reserved.</summary>
    public bool Cover(IpPrefix prefix) => _ranges.Exists(r => r.Contains(prefix)) || CountIn(prefix) == prefix.Size;

    /// <summary>How many addresses of the prefix are reserved.</summary>
    public UInt128 CountIn(IpPrefix prefix)
    {
        UInt128 count = 0;
        foreach (IpPrefix range in _ranges)
        {
            count += range.Contains(prefix) ? prefix.Size : prefix.Contains(range) ? range.Size : 0;
        }

        return count;
    }
}
