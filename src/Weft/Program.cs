using System.Reflection;
using System.Runtime.InteropServices;
using Weft.Hosting;
using Weft.Linux.Processes;
using Weft.Node.Cni;

namespace Weft;

/// <summary>The entry: chooses, composes, turns the outcome into an exit code.</summary>
internal static class Program
{
    public static Task<int> Main(string[] arguments)
    {
        string argv0 = Environment.GetCommandLineArgs()[0];
        string? first = arguments.Length > 0 ? arguments[0] : null;
        string? cniCommand = Environment.GetEnvironmentVariable("CNI_COMMAND");

        // Nothing of the console, the settings, the signals or the tables of roles is touched: a runtime waits, and standard output belongs to the CNI result alone.
        return Dispatch.IsCni(argv0, first, cniCommand) ? CniMain.RunProcessAsync(Path.GetFileName(argv0)) : RunOtherAsync(argv0, first, cniCommand, arguments);
    }

    private static async Task<int> RunOtherAsync(string argv0, string? first, string? cniCommand, string[] arguments) => (int)await RunAsync(
        Dispatch.Choose(argv0, first, cniCommand, RoleTable.Roles.Keys.ToHashSet(), RoleTable.Commands.Keys.ToHashSet()), arguments);

    public static string Version => typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private static async Task<ExitStatus> RunAsync(DispatchChoice choice, string[] arguments)
    {
        CommandContext context = new()
        {
            In = Console.OpenStandardInput(),
            Out = Console.Out,
            Error = Console.Error,
            Environment = Environment.GetEnvironmentVariables(),
            Colour = !Console.IsOutputRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
        };
        switch (choice.Invocation)
        {
            case Invocation.Version:
                await context.Out.WriteLineAsync($"weft {Version}");
                return ExitStatus.Ok;
            case Invocation.Help:
                await context.Out.WriteAsync(HelpText.Render());
                return ExitStatus.Ok;
            case Invocation.Role:
                using (FaultAround.Stop()) // Before anything of the role runs: what is mapped by then stays.
                {
                    return await RoleRunner.RunAsync(RoleTable.Roles[choice.Name](), arguments[1..], context);
                }

            case Invocation.Command:
                return await RunCommandAsync(RoleTable.Commands[choice.Name](), arguments[1..], context);
            default:
                await context.Error.WriteLineAsync($"weft: unknown command \"{choice.Name}\"; \"weft help\" lists them all");
                return ExitStatus.Usage;
        }
    }

    internal static async Task<ExitStatus> RunCommandAsync(ICommand command, string[] arguments, CommandContext context)
    {
        using CancellationTokenSource stop = new();
        using PosixSignalRegistration term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel);
        return await command.RunAsync(arguments, context, stop.Token);

        void Cancel(PosixSignalContext received)
        {
            received.Cancel = true; // The command undoes what it began; a second signal finds the default again only when it has ended.
            stop.Cancel();
        }
    }
}
