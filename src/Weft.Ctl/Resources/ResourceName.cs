using Weft.Hosting.Commands;
using Weft.Model.Resources;
using Weft.Model.Validation;

namespace Weft.Ctl.Resources;

/// <summary>How kinds, names and namespaces are given on the command line.</summary>
internal static class ResourceName
{
    public const string DefaultNamespace = "default";

    /// <exception cref="UsageException">Not a kind.</exception>
    public static ResourceKind Kind(string word)
    {
        if (ResourceKind.FromWord(word) is { } kind)
        {
            return kind;
        }

        string? near = NearestName.Find(word, ResourceKind.All.SelectMany(k => (string[])[k.Name.ToLowerInvariant(), k.Plural]));
        throw new UsageException(near is null ? $"resource type '{word}' is not supported" : $"resource type '{word}' is not supported; did you mean {near}?");
    }

    /// <summary>"demo/allow-web" or "pool-a".</summary>
    public static string Of(Resource resource) =>
        resource.Metadata.Namespace is { Length: > 0 } space ? $"{space}/{resource.Metadata.Name}" : resource.Metadata.Name;

    /// <summary>The namespace of an object from a file: its own, else that of the command line, else "default".</summary>
    /// <returns>What is wrong, or null.</returns>
    public static string? SettleNamespace(Resource resource, string? fromCommandLine)
    {
        if (!resource.ResourceKind.IsNamespaced)
        {
            return string.IsNullOrEmpty(resource.Metadata.Namespace) ? null : "namespace should not be specified for a non-namespaced resource";
        }

        if (!string.IsNullOrEmpty(resource.Metadata.Namespace) && fromCommandLine is not null && resource.Metadata.Namespace != fromCommandLine)
        {
            return $"resource namespace does not match client namespace. {resource.Metadata.Namespace} != {fromCommandLine}";
        }

        resource.Metadata.Namespace = string.IsNullOrEmpty(resource.Metadata.Namespace) ? fromCommandLine ?? DefaultNamespace : resource.Metadata.Namespace;
        return null;
    }
}
