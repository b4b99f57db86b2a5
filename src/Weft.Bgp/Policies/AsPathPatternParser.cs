using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Weft.Bgp.Policies;

/// <summary>Numbers from <paramref name="Low"/> to <paramref name="High"/>, both included.</summary>
public readonly record struct NumberRange(uint Low, uint High)
{
    public static readonly NumberRange All = new(0, uint.MaxValue);

    public static NumberRange Of(uint value) => new(value, value);

    public bool Contains(uint value) => value >= Low && value <= High;

    public override string ToString() => Low == High ? $"{Low}" : this == All ? "*" : $"{Low}-{High}";
}

/// <summary>What a pattern is made of.</summary>
internal abstract record AsPathNode
{
    /// <summary>One AS out of the ranges.</summary>
    public sealed record Letter(ImmutableArray<NumberRange> Ranges) : AsPathNode;

    public sealed record Sequence(ImmutableArray<AsPathNode> Items) : AsPathNode;

    public sealed record Either(ImmutableArray<AsPathNode> Items) : AsPathNode;

    /// <param name="Maximum">-1: no bound.</param>
    public sealed record Repeat(AsPathNode Item, int Minimum, int Maximum) : AsPathNode;

    public static readonly AsPathNode AnyPath = new Repeat(new Letter([NumberRange.All]), 0, -1);
}

