using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Hosting.Configuration;
using Weft.Hosting.Logging;
using Weft.Hosting.Systemd;

namespace Weft;

/// <summary>Runs one role in this process: command line, settings, signals, log, exit code.</summary>
internal static class RoleRunner
{
    public static readonly Setting<LogLevel> LogLevel = Setting.Custom(
        "log", "level", "info", "debug | info | warning | error", (string text, out LogLevel value, out string reason) =>
        {
            reason = "expected debug, info, warning or error";
            return ConsoleLogs.TryParseLevel(text, out value);
        },
        "The least severe events that are logged.");

    private static readonly CommandOption s_config = new("--config", "-c", "FILE", $"Settings file (default {SettingsReader.DefaultPath}).");

    private static readonly CommandOption s_set = new("--set", null, "SECTION.KEY=VALUE", "One setting; \"weft config reference\" lists them all. Repeatable.") { IsRepeatable = true };

    public static async Task<ExitStatus> RunAsync(IRole role, IReadOnlyList<string> arguments, CommandContext context)
    {
        if (role.Commands.FirstOrDefault(c => c.Name == arguments.FirstOrDefault()) is { } command)
        {
            return await Program.RunCommandAsync(command, arguments.Skip(1).ToArray(), context);
        }

        CommandSyntax syntax = Syntax(role);
        if (CommandLine.TryParse(arguments, syntax, out CommandLine? line, out string? problem) && line.WantsHelp)
        {
            await context.Out.WriteAsync(syntax.Help());
            return ExitStatus.Ok;
        }

        List<(string, string, string)> overrides = [];
        if (line is null || !TryRead(line, role, out overrides, out problem))
        {
            await context.Error.WriteLineAsync($"weft {role.Name}: {problem}\n\n{syntax.Help()}");
            return ExitStatus.Usage;
        }

        SettingsReader Read()
        {
            SettingsReader fresh = SettingsReader.Load(line.Value(s_config), context.Environment, CollectionsMarshal.AsSpan(overrides));
            fresh.ReportUnknown(ConfigCommand.AllSettings());
            return fresh;
        }

        SettingsReader settings = Read();
        using ConsoleLogs logs = ConsoleLogs.ForProcess(settings.Get(LogLevel));
        using SystemdNotifier systemd = SystemdNotifier.Create(
            (string?)context.Environment["NOTIFY_SOCKET"], (string?)context.Environment["WATCHDOG_USEC"]);
        using CancellationTokenSource stop = new();
        ReloadSignal reload = new();
        using PosixSignalRegistration term = OnSignal(PosixSignal.SIGTERM, stop.Cancel);
        using PosixSignalRegistration interrupt = OnSignal(PosixSignal.SIGINT, stop.Cancel);
        using PosixSignalRegistration hangUp = OnSignal(PosixSignal.SIGHUP, reload.Request);
        ExitStatus status = await role.RunAsync(
            new RoleContext
            {
                Settings = settings,
                Logs = logs,
                Time = context.Time,
                Environment = context.Environment,
                Systemd = systemd,
                Sockets = InheritedSockets.Create((string?)context.Environment["LISTEN_PID"], (string?)context.Environment["LISTEN_FDS"], Environment.ProcessId),
                Reload = reload,
                ReadSettingsAgain = Read,
            },
            stop.Token);
        foreach (string text in status == ExitStatus.Configuration ? settings.Problems : [])
        {
            await context.Error.WriteLineAsync(text);
        }

        return status;
    }

    /// <summary>What the command line of a role accepts.</summary>
    public static CommandSyntax Syntax(IRole role) => new(
        role.Name, role.Commands.Count == 0 ? "[flags]" : "[flags] | COMMAND",
        $"{char.ToUpperInvariant(role.Summary[0])}{role.Summary[1..]}." + string.Concat(role.Commands.Select((c, i) => $"{(i == 0 ? "\n" : string.Empty)}\n  {c.Name,-12} {c.Summary}")),
        [.. role.Options.Select(o => new CommandOption(o.Flag, null, o.Setting.Form.Contains('|') ? o.Setting.Form : o.Setting.Form.ToUpperInvariant(), o.Setting.Help)), s_config, s_set])
    {
        Words = [.. role.Commands.Select(c => c.Name)],
    };

    private static bool TryRead(CommandLine line, IRole role, out List<(string Section, string Key, string Value)> overrides, out string problem)
    {
        (overrides, problem) = ([], line.Arguments.Count > 0 ? $"unknown argument \"{line.Arguments[0]}\"" : string.Empty);
        foreach (CommandOption option in Syntax(role).Options)
        {
            if (line.Value(option) is { } value && role.Options.FirstOrDefault(o => o.Flag == option.Long) is { } setting)
            {
                overrides.Add((setting.Setting.Section, setting.Setting.Key, value));
            }
        }

        foreach (string value in line.Values(s_set))
        {
            if (value.Split('=', 2) is [var name, var text] && name.LastIndexOf('.') is > 0 and int dot)
            {
                overrides.Add((name[..dot], name[(dot + 1)..], text));
            }
            else
            {
                problem = $"--set {value}: expected section.key=value";
            }
        }

        return problem.Length == 0;
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, Action action) =>
        PosixSignalRegistration.Create(signal, received =>
        {
            received.Cancel = true; // The role decides when to end; the default would kill the process at once.
            action();
        });
}
