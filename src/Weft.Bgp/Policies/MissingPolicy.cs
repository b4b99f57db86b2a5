using Weft.Bgp.Rib;

namespace Weft.Bgp.Policies;

/// <summary>RFC 8212: external sessions for which nobody has written a policy, where the operator asks that somebody must.</summary>
internal static class MissingPolicy
{
    private static readonly RoutePolicy Import = Refusing("no import policy is configured (require-policy, RFC 8212)");
    private static readonly RoutePolicy Export = Refusing("no export policy is configured (require-policy, RFC 8212)");

    /// <summary>What import policy the peer's routes go through; null: none.</summary>
    public static RoutePolicy? ImportOf(RibPeer peer) => IsImportMissing(peer) ? Import : peer.Settings.Import;

    public static RoutePolicy? ExportOf(RibPeer peer) => IsRequired(peer) && peer.Settings.Export is null ? Export : peer.Settings.Export;

    public static bool IsImportMissing(RibPeer peer) => IsRequired(peer) && peer.Settings.Import is null;

    /// <summary>RFC 8212 is about external sessions; those between members of a confederation are none.</summary>
    private static bool IsRequired(RibPeer peer) => peer.Settings.RequirePolicy && !peer.IsInterior;

    private static RoutePolicy Refusing(string name) => new()
    {
        Rules = [new PolicyRule { Name = name, Verdict = PolicyVerdict.Reject }],
        Default = PolicyVerdict.Reject,
    };
}
