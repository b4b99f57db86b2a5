using Weft.Interop.Peers;

namespace Weft.Interop;

/// <summary>weft beside Debian's BIRD 2.</summary>
public static class Bird2Tests
{
    public sealed class Sessions : SessionTests
    {
        private protected override IPeer NewPeer() => Bird.Two();
    }

    public sealed class Protection : ProtectionTests
    {
        private protected override IPeer NewPeer() => Bird.Two();
    }

    public sealed class Routes : RouteTests
    {
        private protected override IPeer NewPeer() => Bird.Two();
    }

    public sealed class Restarts : RestartTests
    {
        private protected override IPeer NewPeer() => Bird.Two();
    }
}
