using Weft.Hosting;
using Weft.Hosting.Commands;

namespace Weft;

/// <summary><c>weft man [weft.conf]</c>: the manual pages, which the packages install.</summary>
internal sealed class ManCommand : ICommand
{
    public string Name => "man";

    public string Summary => "print the manual in man's language";

    public CommandSyntax Syntax => new("man", "[weft.conf]", "Prints weft(8), or weft.conf(5), in the language of man. The packages install both.", [])
    {
        Words = ["weft.conf"],
        Examples = [("weft man | man -l -", "to read it without a package")],
    };

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        string? page = arguments switch
        {
            ["--help" or "-h"] => Syntax.Help(),
            [] => ManualPage.Commands(CommandCatalog.Roles(), CommandCatalog.Commands(), Program.Version),
            ["weft.conf"] => ManualPage.Settings(ConfigCommand.AllSettings(), Program.Version),
            _ => null,
        };
        await (page is null ? context.Error.WriteLineAsync(Syntax.Usage) : context.Out.WriteAsync(page));
        return page is null ? ExitStatus.Usage : ExitStatus.Ok;
    }
}
