using Weft.Dataplane.Drivers.IpSets;
using Weft.Linux.Netfilter;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>What the kernel holds of one table of ours, as far as we know. Kept up while a transaction is written; read anew when one fails.</summary>
internal sealed class NfActual
{
    public bool IsPresent { get; set; }

    /// <summary>Somebody made it sleep: nothing in it is in force.</summary>
    public bool Sleeps { get; set; }

    /// <summary>Something in it cannot be changed into what is wanted: the table is written anew, in one transaction.</summary>
    public bool MustBeRebuilt { get; set; }

    /// <summary>By name; hashes of the rules, empty for those of somebody else.</summary>
    public Dictionary<string, string[]> Chains { get; } = new(StringComparer.Ordinal);

    /// <summary>Sets, and parts of sets, without maps.</summary>
    public HashSet<string> Sets { get; } = new(StringComparer.Ordinal);

    /// <summary>Maps of interfaces and where they lead, by name.</summary>
    public Dictionary<string, Dictionary<string, string>> Maps { get; } = new(StringComparer.Ordinal);

    /// <summary>Found when the set was read: what it lacks, and keys that do not belong there.</summary>
    public Dictionary<string, (List<IpSetMember> Missing, List<byte[]> Foreign)> Repairs { get; } = new(StringComparer.Ordinal);

    public void Clear()
    {
        (IsPresent, Sleeps, MustBeRebuilt) = (false, false, false);
        Chains.Clear();
        Sets.Clear();
        Maps.Clear();
        Repairs.Clear();
    }

    /// <summary>A base chain hangs where it should, and passes what its rules leave.</summary>
    public static bool HangsRight(KernelChain chain, NfChain wanted) => chain.Base == wanted.Hook && !chain.DropsByPolicy;
}
