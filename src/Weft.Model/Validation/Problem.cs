namespace Weft.Model.Validation;

/// <summary>One thing that is wrong with an object: where, what stands there, and what is expected. All problems of an object are found at once.</summary>
/// <param name="Path">Path of the field, as "spec.ingress[0].source.nets[1]"; empty for the object as a whole.</param>
/// <param name="Value">What stands there; null when nothing does, or when showing it says nothing.</param>
/// <param name="Expected">What would be right.</param>
public sealed record Problem(string Path, string? Value, string Expected)
{
    /// <summary>Line of the field in the file it was read from, from 1; 0 when it was not read from a file.</summary>
    public int Line { get; init; }

    public override string ToString() => (Path, Value) switch
    {
        ("", null) => Expected,
        ("", _) => $"\"{Value}\": {Expected}",
        (_, null) => $"{Path}: {Expected}",
        _ => $"{Path}: \"{Value}\": {Expected}",
    };
}

/// <summary>Collects problems; owned by one validation.</summary>
internal sealed class ProblemList
{
    private readonly List<Problem> _problems = [];

    public IReadOnlyList<Problem> Problems => _problems;

    public void Add(string path, string? value, string expected) => _problems.Add(new Problem(path, value, expected));

    public void Add(string path, string expected) => Add(path, null, expected);

    public void Require(bool holds, string path, string? value, string expected)
    {
        if (!holds)
        {
            Add(path, value, expected);
        }
    }
}
