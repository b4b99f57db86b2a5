namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// Counts our own transactions in a namespace, of all families: the kernel's generation counts everybody's, and what is more than ours is somebody
/// else's. Families write side by side, so it is counted atomically; a count that comes late only costs a read.
/// </summary>
internal sealed class NfCommits
{
    private uint _count;

    public uint Count => Volatile.Read(ref _count);

    public void Add() => Interlocked.Increment(ref _count);

    /// <summary>Only our transactions lie between two generations.</summary>
    /// <param name="then">The earlier generation.</param>
    /// <param name="countThen">Our count at that time.</param>
    /// <param name="now">The later generation.</param>
    public bool Explain(uint then, uint countThen, uint now) => now - then == Count - countThen;
}
