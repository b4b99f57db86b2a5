namespace Weft.Policy.Conversion;

/// <summary>Collects what is wrong with one object, each with its field, so that all of it is reported at once.</summary>
internal sealed class Problems
{
    private List<string>? _texts;

    public bool Any => _texts is not null;

    public void Add(string field, string problem) => (_texts ??= []).Add($"{field}: {problem}");

    /// <summary>Null when nothing is wrong.</summary>
    public override string? ToString() => _texts is null ? null : string.Join("; ", _texts);
}
