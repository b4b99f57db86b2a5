using Weft.Dataplane.Drivers.IpTables;
using Weft.Policy.Output;

namespace Weft.Dataplane;

/// <summary>What is to write the rules.</summary>
public enum RuleBackendChoice
{
    /// <summary>nf_tables where the kernel has all that is needed of it, else iptables.</summary>
    Auto,

    /// <summary>nf_tables, directly.</summary>
    NfTables,

    /// <summary>Whichever iptables other programs on this host use.</summary>
    IpTables,

    IpTablesNft,

    IpTablesLegacy,
}

/// <summary>What writes the rules, and why, for people.</summary>
/// <param name="Choice">Never <see cref="RuleBackendChoice.Auto"/>.</param>
/// <param name="Why">"the kernel has it".</param>
public sealed record RuleBackendDecision(RuleBackendChoice Choice, string Why)
{
    private const string ModeField = "nftablesMode";
    private const string BackendField = "iptablesBackend";

    /// <summary>The fields of FelixConfiguration that decide.</summary>
    internal static IReadOnlyList<string> Fields { get; } = [ModeField, BackendField];

    internal IpTablesBackend IpTables => Choice switch
    {
        RuleBackendChoice.IpTablesNft => IpTablesBackend.Nft,
        RuleBackendChoice.IpTablesLegacy => IpTablesBackend.Legacy,
        _ => IpTablesBackend.Auto,
    };

    /// <summary>The node's own setting first, then FelixConfiguration's nftablesMode and iptablesBackend, then the kernel.</summary>
    /// <param name="setting">[agent] dataplane-backend.</param>
    /// <param name="config">Null while there is none.</param>
    /// <param name="lacking">What the kernel lacks for nf_tables; null for nothing.</param>
    /// <param name="problems">Values that cannot be read.</param>
    internal static RuleBackendDecision Of(RuleBackendChoice setting, ConfigUpdate? config, Func<string?> lacking, List<string> problems)
    {
        if (setting != RuleBackendChoice.Auto)
        {
            return new RuleBackendDecision(setting, "[agent] dataplane-backend");
        }

        string mode = config?.Find(ModeField) ?? "Auto";
        switch (mode.ToUpperInvariant())
        {
            case "ENABLED":
                return new RuleBackendDecision(RuleBackendChoice.NfTables, "FelixConfiguration nftablesMode Enabled");
            case "DISABLED":
                return new RuleBackendDecision(IpTablesOf(config, problems), "FelixConfiguration nftablesMode Disabled");
            case not "AUTO":
                problems.Add($"nftablesMode: \"{mode}\" is none of Auto, Enabled, Disabled");
                break;
        }

        return lacking() is { } what
            ? new RuleBackendDecision(IpTablesOf(config, problems), $"the kernel lacks for nf_tables: {what}")
            : new RuleBackendDecision(RuleBackendChoice.NfTables, "the kernel has it");
    }

    private static RuleBackendChoice IpTablesOf(ConfigUpdate? config, List<string> problems)
    {
        string backend = config?.Find(BackendField) ?? "Auto";
        switch (backend.ToUpperInvariant())
        {
            case "NFT":
                return RuleBackendChoice.IpTablesNft;
            case "LEGACY":
                return RuleBackendChoice.IpTablesLegacy;
            case not "AUTO":
                problems.Add($"iptablesBackend: \"{backend}\" is none of Auto, NFT, Legacy");
                break;
        }

        return RuleBackendChoice.IpTables;
    }
}
