using Weft.Bgp.Rib;

namespace Weft.Bgp.Export;

/// <summary>One path as it was told last.</summary>
internal struct SentPath
{
    /// <summary>Its row is the identifier on the wire: unique among the paths there are, and the same as long as the path lives.</summary>
    public PathId Path;

    /// <summary>Whose path it was then: if a member, the one that was not told.</summary>
    public PeerId Source;

    /// <summary>With what, one reference; None: it must be told again whatever it has.</summary>
    public AttributeId Attributes;

    /// <summary>Row of the next path of the same prefix; 0: none.</summary>
    public uint Next;
}

/// <summary>
/// RFC 7911: the paths that an update group has told, 16 octets each, in a chain per prefix. Only groups that send several paths have such a table; one for all
/// members. Owned by one RIB loop.
/// </summary>
internal sealed class SentPaths
{
    private readonly AttributeTable _attributes;
    private uint[] _heads = [];
    private SentPath[] _rows = new SentPath[64];
    private uint _end = 1;
    private uint _free;

    public SentPaths(AttributeTable attributes) => _attributes = attributes;

    public int Count { get; private set; }

    /// <summary>Octets held.</summary>
    public long Reserved => 4L * _heads.Length + 16L * _rows.Length;

    public ref SentPath this[uint row] => ref _rows[row];

    /// <summary>The first row of a prefix; 0: nothing was told.</summary>
    public uint First(PrefixId prefix) => (uint)prefix < (uint)_heads.Length ? _heads[(uint)prefix] : 0;

    /// <summary>0: the path was not told.</summary>
    public uint Find(PrefixId prefix, PathId path)
    {
        uint row = First(prefix);
        while (row != 0 && _rows[row].Path != path)
        {
            row = _rows[row].Next;
        }

        return row;
    }

    /// <summary>The path is told with these attributes now.</summary>
    public void Set(PrefixId prefix, PathId path, PeerId source, AttributeId attributes)
    {
        uint row = Find(prefix, path);
        if (row == 0)
        {
            row = Add(prefix, path);
        }

        if (attributes != AttributeId.None)
        {
            _attributes.Acquire(attributes);
        }

        ref SentPath sent = ref _rows[row];
        _attributes.Release(sent.Attributes);
        (sent.Source, sent.Attributes) = (source, attributes);
    }

    public void Remove(PrefixId prefix, PathId path)
    {
        if (First(prefix) == 0)
        {
            return;
        }

        ref uint link = ref _heads[(uint)prefix];
        while (link != 0 && _rows[link].Path != path)
        {
            link = ref _rows[link].Next;
        }

        uint row = link;
        if (row != 0)
        {
            link = _rows[row].Next;
            _attributes.Release(_rows[row].Attributes);
            _rows[row] = new SentPath { Next = _free };
            _free = row;
            Count--;
        }
    }

    /// <summary>Makes this empty table equal to another.</summary>
    /// <param name="again">Everything must be told again.</param>
    public void CopyFrom(SentPaths other, bool again)
    {
        _heads = [.. other._heads];
        _rows = [.. other._rows];
        (_end, _free, Count) = (other._end, other._free, other.Count);
        for (uint row = 1; row < _end; row++)
        {
            ref AttributeId attributes = ref _rows[row].Attributes;
            attributes = again ? AttributeId.None : attributes;
            if (attributes != AttributeId.None)
            {
                _attributes.Acquire(attributes);
            }
        }
    }

    /// <summary>Lets go of the attributes; the table is not used any more.</summary>
    public void Clear()
    {
        for (uint row = 1; row < _end; row++)
        {
            _attributes.Release(_rows[row].Attributes);
        }

        (_heads, _rows, _end, _free, Count) = ([], [], 1, 0, 0);
    }

    /// <summary>Paths told to a member: all but its own.</summary>
    public int CountFor(PeerId member)
    {
        int count = 0;
        for (uint row = 1; row < _end; row++)
        {
            count += _rows[row].Path != PathId.None && _rows[row].Source != member ? 1 : 0;
        }

        return count;
    }

    private uint Add(PrefixId prefix, PathId path)
    {
        if ((uint)prefix >= (uint)_heads.Length)
        {
            Array.Resize(ref _heads, (int)Math.Max((uint)prefix + 1, Math.Max(64, 2 * (uint)_heads.Length)));
        }

        uint row = _free;
        if (row != 0)
        {
            _free = _rows[row].Next;
        }
        else
        {
            row = _end++;
            if (row == _rows.Length)
            {
                Array.Resize(ref _rows, 2 * _rows.Length);
            }
        }

        _rows[row] = new SentPath { Path = path, Next = _heads[(uint)prefix] };
        _heads[(uint)prefix] = row;
        Count++;
        return row;
    }
}
