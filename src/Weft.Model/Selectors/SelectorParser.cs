namespace Weft.Model.Selectors;

/// <summary>
/// Recursive descent over the tokens, one token of look-ahead:
/// <code>
/// selector = [ or ] END          or  = and { "||" and }
/// and      = op { "&amp;&amp;" op }      op  = { "!" } primary
/// primary  = has(label) | all() | global() | label cmp string | label setop "{" ... "}" | "(" or ")"
/// </code>
/// </summary>
internal ref struct SelectorParser
{
    private Tokenizer _tokens;
    private Token _token;
    private int _depth;
    private string? _error;

    public SelectorParser(ReadOnlySpan<char> text)
    {
        _tokens = new Tokenizer(text);
        if (text.Length > Selector.MaxLength)
        {
            _error = $"selector is {text.Length} characters long, at most {Selector.MaxLength} are allowed";
            return;
        }

        _token = _tokens.Next();
    }

    public SelectorNode? Parse(out string? error)
    {
        SelectorNode? root = _error is not null ? null : _token.Kind == TokenKind.End ? AllNode.All : Or();
        if (root is not null && _token.Kind != TokenKind.End)
        {
            root = Fail("expected the end of the selector");
        }

        error = root is null ? _error ?? "not a selector" : null;
        return root;
    }

    private SelectorNode? Or()
    {
        SelectorNode? first = And();
        if (first is null || _token.Kind != TokenKind.Or)
        {
            return first;
        }

        List<SelectorNode> operands = [first];
        while (Take(TokenKind.Or))
        {
            if (And() is not { } next)
            {
                return null;
            }

            operands.Add(next);
        }

        return new OrNode([.. operands]);
    }

    private SelectorNode? And()
    {
        SelectorNode? first = Operation();
        if (first is null || _token.Kind != TokenKind.And)
        {
            return first;
        }

        List<SelectorNode> operands = [first];
        while (Take(TokenKind.And))
        {
            if (Operation() is not { } next)
            {
                return null;
            }

            operands.Add(next);
        }

        return new AndNode([.. operands]);
    }

    private SelectorNode? Operation()
    {
        bool negated = false;
        while (Take(TokenKind.Not))
        {
            negated = !negated;
        }

        SelectorNode? operand = Primary();
        return operand is not null && negated ? new NotNode(operand) : operand;
    }

    private SelectorNode? Primary()
    {
        Token token = _token;
        switch (token.Kind)
        {
            case TokenKind.Has:
                Advance();
                return new HasNode(token.Text);
            case TokenKind.All:
                Advance();
                return AllNode.All;
            case TokenKind.Global:
                Advance();
                return AllNode.Global;
            case TokenKind.Label:
                Advance();
                return LabelOperation(token.Text);
            case TokenKind.OpenParen:
                return Group();
            default:
                return Fail("expected a condition");
        }
    }

    private SelectorNode? Group()
    {
        if (++_depth > Selector.MaxDepth)
        {
            return Fail($"more than {Selector.MaxDepth} nested parentheses");
        }

        Advance();
        SelectorNode? inner = Or();
        if (inner is not null && !Take(TokenKind.CloseParen))
        {
            inner = Fail("expected \")\"");
        }

        _depth--;
        return inner;
    }

    private SelectorNode? LabelOperation(string label)
    {
        TokenKind kind = _token.Kind;
        switch (kind)
        {
            case TokenKind.In or TokenKind.NotIn:
                Advance();
                return SetLiteral() is { } items ? new SetNode(label, kind == TokenKind.In ? Membership.In : Membership.NotIn, items) : null;
            case TokenKind.Equal or TokenKind.NotEqual or TokenKind.Contains or TokenKind.StartsWith or TokenKind.EndsWith:
                Advance();
                string value = _token.Text;
                return Take(TokenKind.String)
                    ? new CompareNode(label, kind switch
                    {
                        TokenKind.Equal => Comparison.Equal,
                        TokenKind.NotEqual => Comparison.NotEqual,
                        TokenKind.Contains => Comparison.Contains,
                        TokenKind.StartsWith => Comparison.StartsWith,
                        _ => Comparison.EndsWith,
                    }, value)
                    : Fail("expected a string");
            default:
                return Fail($"expected an operator after label {label}");
        }
    }

    /// <summary>"{}", "{'a'}", "{'a', 'b',}"; a comma needs a string before it.</summary>
    private string[]? SetLiteral()
    {
        if (!Take(TokenKind.OpenBrace))
        {
            Fail("expected a set in braces");
            return null;
        }

        List<string> items = [];
        while (_token.Kind == TokenKind.String)
        {
            items.Add(_token.Text);
            Advance();
            if (!Take(TokenKind.Comma))
            {
                break;
            }
        }

        if (!Take(TokenKind.CloseBrace))
        {
            Fail("expected \"}\"");
            return null;
        }

        return SelectorText.SortedSet(items);
    }

    private void Advance() => _token = _tokens.Next();

    private bool Take(TokenKind kind)
    {
        if (_token.Kind != kind)
        {
            return false;
        }

        Advance();
        return true;
    }

    private SelectorNode? Fail(string expected)
    {
        _error ??= _token.Kind == TokenKind.Error
            ? $"{_token.Text} at character {_token.Offset + 1}"
            : $"{expected} at character {_token.Offset + 1}, found {(_token.Kind == TokenKind.End ? "the end" : $"\"{_token.Text}\"")}";
        return null;
    }
}
