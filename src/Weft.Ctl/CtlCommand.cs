using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore;
using Weft.Datastore.Etcd;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Hosting.Configuration;

namespace Weft.Ctl;

/// <summary>Opens the datastore a command talks to; tests hand in their own.</summary>
internal delegate IDatastore DatastoreOpener(DatastoreSettings settings, TimeProvider time);

/// <summary>
/// A command line over the datastore: arguments, settings, connection, and exit codes, in one place. 0: all done; 1: something it tried did not
/// work; 2: the command line is wrong; 78: the settings are.
/// </summary>
public abstract class CtlCommand : ICommand
{
    internal static readonly CommandOption Config = new("--config", "-c", "FILE", $"Settings file (default {SettingsReader.DefaultPath}).");
    internal static readonly CommandOption Endpoints = new("--endpoints", null, "URL[,URL...]", "Datastore, instead of [datastore] endpoints of the settings.");

    private readonly DatastoreOpener _open;

    internal CtlCommand(DatastoreOpener? open) => _open = open ?? ((settings, time) => EtcdDatastore.Connect(settings, NullLoggerFactory.Instance, time));

    public string Name => Syntax.Command.Split(' ')[0];

    public abstract string Summary { get; }

    CommandSyntax ICommand.Syntax => Syntax;

    internal abstract CommandSyntax Syntax { get; }

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        if (!CommandLine.TryParse(arguments, Syntax, out CommandLine? line, out string? problem))
        {
            return await UsageAsync(context, problem);
        }

        if (line.WantsHelp)
        {
            await context.Out.WriteAsync(Syntax.Help());
            return ExitStatus.Ok;
        }

        try
        {
            return await RunAsync(line, context, stop);
        }
        catch (UsageException e)
        {
            return await UsageAsync(context, e.Message);
        }
        catch (CtlException e)
        {
            await context.Error.WriteLineAsync($"weft {Syntax.Command}: {e.Message}");
            return e.Status;
        }
        catch (DatastoreException e)
        {
            await context.Error.WriteLineAsync($"weft {Syntax.Command}: {e.Message}");
            return ExitStatus.Failed;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await context.Error.WriteLineAsync($"weft {Syntax.Command}: interrupted");
            return ExitStatus.Failed;
        }
    }

    internal abstract Task<ExitStatus> RunAsync(CommandLine line, CommandContext context, CancellationToken stop);

    /// <exception cref="CtlException">The settings are wrong; every problem is in the text.</exception>
    internal IDatastore Open(CommandLine line, CommandContext context)
    {
        SettingsReader reader = ReadSettings(line, context);
        DatastoreSettings settings = DatastoreSettings.Parse(reader);
        return reader.Problems.Count == 0
            ? _open(settings, context.Time)
            : throw new CtlException($"the settings are wrong:\n  {string.Join("\n  ", reader.Problems)}", ExitStatus.Configuration);
    }

    internal static SettingsReader ReadSettings(CommandLine line, CommandContext context) =>
        line.Value(Endpoints) is { } endpoints
            ? SettingsReader.Load(line.Value(Config), context.Environment, ("datastore", "endpoints", endpoints))
            : SettingsReader.Load(line.Value(Config), context.Environment);

    private async Task<ExitStatus> UsageAsync(CommandContext context, string problem)
    {
        await context.Error.WriteLineAsync($"weft {Syntax.Command}: {problem}\n{Syntax.Usage}\n\"weft {Syntax.Command} --help\" explains it.");
        return ExitStatus.Usage;
    }
}

/// <summary>The command cannot go on; the text is for the operator.</summary>
internal sealed class CtlException(string message, ExitStatus status = ExitStatus.Failed) : Exception(message)
{
    public ExitStatus Status { get; } = status;
}

/// <summary>The command line asks for something that makes no sense.</summary>
internal sealed class UsageException(string message) : Exception(message);
