namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>Where our rules stand among those of others in the kernel's chains.</summary>
public enum ChainInsertMode
{
    /// <summary>Before all others. The safe choice: nobody else can accept a packet first.</summary>
    Insert,

    /// <summary>Behind all others.</summary>
    Append,
}

/// <summary>How one table is kept.</summary>
/// <param name="Name">"filter", "nat", "mangle", "raw".</param>
public sealed record RuleTableSettings(string Name)
{
    public ChainInsertMode InsertMode { get; init; } = ChainInsertMode.Insert;

    /// <summary>How often the table is read although nothing changed; zero for never.</summary>
    public TimeSpan RefreshInterval { get; init; } = TimeSpan.FromSeconds(180);

    /// <summary>First look after a write, against another writer that overwrote it; then at growing distance up to an hour.</summary>
    public TimeSpan PostWriteCheckInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long iptables-restore waits for the lock it shares with every other user of the legacy backend.</summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(10);

    public TimeSpan LockProbeInterval { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Chains that start so are ours; rules in the kernel's chains that jump to such a chain without a hash are ours from long ago.</summary>
    public IReadOnlyList<string> OwnPrefixes { get; init; } = ["cali-", "califw-", "calitw-", "califh-", "calith-", "calipi-", "calipo-", "felix-"];

    /// <summary>Further rules to remove from the kernel's chains, given the line iptables-save prints.</summary>
    public Func<string, bool> IsLegacyRule { get; init; } = static _ => false;

    /// <summary>Only sweep; a failure is logged and never ends the process. For the tables of the backend that is not in use.</summary>
    public bool CleanupOnly { get; init; }
}
