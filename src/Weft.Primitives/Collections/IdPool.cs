namespace Weft.Primitives.Collections;

/// <summary>Hands out dense ids from 1 upwards, a returned one again before any higher one, so that columns and bitmaps indexed by them stay short. 0 is never given.</summary>
public sealed class IdPool
{
    private readonly Bitmap _returned = new();
    private uint _lowestReturned;

    /// <summary>One above the highest id ever given.</summary>
    public uint End { get; private set; } = 1;

    /// <summary>Ids in use.</summary>
    public int Count => (int)(End - 1) - _returned.Count;

    public uint Take()
    {
        if (_returned.TryNext(_lowestReturned, out uint id))
        {
            _returned.Clear(id);
            _lowestReturned = id + 1;
            return id;
        }

        return End++;
    }

    public void Return(uint id)
    {
        if (id == 0 || id >= End || !_returned.Set(id))
        {
            throw new InvalidOperationException($"id {id} was returned but is not in use");
        }

        if (_returned.Count == 1 || id < _lowestReturned)
        {
            _lowestReturned = id;
        }
    }
}
