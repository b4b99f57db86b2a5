using Weft.Hosting;
using Weft.Hosting.Commands;

namespace Weft;

/// <summary>The roles and commands of <see cref="RoleTable"/> as completion scripts and the manual see them.</summary>
internal static class CommandCatalog
{
    public static IReadOnlyList<CommandTree> Roles() => [.. RoleTable.Roles.Values.Select(role => Of(role()))];

    public static IReadOnlyList<CommandTree> Commands() => [.. RoleTable.Commands.Values.Select(command => CommandTree.Of(command())), .. Builtin()];

    private static CommandTree Of(IRole role) => new(role.Name, role.Summary, RoleRunner.Syntax(role), [.. role.Commands.Select(CommandTree.Of)]);

    /// <summary>What Program answers by itself.</summary>
    private static IEnumerable<CommandTree> Builtin() =>
    [
        new("version", "print the version", new CommandSyntax("version", string.Empty, "Prints the version.", []), []),
        new("help", "list the commands", new CommandSyntax("help", string.Empty, "Lists the commands.", []), []),
    ];
}
