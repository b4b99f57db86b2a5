using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Node.Startup;

/// <summary>Reads the interfaces of this network namespace.</summary>
internal static class HostInterfaces
{
    /// <exception cref="Linux.KernelException">The kernel did not tell.</exception>
    public static IReadOnlyList<HostInterface> Read()
    {
        using RouteSocket socket = RouteSocket.Open();
        ILookup<int, InterfaceAddress> addresses = socket.Addresses.List().ToLookup(a => a.LinkIndex, a => a.Address);
        return [.. socket.Links.List().Select(link => new HostInterface(link.Name, link.IsUp, [.. addresses[link.Index]]))];
    }

    /// <summary>The local address the kernel would use towards the target, or null when it has no route.</summary>
    public static IpAddress? SourceTowards(IpAddress target)
    {
        using RouteSocket socket = RouteSocket.Open();
        return socket.Routes.Lookup(target, out RouteInfo route).IsSuccess && route.Source.BitLength > 0 ? route.Source : null;
    }
}
