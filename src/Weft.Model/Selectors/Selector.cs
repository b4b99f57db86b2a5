using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Weft.Model.Selectors;

/// <summary>
/// A label expression of the Calico API, parsed once: evaluation, canonical text, and an id that depends on that text alone. Immutable; two selectors are
/// equal when their canonical texts are.
/// </summary>
public sealed class Selector : IEquatable<Selector>
{
    /// <summary>Characters of input the parser accepts. The API allows 1024; conversion joins several, with longer label names.</summary>
    public const int MaxLength = 65536;

    /// <summary>Nested parentheses the parser accepts; bounds the stack of everything that walks the tree.</summary>
    public const int MaxDepth = 600;

    private static readonly Dictionary<string, LabelRestriction> s_unrestricted = [];

    private readonly SelectorNode _root;
    private IReadOnlyDictionary<string, LabelRestriction>? _restrictions;
    private string? _id;

    internal Selector(SelectorNode root)
    {
        _root = root;
        StringBuilder text = new();
        root.AppendTo(text);
        Text = text.ToString();
    }

    /// <summary>Matches everything.</summary>
    public static Selector All { get; } = new(AllNode.All);

    /// <summary>Canonical text.</summary>
    public string Text { get; }

    /// <summary>"s:" and a hash of <see cref="Text"/>.</summary>
    public string Id => _id ??= UniqueId.Make("s", Text);

    /// <summary>
    /// Per label, a condition that everything the selector matches satisfies (a sound over-approximation). A label that is not named here is not restricted.
    /// </summary>
    public IReadOnlyDictionary<string, LabelRestriction> Restrictions => _restrictions ??= _root.Restrictions() ?? s_unrestricted;

    /// <summary>Empty or blank input is all().</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Selector? selector, [NotNullWhen(false)] out string? error)
    {
        SelectorParser parser = new(text ?? string.Empty);
        SelectorNode? root = parser.Parse(out error);
        selector = root is null ? null : new Selector(root);
        return selector is not null;
    }

    /// <exception cref="FormatException">The text is no selector.</exception>
    public static Selector Parse(string text) =>
        TryParse(text, out Selector? selector, out string? error) ? selector : throw new FormatException($"selector \"{text}\": {error}");

    /// <summary>The canonical text, or the trimmed input when it is no selector.</summary>
    public static string Normalise(string text)
    {
        string trimmed = text.Trim();
        return TryParse(trimmed, out Selector? selector, out _) ? selector.Text : trimmed;
    }

    public bool Matches<TLabels>(in TLabels labels)
        where TLabels : ILabels => _root.Matches(in labels);

    public bool Matches(IReadOnlyDictionary<string, string>? own, IReadOnlyList<IReadOnlyDictionary<string, string>>? parents = null) =>
        Matches(new InheritedLabels(own, parents));

    /// <summary>The same expression over labels whose names begin with <paramref name="prefix"/> ("pcns.", "pcsa.").</summary>
    public Selector WithPrefix(string prefix) => new(_root.WithPrefix(prefix));

    public bool Equals(Selector? other) => other is not null && Text == other.Text;

    public override bool Equals(object? obj) => Equals(obj as Selector);

    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Text;
}
