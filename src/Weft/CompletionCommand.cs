using Weft.Hosting;
using Weft.Hosting.Commands;

namespace Weft;

/// <summary><c>weft completion SHELL</c>: the packages install what it prints.</summary>
internal sealed class CompletionCommand : ICommand
{
    public string Name => "completion";

    public string Summary => "print the completion script of a shell";

    public CommandSyntax Syntax => new("completion", string.Join('|', CompletionScript.Shells), "Prints the completion script of a shell. The packages install all of them.", [])
    {
        Words = CompletionScript.Shells,
        Examples = [("source <(weft completion bash)", "for this shell alone")],
    };

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        if (arguments is ["--help" or "-h"])
        {
            await context.Out.WriteAsync(Syntax.Help());
            return ExitStatus.Ok;
        }

        if (arguments is not [var shell] || !CompletionScript.Shells.Contains(shell))
        {
            await context.Error.WriteLineAsync(Syntax.Usage);
            return ExitStatus.Usage;
        }

        await context.Out.WriteAsync(CompletionScript.Render(shell, [.. CommandCatalog.Roles(), .. CommandCatalog.Commands()]));
        return ExitStatus.Ok;
    }
}
