using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Weft.Hosting;
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

    public static async Task<ExitStatus> RunAsync(IRole role, IReadOnlyList<string> arguments, CommandContext context)
    {
        if (role.Commands.FirstOrDefault(c => c.Name == arguments.FirstOrDefault()) is { } command)
        {
            return await Program.RunCommandAsync(command, arguments.Skip(1).ToArray(), context);
        }

        if (!TryParse(role, arguments, out string? file, out List<(string, string, string)> overrides, out string problem))
        {
            await context.Error.WriteLineAsync($"weft {role.Name}: {problem}\n\n{Usage(role)}");
            return problem.Length == 0 ? ExitStatus.Ok : ExitStatus.Usage;
        }

        SettingsReader Read()
        {
            SettingsReader fresh = SettingsReader.Load(file, context.Environment, CollectionsMarshal.AsSpan(overrides));
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
                Systemd = systemd,
                Reload = reload,
                ReadSettingsAgain = Read,
            },
            stop.Token);
        foreach (string line in status == ExitStatus.Configuration ? settings.Problems : [])
        {
            await context.Error.WriteLineAsync(line);
        }

        return status;
    }

    public static string Usage(IRole role) =>
        $"usage: weft {role.Name} [--config FILE] [--set section.key=value]..."
        + string.Concat(role.Options.Select(o => $" [{o.Flag} {o.Setting.Form}]"))
        + $"\n{role.Summary}\n"
        + string.Concat(role.Options.Select(o => $"\n  {o.Flag,-16} {o.Setting.Help}"))
        + string.Concat(role.Commands.Select(c => $"\n  {c.Name,-16} {c.Summary}"))
        + "\n  --config FILE    settings file (default /etc/weft/weft.conf)\n  --set S.K=V      one setting; \"weft config reference\" lists them all";

    /// <summary>False with an empty problem means that help was asked for.</summary>
    private static bool TryParse(IRole role, IReadOnlyList<string> arguments, out string? file, out List<(string Section, string Key, string Value)> overrides, out string problem)
    {
        (file, overrides, problem) = (null, [], string.Empty);
        for (int i = 0; i < arguments.Count; i++)
        {
            (string flag, string? value) = arguments[i].Split('=', 2) is [var f, var v] && f.StartsWith("--", StringComparison.Ordinal) ? (f, v) : (arguments[i], null);
            if (flag is "--help" or "-h")
            {
                return false;
            }

            RoleOption? option = role.Options.FirstOrDefault(o => o.Flag == flag);
            if (option is null && flag is not ("--config" or "--set"))
            {
                problem = $"unknown argument \"{arguments[i]}\"";
                return false;
            }

            value ??= ++i < arguments.Count ? arguments[i] : null;
            if (value is null)
            {
                problem = $"{flag} needs a value";
                return false;
            }

            if (flag == "--config")
            {
                file = value;
            }
            else if (option is not null)
            {
                overrides.Add((option.Setting.Section, option.Setting.Key, value));
            }
            else if (value.Split('=', 2) is [var name, var text] && name.LastIndexOf('.') is > 0 and int dot)
            {
                overrides.Add((name[..dot], name[(dot + 1)..], text));
            }
            else
            {
                problem = $"--set {value}: expected section.key=value";
                return false;
            }
        }

        return true;
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, Action action) =>
        PosixSignalRegistration.Create(signal, received =>
        {
            received.Cancel = true; // The role decides when to end; the default would kill the process at once.
            action();
        });
}
