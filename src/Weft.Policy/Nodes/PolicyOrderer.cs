using Weft.Policy.Conversion;
using Weft.Policy.Output;

namespace Weft.Policy.Nodes;

/// <summary>The order in which tiers, and policies within a tier, are evaluated.</summary>
internal static class PolicyOrderer
{
    /// <summary>Tiers whose object exists, by order (none is last), then by name; tiers without an object after all of them.</summary>
    public static int CompareTiers(string aName, TierValue? a, string bName, TierValue? b)
    {
        int byExistence = (b is not null).CompareTo(a is not null);
        if (byExistence != 0)
        {
            return byExistence;
        }

        int byHavingOrder = (b?.Order is not null).CompareTo(a?.Order is not null);
        if (byHavingOrder != 0)
        {
            return byHavingOrder;
        }

        int byOrder = (a?.Order ?? 0).CompareTo(b?.Order ?? 0);
        return byOrder != 0 ? byOrder : string.CompareOrdinal(aName, bName);
    }

    /// <summary>By order, then by "name/namespace/kind" as one text: so "a-b" comes before "a", whose next character is "/".</summary>
    public static int ComparePolicies(PolicyValue a, PolicyValue b)
    {
        int byOrder = a.Order.CompareTo(b.Order);
        return byOrder != 0 ? byOrder : string.CompareOrdinal(Text(a.Id), Text(b.Id));
    }

    private static string Text(PolicyId id) => $"{id.Name}/{id.Namespace}/{id.Kind}";
}
