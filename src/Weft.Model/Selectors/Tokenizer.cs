namespace Weft.Model.Selectors;

internal enum TokenKind : byte
{
    End,
    Error,
    Label,
    String,
    Has,
    All,
    Global,
    OpenParen,
    CloseParen,
    OpenBrace,
    CloseBrace,
    Comma,
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    In,
    NotIn,
    Not,
    And,
    Or,
}

/// <param name="Kind">What it is.</param>
/// <param name="Text">The label or string; for <see cref="TokenKind.Error"/> the reason.</param>
/// <param name="Offset">Where it begins, in characters.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Offset);

/// <summary>
/// Splits a selector into tokens, each character looked at a bounded number of times. Words are operators only directly after a label, so "in", "has"
/// or "contains" may be labels themselves. Blank and tab are the only whitespace.
/// </summary>
internal ref struct Tokenizer(ReadOnlySpan<char> input)
{
    public const int MaxLabelLength = 512;

    private readonly ReadOnlySpan<char> _input = input;
    private int _at;
    private TokenKind _previous = TokenKind.End;

    public Token Next()
    {
        SkipBlanks();
        int start = _at;
        Token token = Read(start);
        _previous = token.Kind;
        return token;
    }

    private Token Read(int start)
    {
        if (_at >= _input.Length)
        {
            return new Token(TokenKind.End, "end of selector", start);
        }

        switch (_input[_at])
        {
            case '"' or '\'':
                return ReadString(start);
            case '(':
                return Symbol(TokenKind.OpenParen, 1, start);
            case ')':
                return Symbol(TokenKind.CloseParen, 1, start);
            case '{':
                return Symbol(TokenKind.OpenBrace, 1, start);
            case '}':
                return Symbol(TokenKind.CloseBrace, 1, start);
            case ',':
                return Symbol(TokenKind.Comma, 1, start);
            case '=':
                return Double('=', TokenKind.Equal, start);
            case '&':
                return Double('&', TokenKind.And, start);
            case '|':
                return Double('|', TokenKind.Or, start);
            case '!':
                return Follows('=') ? Symbol(TokenKind.NotEqual, 2, start) : Symbol(TokenKind.Not, 1, start);
            default:
                return _previous == TokenKind.Label ? ReadOperator(start) : ReadWord(start);
        }
    }

    private readonly bool Follows(char second) => _at + 1 < _input.Length && _input[_at + 1] == second;

    private Token Symbol(TokenKind kind, int length, int start)
    {
        _at += length;
        return new Token(kind, _input.Slice(start, length).ToString(), start);
    }

    private Token Double(char c, TokenKind kind, int start) =>
        Follows(c) ? Symbol(kind, 2, start) : new Token(TokenKind.Error, $"expected \"{c}{c}\"", start);

    private Token ReadString(int start)
    {
        int length = _input[(start + 1)..].IndexOf(_input[start]);
        if (length < 0)
        {
            return new Token(TokenKind.Error, "unterminated string", start);
        }

        _at = start + length + 2;
        return new Token(TokenKind.String, _input.Slice(start + 1, length).ToString(), start);
    }

    private Token ReadOperator(int start)
    {
        TokenKind kind =
            TakeWords("contains", null) ? TokenKind.Contains
            : TakeWords("starts", "with") ? TokenKind.StartsWith
            : TakeWords("ends", "with") ? TokenKind.EndsWith
            : TakeWords("not", "in") ? TokenKind.NotIn
            : TakeWords("in", null) ? TokenKind.In
            : TokenKind.Error;
        return new Token(kind, kind == TokenKind.Error ? "expected an operator after the label" : _input[start.._at].ToString(), start);
    }

    /// <summary>Takes the word or words if they stand here and no label character follows. Blanks between two words are optional.</summary>
    private bool TakeWords(string first, string? second)
    {
        int at = _at;
        if (!_input[at..].StartsWith(first, StringComparison.Ordinal))
        {
            return false;
        }

        at += first.Length;
        if (second is not null)
        {
            while (at < _input.Length && IsBlank(_input[at]))
            {
                at++;
            }

            if (!_input[at..].StartsWith(second, StringComparison.Ordinal))
            {
                return false;
            }

            at += second.Length;
        }

        if (at < _input.Length && IsLabelCharacter(_input[at]))
        {
            return false;
        }

        _at = at;
        return true;
    }

    private Token ReadWord(int start)
    {
        ReadOnlySpan<char> rest = _input[start..];
        if (rest.StartsWith("has(", StringComparison.Ordinal))
        {
            _at += "has(".Length;
            SkipBlanks();
            Token label = ReadLabel(_at);
            return label.Kind == TokenKind.Error ? label : Close(TokenKind.Has, label.Text, start);
        }

        if (rest.StartsWith("all(", StringComparison.Ordinal))
        {
            _at += "all(".Length;
            return Close(TokenKind.All, "all()", start);
        }

        if (rest.StartsWith("global(", StringComparison.Ordinal))
        {
            _at += "global(".Length;
            return Close(TokenKind.Global, "global()", start);
        }

        return ReadLabel(start);
    }

    private Token Close(TokenKind kind, string text, int start)
    {
        SkipBlanks();
        if (_at >= _input.Length || _input[_at] != ')')
        {
            return new Token(TokenKind.Error, "expected \")\"", _at);
        }

        _at++;
        return new Token(kind, text, start);
    }

    private Token ReadLabel(int start)
    {
        int end = start;
        while (end < _input.Length && IsLabelCharacter(_input[end]))
        {
            end++;
        }

        if (end == start)
        {
            return new Token(TokenKind.Error, "expected a label", start);
        }

        if (end - start > MaxLabelLength)
        {
            return new Token(TokenKind.Error, $"label is {end - start} characters long, at most {MaxLabelLength} are allowed", start);
        }

        _at = end;
        return new Token(TokenKind.Label, _input[start..end].ToString(), start);
    }

    private void SkipBlanks()
    {
        while (_at < _input.Length && IsBlank(_input[_at]))
        {
            _at++;
        }
    }

    private static bool IsBlank(char c) => c is ' ' or '\t';

    private static bool IsLabelCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '/' or '-';
}
