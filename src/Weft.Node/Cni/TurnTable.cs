namespace Weft.Node.Cni;

/// <summary>One holder per name at a time; others wait in line. A name takes no memory when nobody holds it.</summary>
internal sealed class TurnTable
{
    private readonly Lock _gate = new(); // Guards the table; held for a look-up only.
    private readonly Dictionary<string, Turn> _turns = [];

    public async ValueTask<IDisposable> TakeAsync(string name, CancellationToken stop)
    {
        Turn? turn;
        lock (_gate)
        {
            if (!_turns.TryGetValue(name, out turn))
            {
                _turns[name] = turn = new Turn(this, name);
            }

            turn.Users++;
        }

        try
        {
            await turn.Free.WaitAsync(stop);
            return turn;
        }
        catch
        {
            Leave(turn);
            throw;
        }
    }

    private void Leave(Turn turn)
    {
        lock (_gate)
        {
            if (--turn.Users == 0)
            {
                _turns.Remove(turn.Name);
            }
        }
    }

    private sealed class Turn(TurnTable table, string name) : IDisposable
    {
        public string Name { get; } = name;

        public SemaphoreSlim Free { get; } = new(1, 1);

        /// <summary>Holder and waiters; guarded by the table's gate.</summary>
        public int Users { get; set; }

        public void Dispose()
        {
            Free.Release();
            table.Leave(this);
        }
    }
}
