namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>What happens to a packet that a rule matches (iptables calls it the target).</summary>
public sealed record RuleAction
{
    private RuleAction(string text, string? chain = null)
    {
        Text = text;
        ReferencedChain = chain;
    }

    /// <summary>Nothing: the rule only counts, or only carries a comment.</summary>
    public static RuleAction None { get; } = new(string.Empty);

    public static RuleAction Accept { get; } = new("--jump ACCEPT");

    public static RuleAction Drop { get; } = new("--jump DROP");

    public static RuleAction Reject { get; } = new("--jump REJECT");

    public static RuleAction RejectWithTcpReset { get; } = new("--jump REJECT --reject-with tcp-reset");

    /// <summary>Back to the rule after the jump that led here.</summary>
    public static RuleAction Return { get; } = new("--jump RETURN");

    /// <summary>The packet's connection is not tracked.</summary>
    public static RuleAction NoTrack { get; } = new("--jump NOTRACK");

    public string Text { get; }

    /// <summary>The chain of ours that must exist for this rule; null for none.</summary>
    public string? ReferencedChain { get; }

    /// <summary>A RETURN there comes back to the next rule here.</summary>
    public static RuleAction Jump(string chain) => new($"--jump {chain}", chain);

    /// <summary>A RETURN there comes back to whoever jumped here.</summary>
    public static RuleAction Goto(string chain) => new($"--goto {chain}", chain);

    public static RuleAction SetMark(uint bits) => new($"--jump MARK --set-mark {Match.Hex(bits)}/{Match.Hex(bits)}");

    public static RuleAction ClearMark(uint bits) => new($"--jump MARK --set-mark 0/{Match.Hex(bits)}");

    /// <summary>The bits of the mask become those of the mark; the others stay.</summary>
    public static RuleAction SetMaskedMark(uint mark, uint mask) => new($"--jump MARK --set-mark {Match.Hex(mark)}/{Match.Hex(mask)}");

    public static RuleAction SaveConnectionMark(uint mask) => new($"--jump CONNMARK --save-mark --mask {Match.Hex(mask)}");

    public static RuleAction RestoreConnectionMark(uint mask) => new($"--jump CONNMARK --restore-mark --mask {Match.Hex(mask)}");

    /// <param name="port">0 keeps the packet's port.</param>
    public static RuleAction Dnat(string address, int port = 0) =>
        new(port == 0 ? $"--jump DNAT --to-destination {address}" : $"--jump DNAT --to-destination {address}:{port}");

    /// <param name="ports">"1024-65535"; null for any.</param>
    public static RuleAction Snat(string address, IpTablesFeatures features, string? ports = null) => new(
        $"--jump SNAT --to-source {address}{(ports is null ? string.Empty : $":{ports}")}{(features.SnatRandomFully ? " --random-fully" : string.Empty)}");

    /// <inheritdoc cref="Snat"/>
    public static RuleAction Masquerade(IpTablesFeatures features, string? ports = null) => new(
        $"--jump MASQUERADE{(ports is null ? string.Empty : $" --to-ports {ports}")}{(features.MasqueradeRandomFully ? " --random-fully" : string.Empty)}");

    /// <param name="prefix">At most 63 bytes.</param>
    public static RuleAction Nflog(int group, string prefix, IpTablesFeatures features) =>
        new($"--jump NFLOG --nflog-group {group} --nflog-prefix {prefix} {(features.NflogSize ? "--nflog-size" : "--nflog-range")} 80");

    /// <summary>A line in the kernel's log.</summary>
    public static RuleAction Log(string prefix) => new($"--jump LOG --log-prefix \"{prefix}: \" --log-level 5");

    public static RuleAction Dscp(int value) => new($"--jump DSCP --set-dscp {value}");

    public override string ToString() => Text;
}
