namespace Weft.Dataplane.Drivers.Routes;

/// <summary>
/// Equal wishes once, counted by use: a table has many routes and few ways out. Owned by one <see cref="DesiredRoutes"/>.
/// </summary>
internal sealed class WishTable
{
    private readonly Dictionary<RouteWish, int> _ids = [];
    private readonly Stack<int> _free = [];
    private RouteWish[] _wishes = new RouteWish[16];
    private int[] _uses = new int[16];
    private int _end;
    private int _last = -1;

    public RouteWish this[int id] => _wishes[id];

    /// <summary>The number of the wish, with one more use.</summary>
    public int Acquire(in RouteWish wish)
    {
        if (_last < 0 || _uses[_last] == 0 || !IsLast(wish))
        {
            _last = Find(wish);
        }

        _uses[_last]++;
        return _last;
    }

    public void Release(int id)
    {
        if (--_uses[id] == 0)
        {
            _ids.Remove(_wishes[id]);
            _wishes[id] = default;
            _free.Push(id);
        }
    }

    private bool IsLast(in RouteWish wish)
    {
        ref readonly RouteWish last = ref _wishes[_last];
        return ReferenceEquals(last.Target, wish.Target) && last.Owner == wish.Owner && last.Link == wish.Link;
    }

    private int Find(in RouteWish wish)
    {
        if (_ids.TryGetValue(wish, out int id))
        {
            return id;
        }

        id = _free.Count > 0 ? _free.Pop() : _end++;
        if (id == _wishes.Length)
        {
            Array.Resize(ref _wishes, id * 2);
            Array.Resize(ref _uses, id * 2);
        }

        _wishes[id] = wish;
        _ids[wish] = id;
        return id;
    }
}
