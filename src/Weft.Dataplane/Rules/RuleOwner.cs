using Weft.Policy.Output;

namespace Weft.Dataplane.Rules;

/// <summary>Whose rules a chain holds: what logged packets and lines of the kernel's log say about them.</summary>
/// <param name="Tier">Empty for a profile.</param>
/// <param name="Kind">Short: "gnp", "np", "pro".</param>
/// <param name="IsInbound">The rules for packets to the endpoint.</param>
/// <param name="IsTracked">Not doNotTrack.</param>
internal sealed record RuleOwner(string Tier, string Kind, string Namespace, string Name, bool IsInbound, bool IsTracked)
{
    // The kernel's 29, of which ": " takes two.
    private const int LongestLogPrefix = 27;

    public bool IsProfile => Kind == "pro";

    private string FullName => Namespace.Length == 0 ? Name : $"{Namespace}/{Name}";

    public static RuleOwner Of(ActivePolicyUpdate policy, bool isInbound) => new(
        policy.Tier, policy.Id.ShortKind, policy.Id.Namespace ?? string.Empty, policy.Id.Name, isInbound, !policy.Traits.HasFlag(PolicyTraits.Untracked));

    public static RuleOwner Of(ActiveProfileUpdate profile, bool isInbound) => new(string.Empty, "pro", string.Empty, profile.Name, isInbound, IsTracked: true);

    /// <summary>%t tier, %k short kind, %n name, %p namespace and name; what does not fit is cut off.</summary>
    public string LogPrefix(string format)
    {
        string text = format.Replace("%t", Tier, StringComparison.Ordinal).Replace("%k", Kind, StringComparison.Ordinal)
            .Replace("%n", Name, StringComparison.Ordinal).Replace("%p", FullName, StringComparison.Ordinal);
        return text.Length <= LongestLogPrefix ? text : text[..LongestLogPrefix];
    }

    public string NflogPrefix(char action, int index) =>
        Rules.NflogPrefix.Of(action, IsProfile ? 'R' : 'P', IsInbound, index, IsProfile ? Name : $"{Kind}/{FullName}");
}
