namespace Weft.Dataplane.Rules.Model;

/// <summary>What happens to a packet that a rule matches, as data.</summary>
public abstract record RuleAction
{
    /// <summary>Nothing: the rule only counts, or only carries a comment.</summary>
    public static RuleAction None { get; } = new VerdictAction(Verdict.Continue);

    public static RuleAction Accept { get; } = new VerdictAction(Verdict.Accept);

    public static RuleAction Drop { get; } = new VerdictAction(Verdict.Drop);

    /// <summary>Back to the rule after the jump that led here.</summary>
    public static RuleAction Return { get; } = new VerdictAction(Verdict.Return);

    /// <summary>Told to the sender by ICMP, port unreachable.</summary>
    public static RuleAction Reject { get; } = new RejectAction(WithTcpReset: false);

    public static RuleAction RejectWithTcpReset { get; } = new RejectAction(WithTcpReset: true);

    /// <summary>The packet's connection is not tracked.</summary>
    public static RuleAction NoTrack { get; } = new NoTrackAction();

    /// <summary>The chain of ours that must exist for this rule; null for none.</summary>
    public virtual string? ReferencedChain => null;

    /// <summary>A RETURN there comes back to the next rule here.</summary>
    public static RuleAction Jump(string chain) => new JumpAction(chain, ComesBack: true);

    /// <summary>A RETURN there comes back to whoever jumped here.</summary>
    public static RuleAction Goto(string chain) => new JumpAction(chain, ComesBack: false);

    public static RuleAction SetMark(uint bits) => new MarkAction(bits, bits);

    public static RuleAction ClearMark(uint bits) => new ClearMarkAction(bits);

    /// <summary>The bits of the mask become those of the mark; the others stay.</summary>
    public static RuleAction SetMaskedMark(uint mark, uint mask) => new MarkAction(mark, mask);

    public static RuleAction SaveConnectionMark(uint mask) => new ConnectionMarkAction(mask, Save: true);

    public static RuleAction RestoreConnectionMark(uint mask) => new ConnectionMarkAction(mask, Save: false);

    /// <param name="address">The new destination.</param>
    /// <param name="port">0 keeps the packet's port.</param>
    public static RuleAction Dnat(string address, int port = 0) => new DnatAction(address, port);

    /// <param name="address">The new source.</param>
    /// <param name="ports">Null for any.</param>
    public static RuleAction Snat(string address, PortSpan? ports = null) => new SnatAction(address, ports);

    /// <inheritdoc cref="Snat"/>
    public static RuleAction Masquerade(PortSpan? ports = null) => new SnatAction(null, ports);

    /// <param name="group">Of the listener.</param>
    /// <param name="prefix">At most 63 bytes.</param>
    public static RuleAction Nflog(int group, string prefix) => new NflogAction(group, prefix);

    /// <summary>A line in the kernel's log.</summary>
    public static RuleAction Log(string prefix) => new LogAction(prefix);

    public static RuleAction Dscp(int value) => new DscpAction(value);
}

/// <summary>A range of ports, both ends in it.</summary>
public readonly record struct PortSpan(ushort First, ushort Last)
{
    public override string ToString() => First == Last ? $"{First}" : $"{First}-{Last}";
}

public enum Verdict : byte
{
    /// <summary>The next rule decides.</summary>
    Continue,
    Accept,
    Drop,
    Return,
}

public sealed record VerdictAction(Verdict Verdict) : RuleAction;

public sealed record RejectAction(bool WithTcpReset) : RuleAction;

public sealed record NoTrackAction : RuleAction;

public sealed record JumpAction(string Chain, bool ComesBack) : RuleAction
{
    public override string ReferencedChain => Chain;
}

/// <summary>mark = (mark AND NOT mask) XOR the new bits.</summary>
public sealed record MarkAction(uint Mark, uint Mask) : RuleAction;

/// <summary>Means the same as <see cref="MarkAction"/> of no bits; Calico writes the two differently, and text is hashed.</summary>
public sealed record ClearMarkAction(uint Bits) : RuleAction;

/// <summary>Between the packet's mark and that of its connection.</summary>
public sealed record ConnectionMarkAction(uint Mask, bool Save) : RuleAction;

public sealed record DnatAction(string Address, int Port) : RuleAction;

/// <param name="Address">Null for that of the outgoing interface.</param>
public sealed record SnatAction(string? Address, PortSpan? Ports) : RuleAction;

public sealed record NflogAction(int Group, string Prefix) : RuleAction;

public sealed record LogAction(string Prefix) : RuleAction;

public sealed record DscpAction(int Value) : RuleAction;
