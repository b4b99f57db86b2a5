using System.Globalization;
using Weft.Dataplane.Drivers.Tunnels;
using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Agent;

/// <summary>
/// The MTU of pods whose network configuration says nothing: the setting, or what Calico's Felix (or the operator) wrote into the file, or the smallest of the host's
/// interfaces less what the encapsulation of the pools adds. Asked by every ADD, from any thread.
/// </summary>
internal sealed class NodeMtu(int? setting, string file, TimeProvider time)
{
    public const string DefaultFile = "/var/lib/calico/mtu";

    /// <summary>Interfaces hardly ever change their MTU.</summary>
    private static readonly TimeSpan s_lifetime = TimeSpan.FromSeconds(10);

    private int _overhead; // Written by the policy loop.
    private int _smallest; // 0 for none.
    private long _read;

    /// <summary>Null leaves the kernel's default.</summary>
    public int? Value => setting ?? FromFile() ?? (Smallest() is > 0 and int smallest ? Math.Max(smallest - Volatile.Read(ref _overhead), 68) : null);

    /// <summary>The pools have changed.</summary>
    public void SetPools(IEnumerable<IPPool> pools) => Volatile.Write(ref _overhead, pools.Select(Overhead).DefaultIfEmpty(0).Max());

    private static int Overhead(IPPool pool) => pool.Spec switch
    {
        { VxlanMode: "Always" or "CrossSubnet" } => IpPrefix.TryParse(pool.Spec.Cidr, out IpPrefix cidr) && cidr.IsIPv6 ? TunnelOverhead.VxlanV6 : TunnelOverhead.Vxlan,
        { IpipMode: "Always" or "CrossSubnet" } => TunnelOverhead.Ipip,
        _ => 0,
    };

    private int? FromFile()
    {
        try
        {
            return File.Exists(file) && int.TryParse(File.ReadAllText(file).Trim(), CultureInfo.InvariantCulture, out int mtu) && mtu is >= 68 and <= 65_535 ? mtu : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // As good as absent: the file is a hint.
        }
    }

    private int Smallest()
    {
        if (_read != 0 && time.GetElapsedTime(Volatile.Read(ref _read)) < s_lifetime)
        {
            return Volatile.Read(ref _smallest);
        }

        try
        {
            using RouteSocket socket = RouteSocket.Open();
            HashSet<int> addressed = [.. socket.Addresses.List().Where(a => !a.Address.Address.IsLinkLocal).Select(a => a.LinkIndex)];
            Volatile.Write(ref _smallest, socket.Links.List()
                .Where(link => link is { IsUp: true, IsLoopback: false, Kind: not ("vxlan" or "ipip" or "ifb") } && addressed.Contains(link.Index))
                .Select(link => link.Mtu).DefaultIfEmpty(0).Min());
            Volatile.Write(ref _read, time.GetTimestamp());
        }
        catch (KernelException)
        {
            // Asked again by the next pod.
        }

        return Volatile.Read(ref _smallest);
    }
}
