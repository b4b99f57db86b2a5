namespace Weft.Bgp.Session;

/// <summary>Whether a peer of a range may be forgotten.</summary>
internal enum Retirement : byte
{
    /// <summary>It takes no connection any more.</summary>
    Done,

    /// <summary>It has a connection again.</summary>
    Alive,

    /// <summary>It has none, but is kept down on purpose.</summary>
    Later,
}

/// <summary>A range of addresses from which peers may come, with what became of those that did. One per configuration: another configuration counts anew.</summary>
internal sealed class PeerRange(PeerSettings settings)
{
    private long _refused;
    private Tuple<string, DateTimeOffset>? _lastEnd;

    public PeerSettings Settings => settings;

    /// <summary>Connections refused because the range was full.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>The last peer that was forgotten, with the reason.</summary>
    public (string Reason, DateTimeOffset At)? LastEnd => Volatile.Read(ref _lastEnd) is { } end ? (end.Item1, end.Item2) : null;

    public long Refuse() => Interlocked.Increment(ref _refused);

    public void NoteEnd(string name, string? reason, DateTimeOffset at) => Volatile.Write(ref _lastEnd, Tuple.Create($"{name}: {reason ?? "its connection ended"}", at));
}
