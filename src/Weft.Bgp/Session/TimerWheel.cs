namespace Weft.Bgp.Session;

/// <summary>
/// Timers of many sessions on one loop. A wheel of slots a fixed step apart: arming and disarming cost one list operation however many sessions there are, and the
/// loop asks only when the next occupied slot is due. Resolution is one step; a timer never fires early.
/// </summary>
internal sealed class TimerWheel
{
    private const int Slots = 1024;

    private readonly List<Entry>?[] _slots = new List<Entry>?[Slots];
    private readonly long _step;
    private long _now;

    // No timer is due before this step. Lower than it need be after a disarm: then the loop wakes once for nothing.
    private long _next = long.MaxValue;

    /// <param name="step">Ticks per slot.</param>
    /// <param name="now">The first tick.</param>
    public TimerWheel(long step, long now)
    {
        _step = step;
        _now = now / step;
    }

    /// <summary>Timers that are armed.</summary>
    public int Count { get; private set; }

    /// <summary>The tick an armed timer is due at; null when it is not armed.</summary>
    public long? DueOf(Entry entry) => entry.Due == 0 ? null : entry.Due * _step;

    /// <summary>One timer of one session; armed at most once at a time.</summary>
    internal sealed class Entry(Action fire)
    {
        public Action Fire { get; } = fire;

        /// <summary>The step it is due at; 0: not armed.</summary>
        public long Due { get; set; }
    }

    public void Arm(Entry entry, long dueTick)
    {
        Disarm(entry);

        // Rounded up and past the current step: never early, never into a slot that was already looked at.
        entry.Due = Math.Max((dueTick + _step - 1) / _step, _now + 1);
        (_slots[entry.Due % Slots] ??= []).Add(entry);
        _next = Math.Min(_next, entry.Due);
        Count++;
    }

    public void Disarm(Entry entry)
    {
        if (entry.Due != 0)
        {
            _slots[entry.Due % Slots]!.Remove(entry);
            entry.Due = 0;
            Count--;
        }
    }

    /// <summary>Fires what is due. Timers armed meanwhile are due later.</summary>
    public void Advance(long tick)
    {
        long target = tick / _step;

        // After a long sleep every slot is looked at once, not once per step.
        long first = Math.Max(_now + 1, target - Slots + 1);
        _now = Math.Max(_now, target);
        for (long step = first; step <= target && Count != 0; step++)
        {
            if (_slots[step % Slots] is List<Entry> { Count: > 0 } slot)
            {
                FireSlot(slot, target);
            }
        }
    }

    private void FireSlot(List<Entry> slot, long target)
    {
        for (int i = slot.Count - 1; i >= 0; i--)
        {
            // Firing may arm and disarm others in this very slot.
            if (i < slot.Count && slot[i].Due <= target)
            {
                Entry entry = slot[i];
                slot.RemoveAt(i);
                entry.Due = 0;
                Count--;
                entry.Fire();
            }
        }
    }

    /// <summary>The tick at which the loop must look again: no timer is due before; <see cref="long.MaxValue"/> without timers.</summary>
    public long NextDue()
    {
        if (Count == 0)
        {
            _next = long.MaxValue;
        }
        else if (_next <= _now)
        {
            _next = Earliest();
        }

        return _next == long.MaxValue ? long.MaxValue : _next * _step;
    }

    private long Earliest()
    {
        long later = long.MaxValue;
        for (long step = _now + 1; step <= _now + Slots; step++)
        {
            if (_slots[step % Slots] is List<Entry> slot)
            {
                foreach (Entry entry in slot)
                {
                    if (entry.Due <= step)
                    {
                        return step;
                    }

                    later = Math.Min(later, entry.Due);
                }
            }
        }

        return later;
    }
}
