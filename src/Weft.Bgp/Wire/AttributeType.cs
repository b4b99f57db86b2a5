namespace Weft.Bgp.Wire;

/// <summary>Path attribute type codes (IANA).</summary>
internal enum AttributeType : byte
{
    /// <summary>Ours, never on the wire: see <see cref="PrivateAttribute"/>.</summary>
    Private = PrivateAttribute.Type,
    Origin = 1,
    AsPath = 2,
    NextHop = 3,
    Med = 4,
    LocalPreference = 5,
    AtomicAggregate = 6,
    Aggregator = 7,
    Communities = 8,
    OriginatorId = 9,
    ClusterList = 10,
    MpReach = 14,
    MpUnreach = 15,
    ExtendedCommunities = 16,
    As4Path = 17,
    As4Aggregator = 18,
    LargeCommunities = 32,
    OnlyToCustomer = 35,
}

/// <summary>Attribute flag octet, RFC 4271 4.3.</summary>
internal static class AttributeFlags
{
    public const byte Optional = 0x80;
    public const byte Transitive = 0x40;
    public const byte Partial = 0x20;
    public const byte ExtendedLength = 0x10;

    /// <summary>The two bits a type code fixes.</summary>
    public const byte Category = Optional | Transitive;
}

/// <summary>Which length an attribute's value must have.</summary>
internal enum LengthRule : byte
{
    Any,
    Exactly,

    /// <summary>A non-zero multiple.</summary>
    MultipleOf,
}

/// <summary>What RFC 7606 7 (and later RFCs) say of one attribute.</summary>
/// <param name="Category">Optional and Transitive bits it must carry.</param>
/// <param name="Rule">Length rule, with <paramref name="Length"/>.</param>
/// <param name="OnBadLength">Answer to a wrong length.</param>
/// <param name="InternalOnly">From an external peer it is discarded unread (RFC 7606 7.5, 7.9, 7.10).</param>
internal readonly record struct AttributeDescriptor(byte Category, LengthRule Rule, byte Length, DecodeAction OnBadLength, bool InternalOnly = false)
{
    private const byte WellKnown = AttributeFlags.Transitive;
    private const byte OptionalTransitive = AttributeFlags.Optional | AttributeFlags.Transitive;
    private const byte OptionalNonTransitive = AttributeFlags.Optional;

    private static readonly AttributeDescriptor[] Table = BuildTable();

    /// <summary>False for a type code this table does not know.</summary>
    public bool IsKnown => Category != 0;

    public static ref readonly AttributeDescriptor Of(byte type) => ref Table[type];

    private static AttributeDescriptor[] BuildTable()
    {
        var table = new AttributeDescriptor[256];
        void Put(AttributeType type, AttributeDescriptor descriptor) => table[(byte)type] = descriptor;

        Put(AttributeType.Origin, new(WellKnown, LengthRule.Exactly, 1, DecodeAction.TreatAsWithdraw));
        Put(AttributeType.AsPath, new(WellKnown, LengthRule.Any, 0, DecodeAction.TreatAsWithdraw));
        Put(AttributeType.NextHop, new(WellKnown, LengthRule.Exactly, 4, DecodeAction.TreatAsWithdraw));
        Put(AttributeType.Med, new(OptionalNonTransitive, LengthRule.Exactly, 4, DecodeAction.TreatAsWithdraw));
        Put(AttributeType.LocalPreference, new(WellKnown, LengthRule.Exactly, 4, DecodeAction.TreatAsWithdraw, InternalOnly: true));
        Put(AttributeType.AtomicAggregate, new(WellKnown, LengthRule.Exactly, 0, DecodeAction.DiscardAttribute));
        Put(AttributeType.Aggregator, new(OptionalTransitive, LengthRule.Any, 0, DecodeAction.DiscardAttribute)); // 6 or 8: AttributeReader
        Put(AttributeType.Communities, new(OptionalTransitive, LengthRule.MultipleOf, 4, DecodeAction.TreatAsWithdraw));
        Put(AttributeType.OriginatorId, new(OptionalNonTransitive, LengthRule.Exactly, 4, DecodeAction.TreatAsWithdraw, InternalOnly: true));
        Put(AttributeType.ClusterList, new(OptionalNonTransitive, LengthRule.MultipleOf, 4, DecodeAction.TreatAsWithdraw, InternalOnly: true));
        Put(AttributeType.MpReach, new(OptionalNonTransitive, LengthRule.Any, 0, DecodeAction.SessionReset));
        Put(AttributeType.MpUnreach, new(OptionalNonTransitive, LengthRule.Any, 0, DecodeAction.SessionReset));
        Put(AttributeType.ExtendedCommunities, new(OptionalTransitive, LengthRule.MultipleOf, 8, DecodeAction.TreatAsWithdraw));

        // RFC 6793 6: a malformed AS4_PATH or AS4_AGGREGATOR is discarded.
        Put(AttributeType.As4Path, new(OptionalTransitive, LengthRule.Any, 0, DecodeAction.DiscardAttribute));
        Put(AttributeType.As4Aggregator, new(OptionalTransitive, LengthRule.Exactly, 8, DecodeAction.DiscardAttribute));

        // RFC 8092 6.
        Put(AttributeType.LargeCommunities, new(OptionalTransitive, LengthRule.MultipleOf, 12, DecodeAction.TreatAsWithdraw));

        // RFC 9234 5.
        Put(AttributeType.OnlyToCustomer, new(OptionalTransitive, LengthRule.Exactly, 4, DecodeAction.TreatAsWithdraw));
        return table;
    }

    public bool AllowsLength(int length) => Rule switch
    {
        LengthRule.Exactly => length == Length,
        LengthRule.MultipleOf => length != 0 && length % Length == 0,
        _ => true,
    };
}
