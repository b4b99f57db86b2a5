namespace Weft.Bgp.Rib;

/// <summary>A set of epochs, one bit each.</summary>
[Flags]
internal enum EpochSet : byte
{
    None = 0,
    All = 0x0F,
}

/// <summary>
/// What makes all routes of a peer old in one step. Every path carries the number of the epoch in which it was last announced, two bits of its marks; the end of a session
/// (RFC 4724) and the beginning of a refresh (RFC 7313) begin another epoch, and nothing is written to a million paths. What is to become of the paths of old epochs
/// stands in sets. Owned by one RIB loop.
/// </summary>
internal sealed class PathEpochs
{
    public const int Numbers = 4;

    private readonly int[] _paths = new int[Numbers];

    /// <summary>What is announced now belongs to it.</summary>
    public int Current { get; private set; }

    /// <summary>RFC 4724: kept because the peer may come back with them.</summary>
    public EpochSet Stale { get; set; }

    /// <summary>RFC 7313: not announced again yet since the refresh began.</summary>
    public EpochSet Unrefreshed { get; set; }

    /// <summary>To be removed; the removal is under way.</summary>
    public EpochSet Removing { get; set; }

    public int StalePaths => Count(Stale);

    public int UnrefreshedPaths => Count(Unrefreshed);

    public static EpochSet SetOf(int epoch) => (EpochSet)(1 << epoch);

    public static bool Has(EpochSet set, int epoch) => ((int)set >> epoch & 1) != 0;

    /// <summary>Epochs that have paths, but for the current one and those whose removal is under way.</summary>
    public EpochSet Kept
    {
        get
        {
            EpochSet kept = EpochSet.None;
            for (int epoch = 0; epoch < Numbers; epoch++)
            {
                kept |= _paths[epoch] != 0 && epoch != Current ? SetOf(epoch) : EpochSet.None;
            }

            return kept & ~Removing;
        }
    }

    public void Add(int epoch) => _paths[epoch]++;

    public void Remove(int epoch) => _paths[epoch]--;

    /// <summary>Begins another epoch. False when every number still has paths: then nothing changed.</summary>
    public bool TryAdvance()
    {
        for (int epoch = 0; epoch < Numbers; epoch++)
        {
            if (epoch != Current && _paths[epoch] == 0)
            {
                Current = epoch;
                EpochSet free = ~SetOf(epoch);
                (Stale, Unrefreshed, Removing) = (Stale & free, Unrefreshed & free, Removing & free);
                return true;
            }
        }

        return false;
    }

    public int Count(EpochSet set)
    {
        int count = 0;
        for (int epoch = 0; epoch < Numbers; epoch++)
        {
            count += Has(set, epoch) ? _paths[epoch] : 0;
        }

        return count;
    }
}
