using Weft.Interop.Peers;

namespace Weft.Interop;

/// <summary>weft beside BIRD 3 of Debian's next release.</summary>
public static class Bird3Tests
{
    public sealed class Sessions : SessionTests
    {
        private protected override IPeer NewPeer() => Bird.Three();
    }

    public sealed class Protection : ProtectionTests
    {
        private protected override IPeer NewPeer() => Bird.Three();
    }

    public sealed class Routes : RouteTests
    {
        private protected override IPeer NewPeer() => Bird.Three();
    }

    public sealed class Restarts : RestartTests
    {
        private protected override IPeer NewPeer() => Bird.Three();
    }
}
