using System.Text;
using Weft.Model.Selectors;

namespace Weft.Fuzz.Targets;

/// <summary>
/// Selectors: the text of a parsed selector parses again, and from then on to the same text. (Calico writes !(!a) as !!a and reads that as a; an id is made from
/// the text, so weft does the same.)
/// </summary>
internal sealed class SelectorTarget : FuzzTarget
{
    public override string Name => "selector";

    public override IEnumerable<byte[]> Seeds => new[]
    {
        "all()", "", "a == 'b' && !has(c) || (d in {'x', \"y\"} && e not in {'z'})", "a contains 'b' && c starts with 'd' && e ends with 'f'", "global()", "!(a != 'b')",
    }.Select(Encoding.UTF8.GetBytes);

    public override IReadOnlyList<byte[]> Words => new[] { "&&", "||", "!", "(", ")", "{", "}", "in ", "not in ", "has(", "all()", "'", "\"", "==", "!=", " contains ", " starts with ", "global()" }.Select(Encoding.UTF8.GetBytes).ToArray();

    public override ulong Run(byte[] input)
    {
        string text = Encoding.UTF8.GetString(input);
        if (!Selector.TryParse(text, out Selector? selector, out string? error))
        {
            return Mix(1, Magnitude(error.Length) << 8 | (uint)error[0]);
        }

        string written = selector.ToString()!;
        Require(Selector.TryParse(written, out Selector? again, out string? why), $"our own text is refused: {why}");
        Require(Selector.TryParse(again!.ToString(), out Selector? third, out _) && third.ToString() == again.ToString(), "a selector changes from one reading to the next");
        return Mix(2, Magnitude(written.Length) << 8 | (uint)written.Count(static c => c is '&' or '|' or '!' or '{'));
    }
}
