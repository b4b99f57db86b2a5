using Weft.Ctl.Output;
using Weft.Datastore;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Model.Selectors;

namespace Weft.Ctl.Resources;

/// <summary>weft get KIND [NAME...].</summary>
public sealed class GetCommand : CtlCommand
{
    // What BIRD and weft use when nothing says otherwise.
    private const string DefaultAs = "64512";

    private static readonly CommandOption s_namespace = new("--namespace", "-n", "NAMESPACE", "Objects of this namespace (default \"default\").");
    private static readonly CommandOption s_all = new("--all-namespaces", "-A", null, "Objects of every namespace.");
    private static readonly CommandOption s_output = new("--output", "-o", ResourcePrinter.Formats, "Instead of a table: more columns, whole objects, or names alone.");
    private static readonly CommandOption s_selector = new("--selector", "-l", "SELECTOR", "Only objects whose labels match: \"app == 'web' && has(x)\", or app=web,x!=y.");
    private static readonly CommandOption s_export = new("--export", null, null, "Without what the cluster gave the object (uid, resourceVersion, times, namespace); with a NAME only.");

    public GetCommand()
        : this(null)
    {
    }

    internal GetCommand(DatastoreOpener? open)
        : base(open)
    {
    }

    public override string Summary => "show objects as a table, YAML or JSON";

    internal override CommandSyntax Syntax => new(
        "get", "KIND [NAME...] [flags]",
        $"Shows objects. KIND is one of (any case, plural and short forms too):\n{Wrap(ResourceKind.All.Select(k => k.Name.ToLowerInvariant()))}",
        [s_namespace, s_all, s_output, s_selector, s_export, Config, Endpoints])
    {
        Words = [.. ResourceKind.All.Select(k => k.Name.ToLowerInvariant())],
        Examples =
        [
            ("weft get nodes -o wide", "a table of all nodes"),
            ("weft get wep -A", "the endpoints of all pods"),
            ("weft get networkpolicy allow-web -n demo -o yaml", "one object, ready to be edited and applied"),
        ],
    };

    internal override async Task<ExitStatus> RunAsync(CommandLine line, CommandContext context, CancellationToken stop)
    {
        if (line.Arguments.Count == 0)
        {
            throw new UsageException("expected a KIND, such as nodes, ippools or networkpolicies");
        }

        if (!ResourcePrinter.TryParse(line.Value(s_output), out OutputFormat format))
        {
            throw new UsageException($"unrecognized output format '{line.Value(s_output)}'; expected {ResourcePrinter.Formats}");
        }

        ResourceKind kind = ResourceName.Kind(line.Arguments[0]);
        string[] names = [.. line.Arguments.Skip(1)];
        CheckScope(line, kind, names);
        Selector? selector = null;
        if (line.Value(s_selector) is { } text && !LabelSelector.TryParse(text, out selector, out string? problem))
        {
            throw new UsageException($"-l \"{text}\": {problem}");
        }

        await using IDatastore store = Open(line, context);
        List<string> failures = [];
        (List<Resource> resources, string? revision) = names.Length > 0
            ? (await GetAsync(new ResourceStore(store, context.Time), kind, names, line, failures, stop), null)
            : await ListAsync(store, kind, line, failures, stop);
        resources.RemoveAll(r => selector is not null && !selector.Matches(r.Metadata.Labels));
        await PrintAsync(store, kind, resources, format, line, names.Length > 0, revision, context, stop);
        foreach (string failure in failures)
        {
            await context.Error.WriteLineAsync($"weft get: {failure}");
        }

        return failures.Count == 0 ? ExitStatus.Ok : ExitStatus.Failed;
    }

    private static void CheckScope(CommandLine line, ResourceKind kind, string[] names)
    {
        if (!kind.IsNamespaced && (line.Has(s_all) || line.Has(s_namespace)))
        {
            throw new CtlException($"{kind} is not namespaced");
        }

        if (line.Has(s_all) && line.Has(s_namespace))
        {
            throw new UsageException("-n and -A cannot be used together");
        }

        if (line.Has(s_all) && names.Length > 0)
        {
            throw new UsageException("cannot use --all-namespace flag for getting a single resource");
        }

        if (names.Contains(string.Empty))
        {
            throw new UsageException("resource name may not be empty");
        }
    }

