namespace Weft.Model.Felix;

/// <summary>What weft does with a parameter of Felix.</summary>
public enum FelixStanding : byte
{
    /// <summary>The calculation graph uses it.</summary>
    Graph,

    /// <summary>It becomes a setting of the dataplane.</summary>
    Rules,

    /// <summary>The agent itself uses it.</summary>
    Agent,

    /// <summary>It asks for something that weft does not do.</summary>
    Refused,

    /// <summary>It has no meaning here.</summary>
    NotApplicable,
}

/// <summary>Where a parameter may be set.</summary>
public enum FelixScope : byte
{
    Anywhere,

    /// <summary>Environment and file of the node alone: it is needed before the datastore can be read, or must not be changed from afar.</summary>
    Local,
}

/// <summary>One parameter of Felix.</summary>
/// <param name="Name">As in the environment ("FELIX_" before it) and in Felix's file; any case.</param>
/// <param name="Field">As in FelixConfiguration; the name itself where there is no such field.</param>
/// <param name="Type">How values are read.</param>
/// <param name="Default">Of Calico, in the form of the type; empty for none.</param>
/// <param name="Scope">Where it may be set.</param>
/// <param name="Standing">What weft does with it.</param>
/// <param name="Why">Of a refusal or of a parameter without meaning.</param>
public sealed record FelixParameter(string Name, string Field, FelixType Type, string Default, FelixScope Scope, FelixStanding Standing, string Why)
{
    public bool IsImplemented => Standing is FelixStanding.Graph or FelixStanding.Rules or FelixStanding.Agent;

    /// <summary>What an operator must know of a value that a FelixConfiguration gives; null when it does what it says.</summary>
    public string? Complaint(string value)
    {
        if (Scope == FelixScope.Local)
        {
            return "can be set by the environment and the file of a node only";
        }

        if (!Type.TryRead(value, FelixSyntax.Api, out string read, out string expected))
        {
            return $"\"{value}\" cannot be used, expected {expected}: the default {(Default.Length == 0 ? "(none)" : Default)} holds";
        }

        return Asks(read) ? Remark : null;
    }

    /// <summary>
    /// Whether a value asks for something that <see cref="Remark"/> must answer. The default does not, nor does switching off what has no meaning here: the
    /// objects that Calico itself creates do that.
    /// </summary>
    internal bool Asks(string read) => !IsImplemented && read.Length > 0 && !read.Equals(Default, StringComparison.OrdinalIgnoreCase)
        && !(Standing == FelixStanding.NotApplicable && (read is "0" or "0s" or "false" or "Disabled"));

    /// <summary>Why the parameter does nothing; null for one that does.</summary>
    public string? Remark => Standing switch
    {
        FelixStanding.Refused => $"refused: {Why}",
        FelixStanding.NotApplicable => $"not applicable: {Why}",
        _ => null,
    };
}
