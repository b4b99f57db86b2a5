using System.Diagnostics.CodeAnalysis;

namespace Weft.Bgp.Policies;

/// <summary>
/// A regular expression whose letters are AS numbers. Equal texts are equal patterns.
/// <code>
///   65001            this AS                      65010-65020     one AS of the range
///   .                any one AS                   [65001 65010-65020], [^65001]   one of, or none of
///   ^ $              begin and end of the path    ( a | b )       either
///   * + ? {2} {1,3}  repeat what stands before    blank or _      only separates
///   ^$  an empty path        ^65001 .* 65099$  begins with 65001, ends with 65099        65001  contains it
/// </code>
/// An AS_SET is one letter that is any of its members at once. Segments of a confederation count as written.
/// </summary>
public sealed class AsPathPattern : IEquatable<AsPathPattern>
{
    private AsPathPattern(string text, AsPathAutomaton automaton) => (Text, Automaton) = (text, automaton);

    public string Text { get; }

    internal AsPathAutomaton Automaton { get; }

    /// <summary>The reason names the character (counted from 1) where the text stops making sense.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out AsPathPattern? pattern, out string reason)
    {
        pattern = null;
        var parser = new AsPathPatternParser(text);
        if (!parser.TryParse(out AsPathNode? root, out reason))
        {
            return false;
        }

        if (!AsPathAutomaton.TryBuild(root, out AsPathAutomaton? automaton))
        {
            reason = $"needs more than {AsPathAutomaton.MaximumPositions} places once its repetitions are written out";
            return false;
        }

        pattern = new AsPathPattern(text, automaton);
        return true;
    }

    /// <exception cref="FormatException">Not a pattern.</exception>
    public static AsPathPattern Parse(string text) => TryParse(text, out AsPathPattern? pattern, out string reason) ? pattern : throw new FormatException($"\"{text}\": {reason}");

    public bool Equals(AsPathPattern? other) => other is not null && Text == other.Text;

    public override bool Equals(object? obj) => Equals(obj as AsPathPattern);

    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Text;
}
