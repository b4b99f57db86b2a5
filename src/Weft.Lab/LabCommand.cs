using System.Diagnostics;
using System.Text.Json;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Hosting.Systemd;
using Weft.Linux;
using Weft.Linux.Namespaces;

namespace Weft.Lab;

/// <summary><c>weft lab</c>: a virtual rack on this machine. See <see cref="LabOptions.Syntax"/>.</summary>
public sealed class LabCommand : ICommand
{
    public string Name => "lab";

    public string Summary => "run a virtual rack on this machine: switches, nodes and pods in namespaces";

    public CommandSyntax Syntax => LabOptions.Syntax;

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        if (arguments.Any(a => a is "--help" or "-h") && arguments is not ["exec", ..])
        {
            await context.Out.WriteAsync(LabOptions.Syntax.Help());
            return ExitStatus.Ok;
        }

        if (arguments is ["pod", var name])
        {
            using SystemdNotifier systemd = SystemdNotifier.Create((string?)context.Environment["NOTIFY_SOCKET"], null);
            await PodServer.RunAsync(name, systemd, stop);
            return ExitStatus.Ok;
        }

        if (Environment.UserName != "root")
        {
            await context.Error.WriteLineAsync("weft lab: needs root, since it makes network namespaces; try sudo");
            return ExitStatus.Failed;
        }

        return arguments switch
        {
            ["down"] => Down(context),
            ["status"] => Status(context, json: false),
            ["status", "-o", "json"] or ["status", "-ojson"] or ["status", "-o=json"] => Status(context, json: true),
            ["exec", var machine, "--", _, ..] => await ExecAsync(machine, [.. arguments.Skip(3)], context, stop),
            ["exec", ..] => Usage(context, "exec: expected NAME -- COMMAND"),
            ["up", ..] => await UpAsync([.. arguments.Skip(1)], context, stop),
            _ => await UpAsync(arguments, context, stop),
        };
    }

    private static async Task<ExitStatus> UpAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        if (LabOptions.Parse(arguments, out LabOptions options) is { } problem)
        {
            return Usage(context, problem);
        }

        if (LabTeardown.AnythingLeft() || !LabState.Claim())
        {
            await context.Error.WriteLineAsync(Occupied());
            return ExitStatus.Failed;
        }

        LabConsole console = new(context.Out, context.Colour, context.Time);
        ExitStatus status = ExitStatus.Failed;
        bool finished = false;
        try
        {
            status = await new LabUp(Topology.Plan(options), console, Environment.ProcessPath ?? "weft", context.Time).RunAsync(stop);
            finished = true;
        }
        catch (Exception e) when (e is LabException or KernelException or IOException)
        {
            await context.Error.WriteLineAsync($"weft lab: {e.Message}");
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            console.Title("Interrupted");
        }

        if (finished && options.Keep)
        {
            return status;
        }

        (int processes, int namespaces) = LabTeardown.Run();
        console.Step("down", $"{processes} processes ended, {namespaces} namespaces removed, no file left");
        return status;
    }

    private static ExitStatus Down(CommandContext context)
    {
        if (!LabTeardown.AnythingLeft())
        {
            context.Out.WriteLine("no lab is up");
            return ExitStatus.Ok;
        }

        if (RunningOwner() is { } owner)
        {
            context.Error.WriteLine($"weft lab: process {owner.Pid} is running the lab; press Ctrl-C there, or end that process");
            return ExitStatus.Failed;
        }

        (int processes, int namespaces) = LabTeardown.Run();
        context.Out.WriteLine($"{processes} processes ended, {namespaces} namespaces removed");
        return ExitStatus.Ok;
    }

    private static ExitStatus Status(CommandContext context, bool json)
    {
        if (LabState.Read() is not { } state)
        {
            context.Error.WriteLine("no lab is up; \"weft lab --keep\" starts one that stays");
            return ExitStatus.Failed;
        }

        if (json)
        {
            context.Out.WriteLine(JsonSerializer.Serialize(state, LabJson.Default.LabState));
            return ExitStatus.Ok;
        }

        context.Out.WriteLine($"datastore {state.DatastoreEndpoint}, reachable inside {state.DatastoreNetns}\n");
        context.Out.WriteLine($"{"NAME",-16}{"KIND",-8}{"ON",-8}{"ADDRESSES",-32}PROCESSES");
        foreach (LabMember member in state.Members)
        {
            string processes = string.Join(", ", member.Processes.Select(p => $"{p.Role} {(LabProcess.IsAlive(p) ? p.Pid.ToString() : "dead")}"));
            context.Out.WriteLine($"{member.Name,-16}{member.Kind,-8}{member.Parent,-8}{string.Join(", ", member.Addresses),-32}{processes}");
        }

        return ExitStatus.Ok;
    }

    /// <summary>Runs a command inside a machine's or pod's namespace, with this terminal; "weft" is this executable and finds the machine's settings.</summary>
    private static async Task<ExitStatus> ExecAsync(string machine, IReadOnlyList<string> command, CommandContext context, CancellationToken stop)
    {
        LabMember? member = LabState.Read()?.Members.FirstOrDefault(m => m.Name == machine || $"{m.Namespace}/{m.Name}" == machine);
        if (member is null)
        {
            context.Error.WriteLine($"weft lab: no machine or pod is called \"{machine}\"; \"weft lab status\" lists them");
            return ExitStatus.Failed;
        }

        string program = command[0] == "weft" ? Environment.ProcessPath ?? "weft" : command[0];
        ProcessStartInfo start = new(program, command.Skip(1));
        if (member.RunDir is { } runDir)
        {
            start.Environment["WEFT__AGENT__RUN_DIR"] = runDir;
            start.Environment["WEFT__ROUTER__RUN_DIR"] = runDir;
        }

        start.Environment["WEFT__DATASTORE__ENDPOINTS"] = LabState.Read()?.DatastoreEndpoint ?? string.Empty;
        using NetNamespace space = NetNamespace.Open(member.Netns);
        using Process process = space.Start(start, NamespaceView.NetworkAndSys);
        try
        {
            await process.WaitForExitAsync(stop);
        }
        catch (OperationCanceledException)
        {
            await process.WaitForExitAsync(CancellationToken.None); // Ctrl-C reached the command too: it decides when to end.
        }

        return (ExitStatus)process.ExitCode;
    }

    private static ExitStatus Usage(CommandContext context, string problem)
    {
        context.Error.WriteLine($"weft lab: {problem}\n\n{LabOptions.Syntax.Help()}");
        return ExitStatus.Usage;
    }

    private static string Occupied() =>
        RunningOwner() is { } owner
            ? $"weft lab: a lab is being run by process {owner.Pid}; only one fits on a machine"
            : "weft lab: a lab is up (or was left by one that was killed); \"weft lab status\" shows it, \"weft lab down\" removes it";

    private static LabProcessRecord? RunningOwner() => LabState.Read() is { Owner: var owner } && LabProcess.IsAlive(owner) ? owner : null;
}
