namespace Weft.Hosting.Commands;

/// <summary>A word of the command line with everything below it: what completion scripts and the manual are generated from.</summary>
/// <param name="Name">The word.</param>
/// <param name="Summary">One line.</param>
/// <param name="Syntax">What it accepts.</param>
/// <param name="Children">Commands below it that accept other things than it does.</param>
public sealed record CommandTree(string Name, string Summary, CommandSyntax Syntax, IReadOnlyList<CommandTree> Children)
{
    public static CommandTree Of(ICommand command) => new(command.Name, command.Summary, command.Syntax, []);

    /// <summary>This one and all below it, each before what is below it.</summary>
    public IEnumerable<CommandTree> All() => Children.SelectMany(c => c.All()).Prepend(this);
}