/// <summary>Reads the text of an <see cref="AsPathPattern"/> by recursive descent.</summary>
internal ref struct AsPathPatternParser(string text)
{
    private const int MaximumRepeats = 255;
    private const int MaximumDepth = 32;

    private int _at;
    private int _depth;
    private string _problem = string.Empty;

    public bool TryParse([NotNullWhen(true)] out AsPathNode? root, out string reason)
    {
        List<AsPathNode> branches = [];
        do
        {
            branches.Add(Branch());
        }
        while (_problem.Length == 0 && Take('|'));

        if (_problem.Length == 0 && _at < text.Length)
        {
            Fail(text[_at] == ')' ? "\")\" without \"(\"" : $"\"{text[_at]}\" is not expected here");
        }

        reason = _problem;
        root = _problem.Length == 0 ? new AsPathNode.Either([.. branches]) : null;
        return root is not null;
    }

    /// <summary>An alternative of the whole pattern: the anchors belong to it.</summary>
    private AsPathNode Branch()
    {
        bool begins = Take('^');
        AsPathNode middle = Sequence();
        bool ends = Take('$');
        if (begins && ends)
        {
            return middle;
        }

        List<AsPathNode> items = [middle];
        if (!begins)
        {
            items.Insert(0, AsPathNode.AnyPath);
        }

        if (!ends)
        {
            items.Add(AsPathNode.AnyPath);
        }

        return new AsPathNode.Sequence([.. items]);
    }

    private AsPathNode Sequence()
    {
        List<AsPathNode> items = [];
        SkipBlanks();
        while (_problem.Length == 0 && _at < text.Length && text[_at] is not ('|' or ')' or '$'))
        {
            AsPathNode? item = Element();
            if (item is null)
            {
                break;
            }

            items.Add(Repeated(item));
            SkipBlanks();
        }

        return new AsPathNode.Sequence([.. items]);
    }

    private AsPathNode? Element()
    {
        char c = text[_at];
        switch (c)
        {
            case '.':
                _at++;
                return new AsPathNode.Letter([NumberRange.All]);
            case '[':
                return Class();
            case '(':
                return Group();
            case '*' or '+' or '?' or '{':
                Fail($"\"{c}\" has nothing to repeat; any ASes are written .*");
                return null;
            case '^':
                Fail("\"^\" belongs at the begin of the pattern");
                return null;
            default:
                return TryRange(out NumberRange range) ? new AsPathNode.Letter([range]) : null;
        }
    }

    private AsPathNode? Group()
    {
        int start = _at++;
        if (++_depth > MaximumDepth)
        {
            Fail($"more than {MaximumDepth} brackets inside one another");
            return null;
        }

        List<AsPathNode> items = [];
        do
        {
            items.Add(Sequence());
        }
        while (_problem.Length == 0 && Take('|'));

        _depth--;
        if (_problem.Length == 0 && !Take(')'))
        {
            _at = _at < text.Length ? _at : start;
            Fail(_at == start ? "\"(\" is never closed" : "\"$\" belongs at the end of the pattern");
        }

        return new AsPathNode.Either([.. items]);
    }

    private AsPathNode? Class()
    {
        int start = _at++;
        bool none = _at < text.Length && text[_at] == '^';
        _at += none ? 1 : 0;
        List<NumberRange> ranges = [];
        while (true)
        {
            while (_at < text.Length && text[_at] is ' ' or '\t' or ',')
            {
                _at++;
            }

            if (_at >= text.Length)
            {
                _at = start;
                Fail("\"[\" is never closed");
                return null;
            }

            if (text[_at] == ']')
            {
                _at++;
                break;
            }

            if (!TryRange(out NumberRange range))
            {
                return null;
            }

            ranges.Add(range);
        }

        if (ranges.Count == 0)
        {
            _at = start;
            Fail("nothing between \"[\" and \"]\"");
            return null;
        }

        return new AsPathNode.Letter(none ? Others(ranges) : [.. ranges]);
    }

    private AsPathNode Repeated(AsPathNode item)
    {
        for (int count = 0; _problem.Length == 0 && _at < text.Length; count++)
        {
            // The automaton is built by recursion: what stands inside one another is bounded, in either way of writing it.
            if (count > MaximumDepth)
            {
                Fail($"more than {MaximumDepth} repetitions of one another");
                return item;
            }

            switch (text[_at])
            {
                case '*':
                    item = new AsPathNode.Repeat(item, 0, -1);
                    break;
                case '+':
                    item = new AsPathNode.Repeat(item, 1, -1);
                    break;
                case '?':
                    item = new AsPathNode.Repeat(item, 0, 1);
                    break;
                case '{':
                    if (!TryCount(out int minimum, out int maximum))
                    {
                        return item;
                    }

                    item = new AsPathNode.Repeat(item, minimum, maximum);
                    break;
                default:
                    return item;
            }

            _at++;
        }

        return item;
    }

    /// <summary>"{2}", "{1,3}" or "{2,}"; leaves the place on the closing brace.</summary>
    private bool TryCount(out int minimum, out int maximum)
    {
        int end = text.IndexOf('}', _at);
        ReadOnlySpan<char> inner = end < 0 ? [] : text.AsSpan(_at + 1, end - _at - 1);
        int comma = inner.IndexOf(',');
        ReadOnlySpan<char> high = comma < 0 ? inner : inner[(comma + 1)..].Trim();
        bool ok = int.TryParse(comma < 0 ? inner : inner[..comma].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out minimum);
        maximum = -1;
        ok = ok && (high.IsEmpty || int.TryParse(high, NumberStyles.None, CultureInfo.InvariantCulture, out maximum))
            && minimum <= MaximumRepeats && maximum <= MaximumRepeats && (maximum < 0 || maximum >= minimum);
        if (!ok)
        {
            Fail($"expected {{COUNT}}, {{LOW,HIGH}} or {{LOW,}} with counts up to {MaximumRepeats}");
            return false;
        }

        _at = end;
        return true;
    }

    private bool TryRange(out NumberRange range)
    {
        range = default;
        int start = _at;
        if (!TryNumber(out uint low))
        {
            return false;
        }

        uint high = low;
        if (_at < text.Length && text[_at] == '-')
        {
            _at++;
            if (!TryNumber(out high))
            {
                return false;
            }
        }

        if (high < low)
        {
            _at = start;
            Fail("the range is empty: its end is smaller than its begin");
            return false;
        }

        range = new NumberRange(low, high);
        return true;
    }

    /// <summary>An AS number, plain or dotted (1.10); a dot that no digit follows is "any AS".</summary>
    private bool TryNumber(out uint number)
    {
        int start = _at;
        bool ok = TryDigits(out number);
        if (ok && _at + 1 < text.Length && text[_at] == '.' && char.IsAsciiDigit(text[_at + 1]))
        {
            _at++;
            ok = TryDigits(out uint low) && number <= ushort.MaxValue && low <= ushort.MaxValue;
            number = number << 16 | low;
        }

        if (!ok)
        {
            _at = start;
            Fail("expected an AS number");
        }

        return ok;
    }

    private bool TryDigits(out uint number)
    {
        int start = _at;
        while (_at < text.Length && char.IsAsciiDigit(text[_at]))
        {
            _at++;
        }

        return uint.TryParse(text.AsSpan(start, _at - start), NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    private static ImmutableArray<NumberRange> Others(List<NumberRange> ranges)
    {
        List<NumberRange> others = [];
        ulong next = 0;
        foreach (NumberRange range in ranges.OrderBy(static r => r.Low))
        {
            if (range.Low > next)
            {
                others.Add(new NumberRange((uint)next, range.Low - 1));
            }

            next = Math.Max(next, range.High + 1UL);
        }

        if (next <= uint.MaxValue)
        {
            others.Add(new NumberRange((uint)next, uint.MaxValue));
        }

        return [.. others];
    }

    private bool Take(char c)
    {
        SkipBlanks();
        bool found = _at < text.Length && text[_at] == c;
        _at += found ? 1 : 0;
        return found;
    }

    private void SkipBlanks()
    {
        while (_at < text.Length && text[_at] is ' ' or '\t' or '_')
        {
            _at++;
        }
    }

    /// <summary>The first problem counts: it is where the reader went wrong.</summary>
    private void Fail(string problem) => _problem = _problem.Length > 0 ? _problem : $"at character {_at + 1}: {problem}";
}
