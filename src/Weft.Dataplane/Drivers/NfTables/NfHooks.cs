using Weft.Linux.Netfilter;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// Where our base chains hang: the places that iptables has, by the names it gives them, so that one rendering of chains serves both backends. Translation
/// of sources comes behind that of kube-proxy, which must have decided first.
/// </summary>
internal static class NfHooks
{
    // linux/netfilter_ipv4.h, NF_IP_PRI_*.
    private const int Raw = -300;
    private const int Mangle = -150;
    private const int DestinationNat = -100;
    private const int Filter = 0;
    private const int SourceNat = 100;
    private const int BehindOthers = 10;

    /// <exception cref="ArgumentException">iptables has no such chain.</exception>
    public static NfBaseChain Of(string table, string chain) => (table, chain) switch
    {
        ("raw", "PREROUTING") => new NfBaseChain("filter", NfHook.PreRouting, Raw),
        ("raw", "OUTPUT") => new NfBaseChain("filter", NfHook.Output, Raw),
        ("mangle", "PREROUTING") => new NfBaseChain("filter", NfHook.PreRouting, Mangle),
        ("mangle", "INPUT") => new NfBaseChain("filter", NfHook.Input, Mangle),
        ("mangle", "FORWARD") => new NfBaseChain("filter", NfHook.Forward, Mangle),
        ("mangle", "OUTPUT") => new NfBaseChain("route", NfHook.Output, Mangle),
        ("mangle", "POSTROUTING") => new NfBaseChain("filter", NfHook.PostRouting, Mangle),
        ("nat", "PREROUTING") => new NfBaseChain("nat", NfHook.PreRouting, DestinationNat),
        ("nat", "INPUT") => new NfBaseChain("nat", NfHook.Input, SourceNat),
        ("nat", "OUTPUT") => new NfBaseChain("nat", NfHook.Output, DestinationNat),
        ("nat", "POSTROUTING") => new NfBaseChain("nat", NfHook.PostRouting, SourceNat + BehindOthers),
        ("filter", "INPUT") => new NfBaseChain("filter", NfHook.Input, Filter),
        ("filter", "FORWARD") => new NfBaseChain("filter", NfHook.Forward, Filter),
        ("filter", "OUTPUT") => new NfBaseChain("filter", NfHook.Output, Filter),
        _ => throw new ArgumentException($"there is no chain {chain} in table {table}", nameof(chain)),
    };
}
