namespace Weft.Model.Validation;

/// <summary>What may stand in one field.</summary>
internal enum SchemaType : byte
{
    Any,
    Text,
    Integer,
    Number,
    Boolean,
    IntegerOrText,
    Port,
    Protocol,
    AsNumber,

    /// <summary>One of <see cref="SchemaNode.Words"/>.</summary>
    One,

    /// <summary>One of <see cref="SchemaNode.Words"/> in any case, or empty.</summary>
    Word,
    List,
    Map,
    Object,
}

/// <summary>The schema of one value; built once from fields.schema and never changed after.</summary>
internal sealed class SchemaNode(SchemaType type)
{
    public SchemaType Type { get; } = type;

    /// <summary>By name, in the order of the file; empty unless the type is Object.</summary>
    public Dictionary<string, SchemaNode> Members { get; init; } = [];

    public HashSet<string> Required { get; init; } = [];

    /// <summary>Of a List or Map.</summary>
    public SchemaNode? Element { get; set; }

    /// <summary>Of a List: no two elements alike.</summary>
    public bool IsSet { get; init; }

    public int MinItems { get; init; }

    public int MaxItems { get; init; } = int.MaxValue;

    public IReadOnlyList<string> Words { get; init; } = [];

    public long Min { get; set; } = long.MinValue;

    public long Max { get; set; } = long.MaxValue;

    public IReadOnlyList<long>? Values { get; set; }

    /// <summary>Characters.</summary>
    public int MaxLength { get; set; } = int.MaxValue;

    /// <summary>Of an Object: how many members must be there; 0 for any number.</summary>
    public int ExactMembers { get; set; }

    public string? Format { get; set; }

    /// <summary>As text; written into an object that lacks the member.</summary>
    public string? Default { get; set; }
}
