using Weft.Interop.Peers;

namespace Weft.Interop;

/// <summary>weft beside Debian's GoBGP.</summary>
public static class GoBgpTests
{
    public sealed class Sessions : SessionTests
    {
        private protected override IPeer NewPeer() => new GoBgp();
    }

    public sealed class Protection : ProtectionTests
    {
        private protected override IPeer NewPeer() => new GoBgp();
    }

    public sealed class Routes : RouteTests
    {
        private protected override IPeer NewPeer() => new GoBgp();
    }

    public sealed class Restarts : RestartTests
    {
        private protected override IPeer NewPeer() => new GoBgp();
    }
}
