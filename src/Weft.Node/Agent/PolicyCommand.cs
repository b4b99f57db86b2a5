using Weft.Hosting;
using Weft.Hosting.Commands;

namespace Weft.Node.Agent;

/// <summary><c>weft policy hits</c>: policy as this node's kernel has it.</summary>
public sealed class PolicyCommand : ICommand
{
    public string Name => "policy";

    public string Summary => "show what each rule of each policy has matched on this node";

    public CommandSyntax Syntax => AgentCommand.Hits.Syntax;

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        if (arguments is ["hits", ..])
        {
            return await AgentCommand.Hits.RunAsync([.. arguments.Skip(1)], context, stop);
        }

        if (arguments is ["--help" or "-h"])
        {
            await context.Out.WriteAsync(Syntax.Help());
            return ExitStatus.Ok;
        }

        await context.Error.WriteLineAsync($"weft policy: expected hits\n\n{Syntax.Help()}");
        return ExitStatus.Usage;
    }
}
