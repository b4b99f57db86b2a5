namespace Weft.Node.Cni;

/// <summary>
/// Whose a host interface is, written on the link itself (its alias): a later life of the agent, or of a plugin process without one, knows by it which interfaces are
/// leftovers, without any file of its own and even when the datastore has nothing of them.
/// </summary>
internal readonly record struct InterfaceOwner(string Network, string ContainerId, string InterfaceName)
{
    private const string Mark = "weft";

    /// <summary>Of the kernel (IFALIASZ); container ids have 64 characters, networks rarely more than twenty.</summary>
    private const int MaxLength = 255;

    /// <summary>"weft NETWORK CONTAINERID IFNAME": none of the three can hold a blank.</summary>
    public override string ToString() => $"{Mark} {Network} {ContainerId} {InterfaceName}" is { Length: <= MaxLength } text ? text : $"{Mark} {string.Empty} {ContainerId} {InterfaceName}";

    public static bool TryParse(string alias, out InterfaceOwner owner)
    {
        bool ours = alias.Split(' ') is [Mark, _, { Length: > 0 }, { Length: > 0 }];
        owner = ours && alias.Split(' ') is var parts ? new InterfaceOwner(parts[1], parts[2], parts[3]) : default;
        return ours;
    }
}
