using System.Globalization;

namespace Weft.Node.Router;

/// <summary>
/// The words of a filter rule with their places, and how far the reader has come. The first thing that is wrong stays as <see cref="Problem"/>. Used by
/// <see cref="FilterRuleParser"/>.
/// </summary>
internal sealed class RuleWords
{
    private readonly string _text;
    private readonly List<(string Text, int At, bool Quoted)> _words = [];

    public RuleWords(string text)
    {
        _text = text;
        Split();
    }

    /// <summary>"at character 7: expected ...", counted from 1; empty: all is well.</summary>
    public string Problem { get; private set; } = string.Empty;

    public bool IsGood => Problem.Length == 0;

    /// <summary>Number of the word to be read.</summary>
    public int Next { get; set; }

    public bool IsAtEnd => Next >= _words.Count;

    public (string Text, int At, bool Quoted) Current => _words[Next];

    public (string Text, int At, bool Quoted) this[int word] => _words[word];

    /// <param name="expected">In words, should it be something else.</param>
    /// <param name="signed">A sign may stand in front; it is the caller's to read.</param>
    public uint Number(string expected, uint minimum, uint maximum, bool signed = false)
    {
        int at = Next;
        string text = Word(expected);
        ReadOnlySpan<char> digits = signed ? text.AsSpan().TrimStart("+-") : text;
        if (!uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) || number < minimum || number > maximum)
        {
            Next = at;
            Fail(maximum == uint.MaxValue ? $"expected {expected}" : $"expected {expected}, from {minimum} to {maximum}");
        }

        return number;
    }

    /// <summary>The words up to the next comma or "then"; at least one.</summary>
    public List<(string Text, int At, bool Quoted)> Rest(string expected)
    {
        List<(string Text, int At, bool Quoted)> words = [];
        while (Next < _words.Count && (_words[Next].Quoted || _words[Next].Text is not ("," or "then")))
        {
            words.Add(_words[Next++]);
        }

        if (words.Count == 0)
        {
            Fail($"expected {expected}");
        }

        return words;
    }

    /// <summary>The next word in small letters; not a comma, and not "then".</summary>
    public string Word(string expected)
    {
        if (Next >= _words.Count || Peek() is "," or "then")
        {
            Fail($"expected {expected}");
            return string.Empty;
        }

        return _words[Next++].Text.ToLowerInvariant();
    }

    /// <summary>The next word as it is written; empty for a quoted one, and at the end.</summary>
    public string Peek() => Next < _words.Count && !_words[Next].Quoted ? _words[Next].Text : string.Empty;

    /// <summary>Goes past the word when it is the next one.</summary>
    public bool Take(string word)
    {
        bool found = Peek() == word;
        Next += found ? 1 : 0;
        return found;
    }

    /// <summary>At the next word.</summary>
    public void Fail(string problem) => Fail(problem, Next < _words.Count ? _words[Next].At : _text.Length);

    /// <summary>The first problem counts: it is where the reader went wrong.</summary>
    public void Fail(string problem, int at) => Problem = Problem.Length > 0 ? Problem : $"at character {at + 1}: {problem}";

    /// <summary>Words, commas and quoted texts; braces and brackets keep theirs together.</summary>
    private void Split()
    {
        int at = 0;
        while (at < _text.Length)
        {
            char c = _text[at];
            if (char.IsWhiteSpace(c))
            {
                at++;
            }
            else if (c == ',')
            {
                _words.Add((",", at++, false));
            }
            else if (c is '"' or '\'')
            {
                int end = _text.IndexOf(c, at + 1);
                if (end < 0)
                {
                    Next = _words.Count;
                    _words.Add((_text[at..], at, true));
                    Fail("the quotation is never closed");
                    return;
                }

                _words.Add((_text[(at + 1)..end], at, true));
                at = end + 1;
            }
            else
            {
                int start = at;
                bool inBraces = false;
                while (at < _text.Length && (inBraces || (!char.IsWhiteSpace(_text[at]) && _text[at] != ',')))
                {
                    inBraces = _text[at] == '{' || (inBraces && _text[at] != '}');
                    at++;
                }

                _words.Add((_text[start..at], start, false));
            }
        }
    }
}
