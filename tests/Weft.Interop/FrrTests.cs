using Weft.Interop.Peers;

namespace Weft.Interop;

/// <summary>weft beside Debian's FRR.</summary>
public static class FrrTests
{
    public sealed class Sessions : SessionTests
    {
        private protected override IPeer NewPeer() => new Frr();
    }

    public sealed class Protection : ProtectionTests
    {
        private protected override IPeer NewPeer() => new Frr();
    }

    public sealed class Routes : RouteTests
    {
        private protected override IPeer NewPeer() => new Frr();
    }

    public sealed class Restarts : RestartTests
    {
        private protected override IPeer NewPeer() => new Frr();
    }
}
