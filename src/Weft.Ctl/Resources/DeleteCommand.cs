using Weft.Datastore;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Model.Yaml;

namespace Weft.Ctl.Resources;

/// <summary>weft delete KIND NAME..., weft delete -f FILE.</summary>
public sealed class DeleteCommand : CtlCommand
{
    private static readonly CommandOption s_namespace = new("--namespace", "-n", "NAMESPACE", "Namespace of the objects (default \"default\").");
    private static readonly CommandOption s_skipMissing = new("--skip-not-exists", "-s", null, "An object that does not exist is no error.");

    public DeleteCommand()
        : this(null)
    {
    }

    internal DeleteCommand(DatastoreOpener? open)
        : base(open)
    {
    }

    public override string Summary => "delete objects by kind and name, or those of a file";

    internal override CommandSyntax Syntax => new(
        "delete", "KIND NAME... | -f FILE|DIR|- [flags]", "Deletes objects by kind and name, or the objects that a file describes.",
        [ResourceSources.Files, ResourceSources.Recursive, ResourceSources.SkipEmpty, s_namespace, s_skipMissing, Config, Endpoints])
    {
        Words = [.. ResourceKind.All.Select(k => k.Name.ToLowerInvariant())],
        Examples = [("weft delete networkpolicy allow-web -n demo", "one object"), ("weft delete -f policies/ -s", "what a folder describes, if it is there")],
    };

    internal override async Task<ExitStatus> RunAsync(CommandLine line, CommandContext context, CancellationToken stop)
    {
        List<(ResourceKey Key, string? Version)> targets = line.Has(ResourceSources.Files) ? await FromFilesAsync(line, context, stop) : FromArguments(line);
        await using IDatastore store = Open(line, context);
        ResourceStore resources = new(store, context.Time);
        List<string> failures = [];
        foreach ((ResourceKey key, string? version) in targets)
        {
            string name = key.Kind.IsNamespaced ? $"{key.Namespace}/{key.Name}" : key.Name;
            try
            {
                if (await resources.DeleteAsync(key, version, stop))
                {
                    await context.Out.WriteLineAsync($"{key.Kind} {name} deleted");
                }
                else if (line.Has(s_skipMissing))
                {
                    await context.Out.WriteLineAsync($"{key.Kind} {name} does not exist");
                }
                else
                {
                    failures.Add($"{key.Kind} {name}: does not exist");
                }
            }
            catch (Exception e) when (e is CtlException or DatastoreException)
            {
                failures.Add($"{key.Kind} {name}: {e.Message}");
            }
        }

        foreach (string failure in failures)
        {
            await context.Error.WriteLineAsync($"weft delete: {failure}");
        }

        return failures.Count == 0 ? ExitStatus.Ok : ExitStatus.Failed;
    }

    private static List<(ResourceKey Key, string? Version)> FromArguments(CommandLine line)
    {
        if (line.Arguments.Count < 2)
        {
            throw new UsageException(line.Arguments.Count == 0 ? "expected KIND NAME..., or -f FILE" : "expected the name of what to delete; there is no way to delete all of a kind");
        }

        ResourceKind kind = ResourceName.Kind(line.Arguments[0]);
        if (line.Has(s_namespace) && !kind.IsNamespaced)
        {
            throw new CtlException($"{kind} is not namespaced");
        }

        if (line.Arguments.Contains(string.Empty))
        {
            throw new UsageException("resource name may not be empty");
        }

        string space = kind.IsNamespaced ? line.Value(s_namespace) ?? ResourceName.DefaultNamespace : string.Empty;
        return [.. line.Arguments.Skip(1).Select(name => (new ResourceKey(kind, space, name), (string?)null))];
    }

    private static async Task<List<(ResourceKey Key, string? Version)>> FromFilesAsync(CommandLine line, CommandContext context, CancellationToken stop)
    {
        if (line.Arguments.Count > 0)
        {
            throw new UsageException("give KIND and NAME, or -f, not both");
        }

        List<ResourceDocument> documents = await ResourceSources.ReadAsync(line, context.In, stop);
        int wrong = 0;
        List<(ResourceKey, string?)> targets = [];
        foreach (ResourceDocument document in documents)
        {
            string? problem = document.Resource is null ? null : ResourceName.SettleNamespace(document.Resource, line.Value(s_namespace));
            string[] problems = [.. document.Problems.Select(p => $"{document.Source}:{p.Line}: {document.Title}: {p}"), .. problem is null ? [] : (string[])[$"{document.Source}:{document.Line}: {document.Title}: {problem}"]];
            foreach (string text in problems)
            {
                await context.Error.WriteLineAsync(text);
                wrong++;
            }

            if (problems.Length == 0)
            {
                targets.Add((ResourceStore.KeyOf(document.Resource!), document.Resource!.Metadata.ResourceVersion));
            }
        }

        return wrong == 0 ? targets : throw new CtlException($"{wrong} problem{(wrong == 1 ? string.Empty : "s")}; nothing was deleted");
    }
}
