using Weft.Datastore;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Model.Resources;
using Weft.Model.Validation;
using Weft.Model.Yaml;

namespace Weft.Ctl.Resources;

/// <summary>create, apply and replace: they differ in one call. All objects are read and checked before the first is written.</summary>
internal abstract class WriteCommand(DatastoreOpener? open) : CtlCommand(open)
{
    protected static readonly CommandOption Namespace = new("--namespace", "-n", "NAMESPACE", "Namespace of objects that do not name one (default \"default\").");

    protected abstract string Verb { get; }

    protected abstract string Explanation { get; }

    public sealed override string Summary => Explanation;

    internal sealed override CommandSyntax Syntax => new(
        Verb, "-f FILE|DIR|- [-f ...] [flags]",
        $"{char.ToUpperInvariant(Explanation[0])}{Explanation[1..]}. Everything is read and checked before anything is written; every problem is\nprinted with its file, line and field, and then nothing is written.",
        [ResourceSources.Files, ResourceSources.Recursive, ResourceSources.SkipEmpty, Namespace, Config, Endpoints])
    {
        Examples =
        [
            ($"weft {Verb} -f pool.yaml", "one file"),
            ($"weft {Verb} -f policies/ -R", "all files below a folder"),
            ($"weft get ippool pool-a -o yaml | weft {(Verb == "create" ? "replace" : Verb)} -f -", "what another command printed"),
        ],
    };

    protected abstract ValueTask<WriteVerb> WriteAsync(ResourceStore store, Resource resource, CancellationToken stop);

    internal sealed override async Task<ExitStatus> RunAsync(CommandLine line, CommandContext context, CancellationToken stop)
    {
        if (line.Arguments.Count > 0)
        {
            throw new UsageException($"unexpected argument \"{line.Arguments[0]}\"; objects come from files: -f FILE");
        }

        if (!line.Has(ResourceSources.Files))
        {
            throw new UsageException("nothing to do: name a file with -f");
        }

        List<ResourceDocument> documents = await ResourceSources.ReadAsync(line, context.In, stop);
        if (await ReportAsync(documents, line.Value(Namespace), context) is > 0 and int count)
        {
            throw new CtlException($"{count} problem{(count == 1 ? string.Empty : "s")}; nothing was written");
        }

        if (documents.Count == 0)
        {
            await context.Out.WriteLineAsync("No resources specified");
            return ExitStatus.Ok;
        }

        await using IDatastore store = Open(line, context);
        await ClusterInitialization.EnsureAsync(store, string.Empty, string.Empty, context.Time, stop);
        return await WriteAllAsync(new ResourceStore(store, context.Time), documents, context, stop);
    }

    private async Task<ExitStatus> WriteAllAsync(ResourceStore store, List<ResourceDocument> documents, CommandContext context, CancellationToken stop)
    {
        List<string> failures = [];
        foreach (Resource resource in documents.Select(d => d.Resource!))
        {
            string title = $"{resource.ResourceKind} {ResourceName.Of(resource)}";
            try
            {
                WriteVerb verb = await WriteAsync(store, resource, stop);
                await context.Out.WriteLineAsync($"{title} {(verb == WriteVerb.Updated && Verb == "replace" ? "replaced" : verb.ToString().ToLowerInvariant())}");
            }
            catch (Exception e) when (e is CtlException or DatastoreException)
            {
                failures.Add($"{title}: {e.Message}");
            }
        }

        foreach (string failure in failures)
        {
            await context.Error.WriteLineAsync($"weft {Verb}: {failure}");
        }

        if (failures.Count > 0 && documents.Count > 1)
        {
            await context.Error.WriteLineAsync($"weft {Verb}: {failures.Count} of {documents.Count} objects failed");
        }

        return failures.Count == 0 ? ExitStatus.Ok : ExitStatus.Failed;
    }

    /// <summary>Prints every problem of every object, each on a line of its own: FILE:LINE: OBJECT: FIELD: VALUE: EXPECTED.</summary>
    private static async Task<int> ReportAsync(List<ResourceDocument> documents, string? @namespace, CommandContext context)
    {
        int count = 0;
        Dictionary<(ResourceKind, string), ResourceDocument> seen = [];
        foreach (ResourceDocument document in documents)
        {
            IReadOnlyList<Problem> problems = document.Problems;
            if (document.Resource is { } resource)
            {
                string? wrong = ResourceName.SettleNamespace(resource, @namespace);
                Problem[] found = wrong is not null
                    ? [new Problem("metadata.namespace", null, wrong)]
                    : [.. ResourceValidator.Validate(ResourceDefaults.Apply(resource))];
                problems = [.. found.Select(p => p with { Line = document.LineOf(p.Path) })];
                if (!seen.TryAdd((resource.ResourceKind, ResourceName.Of(resource)), document))
                {
                    ResourceDocument first = seen[(resource.ResourceKind, ResourceName.Of(resource))];
                    problems = [.. problems, new Problem(string.Empty, null, $"stands twice in the input, first at {first.Source}:{first.Line}") { Line = document.Line }];
                }
            }

            foreach (Problem problem in problems)
            {
                await context.Error.WriteLineAsync($"{document.Source}:{problem.Line}: {document.Title}: {problem}");
                count++;
            }
        }

        return count;
    }
}

/// <summary>weft create.</summary>
public static class WriteCommands
{
    public static ICommand Create() => new CreateCommand(null);

    public static ICommand Apply() => new ApplyCommand(null);

    public static ICommand Replace() => new ReplaceCommand(null);
}

internal sealed class CreateCommand(DatastoreOpener? open) : WriteCommand(open)
{
    protected override string Verb => "create";

    protected override string Explanation => "create objects from YAML or JSON; an object that exists is an error";

    protected override ValueTask<WriteVerb> WriteAsync(ResourceStore store, Resource resource, CancellationToken stop) => store.CreateAsync(resource, stop);
}

internal sealed class ApplyCommand(DatastoreOpener? open) : WriteCommand(open)
{
    protected override string Verb => "apply";

    protected override string Explanation => "create or update objects from YAML or JSON";

    protected override ValueTask<WriteVerb> WriteAsync(ResourceStore store, Resource resource, CancellationToken stop) => store.ApplyAsync(resource, stop);
}

internal sealed class ReplaceCommand(DatastoreOpener? open) : WriteCommand(open)
{
    protected override string Verb => "replace";

    protected override string Explanation => "update existing objects from YAML or JSON; an object that does not exist is an error";

    protected override ValueTask<WriteVerb> WriteAsync(ResourceStore store, Resource resource, CancellationToken stop) => store.ReplaceAsync(resource, stop);
}
