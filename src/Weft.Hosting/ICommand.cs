using Weft.Hosting.Commands;

namespace Weft.Hosting;

/// <summary>A command that does one thing and ends: "get", "apply", "node", "lab".</summary>
public interface ICommand
{
    /// <summary>The first word on the command line.</summary>
    string Name { get; }

    /// <summary>One line for <c>weft help</c>.</summary>
    string Summary { get; }

    /// <summary>What it accepts: the one definition behind its parser, its help page, completion and the manual.</summary>
    CommandSyntax Syntax => new(Name, "[arguments]", $"{char.ToUpperInvariant(Summary[0])}{Summary[1..]}.", []);

    /// <param name="arguments">What follows the name.</param>
    /// <param name="context">Streams, environment and clock.</param>
    /// <param name="stop">Fires on SIGINT and SIGTERM.</param>
    Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop);
}

/// <summary>The surroundings of a command; tests hand in their own.</summary>
public sealed class CommandContext
{
    public required Stream In { get; init; }

    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    public required System.Collections.IDictionary Environment { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>True when <see cref="Out"/> is a terminal and NO_COLOR is not set.</summary>
    public bool Colour { get; init; }
}
