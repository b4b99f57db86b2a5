using Weft.Dataplane.Rules;
using Weft.Policy.Output;

namespace Weft.Dataplane.Managers;

/// <summary>
/// Converts one kind of updates into desired state of drivers; never touches the kernel. Several updates between two applies cost one conversion.
/// Called by the dataplane loop only.
/// </summary>
internal interface IDataplaneManager
{
    void OnUpdate(DataplaneUpdate update);

    /// <summary>The settings of rules changed: convert everything again.</summary>
    void OnSettings(RuleSettings settings);

    /// <summary>Hands what changed to the drivers.</summary>
    void Apply();
}
