namespace Weft.Dataplane.Rules;

/// <summary>
/// What the kernel sends along with a logged packet: which rule of which policy decided. Calico's form:
/// <code>
///   D P I 88 | gnp/deny-all        denied by rule 88 of the ingress rules of the policy
///   | | |
///   | | +-- I ingress, E egress
///   | +---- P policy, R profile
///   +------ A allowed, D denied, P passed
///   DPI|default                    denied at the end of the tier;  DRI: by no profile accepted
/// </code>
/// </summary>
internal static class NflogPrefix
{
    // The kernel's 64 bytes include the terminator.
    private const int MaxLength = 63;

    public static int Group(bool inbound) => inbound ? 1 : 2;

    public static string Of(char action, char owner, bool inbound, int rule, string name) => Cut($"{action}{owner}{(inbound ? 'I' : 'E')}{rule}|{name}");

    public static string EndOfTier(bool inbound, string tier) => Cut($"DP{(inbound ? 'I' : 'E')}|{tier}");

    public static string NoProfileMatched(bool inbound) => inbound ? "DRI" : "DRE";

    // The kernel would cut the end off; two long names must stay different, and people should still recognise them.
    private static string Cut(string prefix) =>
        prefix.Length < MaxLength ? prefix : $"{prefix[..10]}{ChainNames.Limited(string.Empty, prefix, 42)}_{prefix[^10..]}";
}
