using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Hosting.Configuration;

namespace Weft;

/// <summary>
/// <c>weft config reference</c> prints every key of every role, <c>weft config metrics</c> every metric; <c>weft config check [FILE]</c> reads a file as the roles would and prints all its problems.
/// </summary>
internal sealed class ConfigCommand : ICommand
{
    public string Name => "config";

    public CommandSyntax Syntax => new("config", "reference | metrics | check [FILE]", "Prints every key of every role, or every metric, or reads a settings file as the roles would and prints all its problems.", [])
    {
        Words = ["reference", "metrics", "check"],
    };

    public string Summary => "print the reference of all settings or metrics, or check a settings file";

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        switch (arguments)
        {
            case ["--help" or "-h"]:
                await context.Out.WriteAsync(Syntax.Help());
                return ExitStatus.Ok;
            case ["reference"]:
                await context.Out.WriteAsync(SettingsReference.Render(AllSettings()));
                return ExitStatus.Ok;
            case ["metrics"]:
                await context.Out.WriteAsync(MetricsReference.Render(RoleTable.Roles.Values.Select(role => role())));
                return ExitStatus.Ok;
            case ["check", ..] when arguments.Count <= 2:
                return Check(arguments.Count == 2 ? arguments[1] : null, context);
            default:
                await context.Error.WriteLineAsync(Syntax.Usage);
                return ExitStatus.Usage;
        }
    }

    /// <summary>The settings of all roles, each once.</summary>
    public static IReadOnlyList<ISetting> AllSettings() =>
        [.. RoleTable.Roles.Values.SelectMany(role => role().Settings).Append(RoleRunner.LogLevel).DistinctBy(s => (s.Section, s.Key))];

    private static ExitStatus Check(string? file, CommandContext context)
    {
        SettingsReader reader = SettingsReader.Load(file, context.Environment);
        reader.ReportUnknown(AllSettings());
        foreach (string problem in reader.Problems)
        {
            context.Error.WriteLine(problem);
        }

        if (reader.Problems.Count == 0)
        {
            context.Out.WriteLine($"{reader.Path}: no problems");
        }

        return reader.Problems.Count == 0 ? ExitStatus.Ok : ExitStatus.Configuration;
    }
}
