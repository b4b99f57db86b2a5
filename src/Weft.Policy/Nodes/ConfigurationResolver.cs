using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Model.Selectors;
using Weft.Policy.Conversion;
using Weft.Policy.Output;

namespace Weft.Policy.Nodes;

/// <summary>
/// The FelixConfiguration objects that are for this node: "default", "node.NAME", and of those with a node selector that matches the oldest (felix/calc/config_batcher.go).
/// </summary>
internal sealed class ConfigurationResolver(string nodeName, IReadOnlyDictionary<string, string> local)
{
    private static readonly Dictionary<string, string> s_nothing = [];

    private readonly Dictionary<ResourceKey, Document> _documents = [];
    private IReadOnlyDictionary<string, string> _nodeLabels = s_nothing;

    /// <summary>What holds now.</summary>
    public ConfigUpdate Config { get; private set; } = new(s_nothing, s_nothing) { Local = local };

    public FelixFacts Facts { get; private set; } = FelixFacts.Read(new ConfigUpdate(s_nothing, s_nothing) { Local = local });

    /// <param name="key">The object.</param>
    /// <param name="configuration">Null when absent.</param>
    public void Set(ResourceKey key, FelixConfiguration? configuration)
    {
        _documents.Remove(key);
        if (configuration is not null)
        {
            Problems problems = new();
            IReadOnlyDictionary<string, string> fields = ClusterConversion.Fields(configuration, problems);
            bool named = key.Name == "default" || key.Name.StartsWith("node.", StringComparison.Ordinal);
            Selector? selector = null;
            if (!named && (!fields.TryGetValue("nodeSelector", out string? text) || !Selector.TryParse(text, out selector, out _)))
            {
                problems = new();
                problems.Add("spec.nodeSelector", "the object applies to no node: it is neither \"default\" nor \"node.NAME\", and has no selector that can be read");
            }

            _documents[key] = new Document(fields, selector, configuration.Metadata.CreationTimestamp ?? string.Empty, problems.ToString());
        }

        Resolve();
    }

    /// <summary>What the object says that has no effect here; null for one that is for other nodes.</summary>
    public string? Problem(ResourceKey key) => _documents.TryGetValue(key, out Document? document)
        && (key.Name == "default" || key.Name == $"node.{nodeName}" || (!key.Name.StartsWith("node.", StringComparison.Ordinal) && (document.Selector is null || key.Name == Config.SelectedName)))
            ? document.Problem
            : null;

    public IEnumerable<ResourceKey> Objects => _documents.Keys;

    public void SetNodeLabels(IReadOnlyDictionary<string, string>? labels)
    {
        _nodeLabels = labels ?? s_nothing;
        Resolve();
    }

    private void Resolve()
    {
        (string name, IReadOnlyDictionary<string, string> selected) = Selected();
        ConfigUpdate config = new(Named("default"), Named($"node.{nodeName}")) { Selected = selected, SelectedName = name, Local = local };
        if (!config.Equals(Config))
        {
            Config = config;
            Facts = FelixFacts.Read(config);
        }
    }

    private IReadOnlyDictionary<string, string> Named(string name) =>
        _documents.TryGetValue(new ResourceKey(ResourceKind.FelixConfiguration, name), out Document? document) ? document.Fields : s_nothing;

    /// <summary>Timestamps are RFC 3339 in UTC: their order as texts is that of time.</summary>
    private (string Name, IReadOnlyDictionary<string, string> Fields) Selected()
    {
        string name = string.Empty;
        Document? oldest = null;
        foreach ((ResourceKey key, Document document) in _documents)
        {
            if (document.Selector?.Matches(_nodeLabels) == true
                && (oldest is null || (document.Created, key.Name).CompareTo((oldest.Created, name)) < 0))
            {
                (name, oldest) = (key.Name, document);
            }
        }

        return (name, oldest?.Fields ?? s_nothing);
    }

    private sealed record Document(IReadOnlyDictionary<string, string> Fields, Selector? Selector, string Created, string? Problem);
}
