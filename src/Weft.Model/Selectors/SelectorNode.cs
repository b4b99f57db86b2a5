using System.Text;

namespace Weft.Model.Selectors;

/// <summary>One node of a parsed selector. The tree is no deeper than <see cref="Selector.MaxDepth"/> allows, so recursion is bounded.</summary>
internal abstract class SelectorNode
{
    public abstract bool Matches<TLabels>(in TLabels labels)
        where TLabels : ILabels;

    public abstract void AppendTo(StringBuilder text);

    /// <summary>Null when nothing is restricted.</summary>
    public virtual Dictionary<string, LabelRestriction>? Restrictions() => null;

    public abstract SelectorNode WithPrefix(string prefix);
}

/// <summary>all() and global(): the distinction matters only to the conversion of namespace selectors.</summary>
internal sealed class AllNode(string text) : SelectorNode
{
    public static readonly AllNode All = new("all()");
    public static readonly AllNode Global = new("global()");

    public override bool Matches<TLabels>(in TLabels labels) => true;

    public override void AppendTo(StringBuilder builder) => builder.Append(text);

    public override SelectorNode WithPrefix(string prefix) => this;
}

internal sealed class HasNode(string label) : SelectorNode
{
    public string Label => label;

    public override bool Matches<TLabels>(in TLabels labels) => labels.TryGet(label, out _);

    public override void AppendTo(StringBuilder text) => text.Append("has(").Append(label).Append(')');

    public override Dictionary<string, LabelRestriction> Restrictions() => new() { [label] = LabelRestriction.Present };

    public override SelectorNode WithPrefix(string prefix) => new HasNode(prefix + label);
}

internal enum Comparison : byte
{
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
}

internal sealed class CompareNode(string label, Comparison comparison, string value) : SelectorNode
{
    public override bool Matches<TLabels>(in TLabels labels)
    {
        if (!labels.TryGet(label, out string? actual))
        {
            return comparison == Comparison.NotEqual;
        }

        return comparison switch
        {
            Comparison.Equal => actual == value,
            Comparison.NotEqual => actual != value,
            Comparison.Contains => actual.Contains(value, StringComparison.Ordinal),
            Comparison.StartsWith => actual.StartsWith(value, StringComparison.Ordinal),
            _ => actual.EndsWith(value, StringComparison.Ordinal),
        };
    }

    public override void AppendTo(StringBuilder text) => text.Append(label).Append(comparison switch
    {
        Comparison.Equal => " == ",
        Comparison.NotEqual => " != ",
        Comparison.Contains => " contains ",
        Comparison.StartsWith => " starts with ",
        _ => " ends with ",
    }).AppendQuoted(value);

    public override Dictionary<string, LabelRestriction>? Restrictions() => comparison switch
    {
        Comparison.Equal => new() { [label] = new LabelRestriction(true, false, [value]) },
        Comparison.NotEqual => null,
        _ => new() { [label] = LabelRestriction.Present },
    };

    public override SelectorNode WithPrefix(string prefix) => new CompareNode(prefix + label, comparison, value);
}

internal enum Membership : byte
{
    In,
    NotIn,
}

/// <param name="label">The label.</param>
/// <param name="membership">In or not in.</param>
/// <param name="items">Sorted, no duplicates.</param>
internal sealed class SetNode(string label, Membership membership, string[] items) : SelectorNode
{
    private readonly HashSet<string> _set = new(items, StringComparer.Ordinal);

    public override bool Matches<TLabels>(in TLabels labels) =>
        (labels.TryGet(label, out string? actual) && _set.Contains(actual)) == (membership == Membership.In);

    public override void AppendTo(StringBuilder text)
    {
        text.Append(label).Append(membership == Membership.In ? " in {" : " not in {");
        for (int i = 0; i < items.Length; i++)
        {
            text.Append(i == 0 ? string.Empty : ", ").AppendQuoted(items[i]);
        }

        text.Append('}');
    }

    public override Dictionary<string, LabelRestriction>? Restrictions() =>
        membership == Membership.In ? new() { [label] = new LabelRestriction(true, false, items) } : null;

    public override SelectorNode WithPrefix(string prefix) => new SetNode(prefix + label, membership, items);
}

internal sealed class NotNode(SelectorNode operand) : SelectorNode
{
    public override bool Matches<TLabels>(in TLabels labels) => !operand.Matches(in labels);

    public override void AppendTo(StringBuilder text)
    {
        // No parentheses of its own: an AND or OR below brings them.
        text.Append('!');
        operand.AppendTo(text);
    }

    public override Dictionary<string, LabelRestriction>? Restrictions() =>
        operand is HasNode has ? new() { [has.Label] = LabelRestriction.Absent } : null;

    public override SelectorNode WithPrefix(string prefix) => new NotNode(operand.WithPrefix(prefix));
}

/// <summary>Two or more operands. Groups nested in the source stay nested: the text, and so the id, depends on it.</summary>
internal sealed class AndNode(SelectorNode[] operands) : SelectorNode
{
    public override bool Matches<TLabels>(in TLabels labels)
    {
        foreach (SelectorNode operand in operands)
        {
            if (!operand.Matches(in labels))
            {
                return false;
            }
        }

        return true;
    }

    public override void AppendTo(StringBuilder text) => OperandText.Append(text, operands, " && ");

    public override Dictionary<string, LabelRestriction>? Restrictions()
    {
        Dictionary<string, LabelRestriction>? all = null;
        foreach (SelectorNode operand in operands)
        {
            foreach ((string label, LabelRestriction restriction) in operand.Restrictions() ?? [])
            {
                all ??= [];
                all[label] = all.TryGetValue(label, out LabelRestriction? known) ? known.And(restriction) : restriction;
            }
        }

        return all;
    }

    public override SelectorNode WithPrefix(string prefix) => new AndNode(Array.ConvertAll(operands, o => o.WithPrefix(prefix)));
}

/// <summary>Two or more operands.</summary>
internal sealed class OrNode(SelectorNode[] operands) : SelectorNode
{
    public override bool Matches<TLabels>(in TLabels labels)
    {
        foreach (SelectorNode operand in operands)
        {
            if (operand.Matches(in labels))
            {
                return true;
            }
        }

        return false;
    }

    public override void AppendTo(StringBuilder text) => OperandText.Append(text, operands, " || ");

    public override Dictionary<string, LabelRestriction>? Restrictions()
    {
        Dictionary<string, LabelRestriction>? common = operands[0].Restrictions();
        for (int i = 1; i < operands.Length && common is { Count: > 0 }; i++)
        {
            Dictionary<string, LabelRestriction>? other = operands[i].Restrictions();
            Dictionary<string, LabelRestriction> kept = [];
            foreach ((string label, LabelRestriction restriction) in common)
            {
                if (other is not null && other.TryGetValue(label, out LabelRestriction? there) && restriction.Or(there) is { } both)
                {
                    kept.Add(label, both);
                }
            }

            common = kept;
        }

        return common is { Count: > 0 } ? common : null;
    }

    public override SelectorNode WithPrefix(string prefix) => new OrNode(Array.ConvertAll(operands, o => o.WithPrefix(prefix)));
}

internal static class OperandText
{
    public static void Append(StringBuilder text, SelectorNode[] operands, string separator)
    {
        text.Append('(');
        for (int i = 0; i < operands.Length; i++)
        {
            text.Append(i == 0 ? string.Empty : separator);
            operands[i].AppendTo(text);
        }

        text.Append(')');
    }
}
