namespace Weft.Node.Cni;

/// <summary>
/// Error codes of the CNI specification. 1 to 99 are its own, a plugin's begin at 100; 50 and 51 answer STATUS only (specification 1.1.0).
/// </summary>
internal enum CniErrorCode
{
    IncompatibleVersion = 1,
    UnsupportedField = 2,

    /// <summary>The container is unknown or does not exist: the runtime need not call DEL.</summary>
    UnknownContainer = 3,
    InvalidEnvironment = 4,
    Io = 5,
    Decode = 6,
    InvalidConfiguration = 7,

    /// <summary>CNI_NETNS is not a network namespace, or the plugin's own.</summary>
    InvalidNetns = 8,

    /// <summary>Try again later: the trouble is expected to pass.</summary>
    TryAgainLater = 11,
    /// <summary>STATUS: ADD would fail.</summary>
    NotAvailable = 50,

    /// <summary>STATUS: ADD would fail, and pods that run may not be connected as they should.</summary>
    LimitedConnectivity = 51,

    /// <summary>What weft tried did not work; the message says what.</summary>
    Failed = 100,

    /// <summary>No address can be had.</summary>
    NoAddress = 101,

    /// <summary>Routes and policy of the pod were not in the kernel in time; everything has been undone.</summary>
    PolicyNotProgrammed = 102,

    /// <summary>CHECK found the pod different from what ADD made.</summary>
    CheckFailed = 103,
}

/// <summary>Ends a CNI call with an error object on standard output.</summary>
/// <param name="code">Code of the specification, or weft's own from 100.</param>
/// <param name="message">One line: what was tried, on what, what the other side said.</param>
/// <param name="details">More, or null.</param>
internal sealed class CniException(CniErrorCode code, string message, string? details = null) : Exception(message)
{
    public CniErrorCode Code { get; } = code;

    public string? Details { get; } = details;
}
