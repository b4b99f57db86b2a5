using Weft.Dataplane.Rules;
using Weft.Model.Felix;

namespace Weft.Dataplane.Tests.Rules;

public sealed class FelixFieldsTests
{
    /// <summary>A field that becomes a setting here must say so in felix.parameters, and the other way round: else people are told the wrong thing.</summary>
    [Fact]
    public void FieldsThatAreRead_AreThoseTheTableCallsRules() => Assert.Equal(
        FelixParameters.All.Where(p => p.Standing == FelixStanding.Rules).Select(p => p.Field).Order(StringComparer.Ordinal), FelixFields.Names().Concat(RuleBackendDecision.Fields).Order(StringComparer.Ordinal));
}