    private static async ValueTask<List<Resource>> GetAsync(
        ResourceStore store, ResourceKind kind, string[] names, CommandLine line, List<string> failures, CancellationToken stop)
    {
        List<Resource> found = [];
        string space = kind.IsNamespaced ? line.Value(s_namespace) ?? ResourceName.DefaultNamespace : string.Empty;
        foreach (string name in names)
        {
            if (await store.FindAsync(new ResourceKey(kind, space, name), stop) is { } stored)
            {
                found.Add(line.Has(s_export) ? Exported(stored.As<Resource>()) : stored.As<Resource>());
            }
            else
            {
                failures.Add($"resource does not exist: {kind}({(kind.IsNamespaced ? $"{space}/" : string.Empty)}{name})");
            }
        }

        return found;
    }

    private static async ValueTask<(List<Resource> Resources, string? Revision)> ListAsync(
        IDatastore store, ResourceKind kind, CommandLine line, List<string> failures, CancellationToken stop)
    {
        ModelPrefix prefix = kind.IsNamespaced && !line.Has(s_all) ? ModelPrefix.Of(kind, line.Value(s_namespace) ?? ResourceName.DefaultNamespace) : ModelPrefix.Of(kind);
        ListResult list = await store.ListAsync(prefix, stop);
        failures.AddRange(list.Unreadable.Select(u => $"{u.Key}: {u.Reason}"));
        List<Resource> resources = [.. list.Items.Select(i => i.As<Resource>()).OrderBy(r => r.Metadata.Namespace, StringComparer.Ordinal).ThenBy(r => r.Metadata.Name, StringComparer.Ordinal)];
        return (resources, list.Revision.ToString());
    }

    private static async Task PrintAsync(
        IDatastore store, ResourceKind kind, List<Resource> resources, OutputFormat format, CommandLine line, bool named, string? revision, CommandContext context, CancellationToken stop)
    {
        switch (format)
        {
            case OutputFormat.Name:
                await context.Out.WriteAsync(ResourcePrinter.Names(resources));
                break;
            case OutputFormat.Yaml or OutputFormat.Json:
                if (resources.Count > 0 || !named)
                {
                    await context.Out.WriteAsync(ResourcePrinter.Document(kind, resources, asList: !named, revision, yaml: format == OutputFormat.Yaml));
                }

                break;
            case OutputFormat.Table or OutputFormat.Wide:
                if (resources.Count > 0 || !named)
                {
                    bool wide = format == OutputFormat.Wide;
                    string globalAs = wide && kind == ResourceKind.Node ? await GlobalAsAsync(store, stop) : DefaultAs;
                    await context.Out.WriteAsync(ResourcePrinter.Table(kind, resources, wide, line.Has(s_all) || line.Has(s_namespace), globalAs));
                }

                break;
        }
    }

    private static async ValueTask<string> GlobalAsAsync(IDatastore store, CancellationToken stop) =>
        (await store.GetAsync(new ResourceKey(ResourceKind.BGPConfiguration, "default"), stop))?.As<BGPConfiguration>().Spec.AsNumber?.ToString() ?? DefaultAs;

    private static Resource Exported(Resource resource)
    {
        Resource copy = ModelJson.Clone(resource);
        copy.Metadata.Uid = copy.Metadata.ResourceVersion = copy.Metadata.CreationTimestamp = copy.Metadata.DeletionTimestamp = copy.Metadata.Namespace = null;
        copy.Metadata.Generation = null;
        return copy;
    }

    private static string Wrap(IEnumerable<string> words)
    {
        List<string> lines = ["  "];
        foreach (string word in words)
        {
            if (lines[^1].Length + word.Length > 100)
            {
                lines.Add("  ");
            }

            lines[^1] += word + " ";
        }

        return string.Join('\n', lines.Select(l => l.TrimEnd()));
    }
}
