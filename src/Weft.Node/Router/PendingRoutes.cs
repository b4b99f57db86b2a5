using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// Best routes of one family on their way from the RIB's loop to the FIB's. A list in order of time; when it has grown to twice what it last held of different
/// prefixes, only the newest word on each stays. So it is bounded by the table, however far the FIB is behind.
/// </summary>
internal sealed class PendingRoutes(IpFamily family)
{
    private const int Smallest = 64 * 1024;

    // Guards _pending and _limit: taken once per batch by the RIB's loop, once per turn by the FIB's.
    private readonly Lock _gate = new();
    private readonly List<LearnedRoute> _batch = [];
    private List<LearnedRoute> _pending = [];
    private List<LearnedRoute> _taken = [];
    private int _limit = Smallest;

    public IpFamily Family => family;

    /// <summary>On the RIB's loop.</summary>
    public void Add(in LearnedRoute route) => _batch.Add(route);

    /// <summary>On the RIB's loop: what was added may be taken now.</summary>
    public void Publish()
    {
        lock (_gate)
        {
            _pending.AddRange(_batch);
            if (_pending.Count > _limit)
            {
                Compact();
            }
        }

        _batch.Clear();
    }

    /// <summary>On the FIB's loop; good until the next call.</summary>
    public List<LearnedRoute> Take()
    {
        lock (_gate)
        {
            (_pending, _taken) = (_taken, _pending);
            _pending.Clear();
            _limit = Smallest;
        }

        return _taken;
    }

    private void Compact()
    {
        Dictionary<(ulong, ulong, byte), int> newest = new(_pending.Count);
        foreach (LearnedRoute route in _pending)
        {
            newest[(route.High, route.Low, route.Length)] = route.Set;
        }

        _pending.Clear();
        _pending.AddRange(newest.Select(n => new LearnedRoute(n.Key.Item1, n.Key.Item2, n.Key.Item3, n.Value)));
        _limit = Math.Max(Smallest, 2 * _pending.Count);
    }
}
