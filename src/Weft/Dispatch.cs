namespace Weft;

/// <summary>What an invocation of the executable asks for.</summary>
public enum Invocation
{
    Help,
    Version,
    Cni,
    Role,
    Command,
    Unknown,
}

/// <summary>The outcome of <see cref="Dispatch.Choose"/>.</summary>
/// <param name="Invocation">What to run.</param>
/// <param name="Name">Name of the role or command; the unknown word for <see cref="Invocation.Unknown"/>.</param>
public readonly record struct DispatchChoice(Invocation Invocation, string Name);

/// <summary>
/// Chooses what to run from argv[0], argv[1] and CNI_COMMAND alone. The CNI role comes first: it must be reached before anything of a host, a logger or
/// a settings file is touched, since a kubelet waits for it.
/// </summary>
public static class Dispatch
{
    /// <summary>A CNI call never has arguments. Without CNI_COMMAND a plugin name on the disk is still a plugin, and must say what it misses.</summary>
    public static bool IsCni(string argv0, string? firstArgument, string? cniCommand) =>
        firstArgument is null && (!string.IsNullOrEmpty(cniCommand) || Path.GetFileName(argv0.AsSpan()) is "weft-ipam");

    /// <param name="argv0">The name the executable was called by; a runtime may call a copy or link of it by the "type" of its network.</param>
    /// <param name="firstArgument">argv[1], or null.</param>
    /// <param name="cniCommand">CNI_COMMAND, or null.</param>
    /// <param name="roles">Names of the roles.</param>
    /// <param name="commands">Names of the commands.</param>
    public static DispatchChoice Choose(string argv0, string? firstArgument, string? cniCommand, IReadOnlySet<string> roles, IReadOnlySet<string> commands)
    {
        if (firstArgument is null)
        {
            return IsCni(argv0, firstArgument, cniCommand) ? new DispatchChoice(Invocation.Cni, "cni") : new DispatchChoice(Invocation.Help, "help");
        }

        return firstArgument switch
        {
            "help" or "--help" or "-h" => new DispatchChoice(Invocation.Help, "help"),
            "version" or "--version" or "-V" => new DispatchChoice(Invocation.Version, "version"),
            _ when roles.Contains(firstArgument) => new DispatchChoice(Invocation.Role, firstArgument),
            _ when commands.Contains(firstArgument) => new DispatchChoice(Invocation.Command, firstArgument),
            _ => new DispatchChoice(Invocation.Unknown, firstArgument),
        };
    }
}
