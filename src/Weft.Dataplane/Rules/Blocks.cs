using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Rules;

/// <summary>Writes the match blocks of one rule; see <see cref="RuleRenderer"/>.</summary>
internal sealed class Blocks(MarkBits marks, List<Rule> output, string[] comments)
{
    private int _positive;

    public bool Any { get; private set; }

    public void Positive(IReadOnlyList<Match> alternatives)
    {
        Begin(firstIsNegative: false);
        bool first = _positive++ == 0;
        if (_positive > 2)
        {
            // What the block before left there must not count for this one.
            output.Add(new Rule(Match.All, RuleAction.ClearMark(marks.ThisBlock), comments));
        }

        uint bit = first ? marks.AllBlocks : marks.ThisBlock;
        foreach (Match alternative in alternatives)
        {
            output.Add(new Rule(alternative, RuleAction.SetMark(bit), comments));
        }

        if (!first)
        {
            output.Add(new Rule(Match.All.MarkClear(marks.ThisBlock), RuleAction.ClearMark(marks.AllBlocks), comments));
        }
    }

    public void Negative(IReadOnlyList<Match> alternatives)
    {
        Begin(firstIsNegative: true);
        foreach (Match alternative in alternatives)
        {
            output.Add(new Rule(alternative, RuleAction.ClearMark(marks.AllBlocks), comments));
        }
    }

    private void Begin(bool firstIsNegative)
    {
        if (!Any)
        {
            Any = true;
            output.Add(new Rule(Match.All, RuleAction.SetMaskedMark(firstIsNegative ? marks.AllBlocks : 0, marks.AllBlocks | marks.ThisBlock), comments));
        }
    }
}
