using Weft.Primitives.Net;

namespace Weft.Ipam.Tests.Soak;

/// <summary>
/// What the processes say they did, in the order of their datagrams: who holds which address. A handle whose process died in the middle is uncertain: it may
/// hold an address or none. Owned by the driver's loop.
/// </summary>
internal sealed class SoakLedger(TimeSpan cooldown, TimeProvider time)
{
    private readonly Dictionary<string, IpAddress?> _handles = new(StringComparer.Ordinal); // Null: begun, no answer yet.
    private readonly Dictionary<IpAddress, string> _held = [];
    private readonly Dictionary<IpAddress, long> _releasing = []; // When its release began.
    private readonly Queue<(long At, int Count)> _recent = [];

    public List<string> Failures { get; } = [];

    public int Allocations { get; private set; }

    public int Releases { get; private set; }

    /// <summary>Refused since every pool was full.</summary>
    public int Full { get; private set; }

    /// <summary>The most addresses held or cooling at the same time.</summary>
    public int Peak { get; private set; }

    public IReadOnlyDictionary<IpAddress, string> Held => _held;

    /// <summary>Handles of which nobody knows what they hold.</summary>
    public IReadOnlySet<string> Uncertain => _handles.Where(h => h.Value is null).Select(h => h.Key).ToHashSet(StringComparer.Ordinal);

    public void Hear(string text)
    {
        string[] words = text.Split(' ');
        switch (words)
        {
            case ["A", string handle]:
                _handles[handle] = null;
                break;
            case ["a", string handle, string address]:
                Allocated(handle, IpAddress.Parse(address));
                break;
            case ["n", string handle]:
                _handles.Remove(handle);
                Full++;
                break;
            case ["R", string handle]:
                if (_handles.TryGetValue(handle, out IpAddress? held) && held is { } leaving)
                {
                    _held.Remove(leaving);
                    _releasing[leaving] = time.GetTimestamp();
                    _recent.Enqueue((time.GetTimestamp(), 1));
                }

                _handles[handle] = null;
                break;
            case ["r", string handle]:
                _handles.Remove(handle);
                Releases++;
                break;
            default:
                Failures.Add($"cannot understand: {text}");
                break;
        }
    }

    private void Allocated(string handle, IpAddress address)
    {
        Allocations++;
        if (_held.TryGetValue(address, out string? other))
        {
            Failures.Add($"DUPLICATE: {address} was given to {handle} while {other} holds it");
        }

        if (_releasing.TryGetValue(address, out long began) && time.GetElapsedTime(began) < cooldown)
        {
            Failures.Add($"COOLDOWN: {address} was given to {handle} {time.GetElapsedTime(began).TotalSeconds:0.000} s after its release began");
        }

        _handles[handle] = address;
        _held[address] = handle;
        while (_recent.TryPeek(out (long At, int Count) oldest) && time.GetElapsedTime(oldest.At) > cooldown + TimeSpan.FromSeconds(1))
        {
            _recent.Dequeue();
        }

        Peak = Math.Max(Peak, _held.Count + _recent.Count);
    }
}
