using System.Buffers;
using Weft.Policy.Output;
using Weft.Primitives.Hashing;

namespace Weft.Dataplane.Rules;

/// <summary>
/// Names of chains. The prefix says what a chain is for; the rest names the object, or is its hash when it is too long or holds a character that does
/// not belong into a script.
/// </summary>
internal static class ChainNames
{
    public const int MaxLength = 28;

    public const string FromWorkloadDispatch = "cali-from-wl-dispatch";
    public const string ToWorkloadDispatch = "cali-to-wl-dispatch";
    public const string FromHostEndpoint = "cali-from-host-endpoint";
    public const string ToHostEndpoint = "cali-to-host-endpoint";
    public const string FromHostForward = "cali-from-hep-forward";
    public const string ToHostForward = "cali-to-hep-forward";
    public const string WorkloadToHost = "cali-wl-to-host";
    public const string CidrBlock = "cali-cidr-block";
    public const string FailsafeIn = "cali-failsafe-in";
    public const string FailsafeOut = "cali-failsafe-out";
    public const string RpfSkip = "cali-rpf-skip";
    public const string NatOutgoing = "cali-nat-outgoing";
    public const string FloatingDnat = "cali-fip-dnat";
    public const string FloatingSnat = "cali-fip-snat";

    /// <summary>In place of an interface's name: the host endpoint of all interfaces.</summary>
    public const string AnyInterface = "any-interface-at-all";

    private static readonly SearchValues<char> s_plain = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-");

    /// <summary>Packets to the workload: its ingress policy.</summary>
    public static string ToWorkload(string interfaceName) => Limited("cali-tw-", interfaceName);

    /// <summary>Packets from the workload: its egress policy.</summary>
    public static string FromWorkload(string interfaceName) => Limited("cali-fw-", interfaceName);

    /// <summary>Packets that leave the host by the interface: egress policy of the host endpoint.</summary>
    public static string ToHost(string interfaceName) => Limited("cali-th-", interfaceName);

    /// <summary>Packets that come into the host by the interface: its ingress policy.</summary>
    public static string FromHost(string interfaceName) => Limited("cali-fh-", interfaceName);

    /// <summary>Of others, passing through.</summary>
    public static string ToHostForwarded(string interfaceName) => Limited("cali-thfw-", interfaceName);

    /// <inheritdoc cref="ToHostForwarded"/>
    public static string FromHostForwarded(string interfaceName) => Limited("cali-fhfw-", interfaceName);

    public static string PolicyInbound(PolicyId id) => Limited("cali-pi-", id.ToString());

    public static string PolicyOutbound(PolicyId id) => Limited("cali-po-", id.ToString());

    public static string ProfileInbound(string name) => Limited("cali-pri-", name);

    public static string ProfileOutbound(string name) => Limited("cali-pro-", name);

    private static string Limited(string prefix, string suffix) => suffix.AsSpan().ContainsAnyExcept(s_plain) ? Hashed(prefix, suffix, MaxLength) : Limited(prefix, suffix, MaxLength);

    /// <summary>
    /// Prefix and suffix, or prefix, underscore and as much of the suffix's hash as fits. A suffix that fits exactly and begins with an underscore is hashed
    /// too: it could be taken for a hash.
    /// </summary>
    /// <exception cref="ArgumentException">The prefix leaves no room.</exception>
    internal static string Limited(string prefix, string suffix, int maxLength)
    {
        if (suffix.Length == 0)
        {
            suffix = "_";
        }

        int length = prefix.Length + suffix.Length;
        return length > maxLength || (length == maxLength && suffix[0] == '_') ? Hashed(prefix, suffix, maxLength) : prefix + suffix;
    }

    private static string Hashed(string prefix, string suffix, int maxLength)
    {
        int room = maxLength - 1 - prefix.Length;
        if (room <= 0)
        {
            throw new ArgumentException($"\"{prefix}\" leaves no room for a hash within {maxLength} characters", nameof(prefix));
        }

        return $"{prefix}_{Sha256.Base64Url(suffix)[..Math.Min(room, 43)]}";
    }
}
