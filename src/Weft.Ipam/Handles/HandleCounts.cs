using Weft.Datastore;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Primitives.Net;

namespace Weft.Ipam.Handles;

/// <summary>
/// Which blocks a handle holds addresses of. The one rule that must never break: while a block holds an address of a handle, the handle names the block.
/// So the count goes up before the block is written and down after it; a crash in between leaves a count too high, never too low.
/// </summary>
internal sealed class HandleCounts(IDatastore store, TimeProvider time)
{
    /// <returns>The handle's revision with this increment in it: needed to take it back.</returns>
    public async ValueTask<Revision> IncrementAsync(string handle, IpPrefix block, int count, CancellationToken stop)
    {
        HandleKey key = new(handle);
        Attempts attempts = new(time, $"count addresses of handle {handle}");
        KeyValue? stored = null; // Nearly always a new handle: try that first, and learn what is there from the refusal.
        while (true)
        {
            await attempts.NextAsync(stop);
            IpamHandle value = stored?.As<IpamHandle>() ?? new IpamHandle();
            value.Block[block.ToString()] = value.Block.GetValueOrDefault(block.ToString()) + count;
            WriteResult result = stored is null ? await store.CreateAsync(key, value, stop) : await store.UpdateAsync(key, value, stored.Revision, stop);
            if (result.IsWritten)
            {
                return result.Revision;
            }

            stored = result.Existing ?? await store.GetAsync(key, stop);
        }
    }

    /// <summary>
    /// Takes an increment back whose block could not be written. Only if nobody has touched the handle since: otherwise somebody may count on it by now,
    /// and a count too high does no harm.
    /// </summary>
    public async ValueTask UndoAsync(string handle, IpPrefix block, int count, Revision incremented, CancellationToken stop)
    {
        HandleKey key = new(handle);
        if (await store.GetAsync(key, stop) is { } stored && stored.Revision == incremented)
        {
            await WriteAsync(key, Less(stored.As<IpamHandle>(), block, count), stored.Revision, stop);
        }
    }

    public async ValueTask DecrementAsync(string handle, IpPrefix block, int count, CancellationToken stop)
    {
        HandleKey key = new(handle);
        Attempts attempts = new(time, $"count addresses of handle {handle}");
        while (true)
        {
            await attempts.NextAsync(stop);
            if (await store.GetAsync(key, stop) is not { } stored || !stored.As<IpamHandle>().Block.ContainsKey(block.ToString()))
            {
                return;
            }

            if ((await WriteAsync(key, Less(stored.As<IpamHandle>(), block, count), stored.Revision, stop)).IsWritten)
            {
                return;
            }
        }
    }

    private ValueTask<WriteResult> WriteAsync(HandleKey key, IpamHandle value, Revision expected, CancellationToken stop) =>
        value.Block.Count == 0 ? store.DeleteAsync(key, expected, stop) : store.UpdateAsync(key, value, expected, stop);

    private static IpamHandle Less(IpamHandle handle, IpPrefix block, int count)
    {
        string name = block.ToString();
        int left = handle.Block.GetValueOrDefault(name) - count;
        if (left > 0)
        {
            handle.Block[name] = left;
        }
        else
        {
            handle.Block.Remove(name);
        }

        return handle;
    }
}
