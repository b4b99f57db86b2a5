using Weft.Bgp.Wire;
using Weft.Primitives.Net;

namespace Weft.Bgp.Rib;

/// <summary>
/// Looks at the next prefixes of a batch while the rows of all of them are asked for. A table of a million routes does not fit into the cache: one lookup after the
/// other waits for memory at every step (bucket, prefix, path, attributes), while side by side a step of all of them waits about as long as a step of one.
/// Owned by <see cref="AdjRibIn"/>. (s2 and s5 of the BGP bench: see RESULTS.md, "prefetch".)
/// </summary>
internal sealed class LookAhead
{
    /// <summary>Enough that the first row is there when the last has been asked for, few enough that all stay in the nearest cache until their turn.</summary>
    private const int Size = 32;

    private readonly RibTables _tables;
    private readonly uint[] _hashes = new uint[Size];
    private int _next;
    private int _count;

    public LookAhead(RibTables tables) => _tables = tables;

    /// <summary>Before the first prefix of a batch.</summary>
    public void Begin() => _next = _count = 0;

    /// <summary>The hash of the next prefix: that at <paramref name="offset"/> of the NLRI of a record, asked for one after the other.</summary>
    public uint Next(UpdateBatch batch, int record, int offset)
    {
        if (_next == _count)
        {
            Fill(batch, record, offset);
        }

        return _hashes[_next++];
    }

    private void Fill(UpdateBatch batch, int record, int offset)
    {
        Span<uint> sets = stackalloc uint[Size];
        int setCount = 0;
        int setAt = -1;
        _next = 0;
        _count = 0;
        ReadOnlySpan<BatchRecord> records = batch.Records;
        for (; record < records.Length && _count < Size; record++)
        {
            ref readonly BatchRecord from = ref records[record];
            if (from.Kind == BatchRecordKind.Announce && from.AttributesAt != setAt)
            {
                // Each such record has a prefix, so there are no more of them than prefixes.
                setAt = from.AttributesAt;
                _tables.Attributes.FetchBucket(from.Hash);
                sets[setCount++] = from.Hash;
            }

            var prefixes = new NlriReader(batch.Bytes.Slice(from.NlriAt + offset, from.NlriLength - offset), _tables.Family, batch.HasPathIds);
            offset = 0;
            while (_count < Size && prefixes.MoveNext())
            {
                uint hash = PrefixTable.Hash(prefixes.Current);
                _hashes[_count++] = hash;
                _tables.Prefixes.FetchBucket(hash);
            }
        }

        FetchRows(sets[..setCount]);
    }

    /// <summary>One step of all, then the next. Row 0 of every table exists and is nobody's, so that absent ones need no branch.</summary>
    private void FetchRows(ReadOnlySpan<uint> sets)
    {
        foreach (uint hash in sets)
        {
            _tables.Attributes.FetchFirst(hash);
        }

        Span<PrefixId> rows = stackalloc PrefixId[_count];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = _tables.Prefixes.FetchFirst(_hashes[i]);
        }

        Span<PathId> paths = stackalloc PathId[_count];
        for (int i = 0; i < rows.Length; i++)
        {
            paths[i] = _tables.Prefixes.FirstPath(rows[i]);
            _tables.Paths.Fetch(paths[i]);
        }

        foreach (PathId path in paths)
        {
            _tables.Attributes.Fetch(_tables.Paths.Attributes(path));
        }
    }
}
