using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Tests.Drivers.IpTables;

/// <summary>The iptables text of rules, which is what the vectors assert.</summary>
internal static class RuleText
{
    private static readonly IpTablesText s_modern = new(new IpTablesFeatures());

    extension(Rule rule)
    {
        public string Text => s_modern.Of(rule);
    }

    extension(Match match)
    {
        public string Text => string.Join(' ', match.Criteria.Select(IpTablesText.Of));
    }

    extension(RuleAction action)
    {
        public string Text => s_modern.Of(action);
    }
}
