using Weft.Model.Resources;

namespace Weft.Model.Validation;

/// <summary>Name, namespace, labels and annotations.</summary>
internal static class MetadataRules
{
    private const string Singleton = "default";

    /// <summary>A policy made from a Kubernetes NetworkPolicy, or staged by OpenStack: reserved prefixes with a whole subdomain behind them.</summary>
    private static readonly string[] s_reservedPolicyPrefixes = ["knp.default.", "ossg.default."];

    public static void Check(Resource resource, ProblemList problems)
    {
        ResourceKind kind = resource.ResourceKind;
        ObjectMeta metadata = resource.Metadata;
        problems.Require(resource.ApiVersion == ResourceKind.ApiVersion, "apiVersion", resource.ApiVersion, $"expected {ResourceKind.ApiVersion}");
        problems.Require(string.IsNullOrEmpty(metadata.GenerateName), "metadata.generateName", metadata.GenerateName, "not supported: give the object a name");
        CheckName(kind, metadata.Name, problems);
        if (kind.IsNamespaced)
        {
            problems.Require(
                metadata.Namespace is { Length: > 0 } name && NameRules.IsLabel(name), "metadata.namespace", metadata.Namespace,
                "expected a namespace: lower-case letters, digits and '-', at most 63");
        }
        else
        {
            problems.Require(string.IsNullOrEmpty(metadata.Namespace), "metadata.namespace", metadata.Namespace, $"a {kind} has no namespace");
        }

        CheckLabels(metadata.Labels, "metadata.labels", problems);
        CheckAnnotations(metadata.Annotations, "metadata.annotations", problems);
    }

    public static void CheckLabels(Dictionary<string, string>? labels, string path, ProblemList problems)
    {
        foreach ((string key, string value) in labels ?? [])
        {
            problems.Require(
                NameRules.IsQualifiedName(key), path, key,
                "not a label key: expected [PREFIX/]NAME, NAME up to 63 letters, digits, '-', '_' and '.', a letter or digit at both ends");
            problems.Require(
                NameRules.IsLabelValue(value), $"{path}.{key}", value, "not a label value: expected up to 63 letters, digits, '-', '_' and '.', a letter or digit at both ends");
        }
    }

    public static void CheckAnnotations(Dictionary<string, string>? annotations, string path, ProblemList problems)
    {
        long size = 0;
        foreach ((string key, string value) in annotations ?? [])
        {
            size += key.Length + value.Length;
            problems.Require(NameRules.IsQualifiedName(key.ToLowerInvariant()), path, key, "not an annotation key: expected [PREFIX/]NAME as for labels");
        }

        problems.Require(size <= NameRules.MaxAnnotations, path, null, $"hold {size} bytes; expected at most {NameRules.MaxAnnotations}");
    }

    private static void CheckName(ResourceKind kind, string name, ProblemList problems)
    {
        const string Path = "metadata.name";
        if (name.Length == 0)
        {
            problems.Add(Path, "missing; expected a name");
        }
        else if (IsSingleton(kind))
        {
            problems.Require(name == Singleton, Path, name, $"there is only one {kind}, and its name is \"{Singleton}\"");
        }
        else if (kind == ResourceKind.Tier)
        {
            problems.Require(NameRules.IsLabel(name), Path, name, "expected up to 63 lower-case letters, digits and '-', no dot");
        }
        else if (kind == ResourceKind.GlobalNetworkPolicy || kind == ResourceKind.StagedGlobalNetworkPolicy)
        {
            problems.Require(IsPolicyName(name), Path, name, "expected NAME or TIER.NAME of lower-case letters, digits and '-', at most one dot");
        }
        else if (kind == ResourceKind.NetworkPolicy || kind == ResourceKind.StagedNetworkPolicy)
        {
            problems.Require(
                IsPolicyName(name) || s_reservedPolicyPrefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal) && NameRules.IsSubdomain(name[p.Length..])),
                Path, name, "expected NAME or TIER.NAME of lower-case letters, digits and '-', at most one dot");
        }
        else if (kind == ResourceKind.StagedKubernetesNetworkPolicy)
        {
            problems.Require(name.Length <= NameRules.MaxSubdomain, Path, name, $"has {name.Length} characters; expected at most {NameRules.MaxSubdomain}");
        }
        else
        {
            problems.Require(
                NameRules.IsSubdomain(name), Path, name, "expected lower-case letters, digits, '-' and '.', a letter or digit at both ends of every part, at most 253");
        }
    }

    private static bool IsSingleton(ResourceKind kind) =>
        kind == ResourceKind.ClusterInformation || kind == ResourceKind.IPAMConfiguration || kind == ResourceKind.KubeControllersConfiguration;

    private static bool IsPolicyName(string name) =>
        name.Length <= NameRules.MaxSubdomain && name.Split('.') is { Length: <= 2 } parts && parts.All(p => NameRules.IsLabel(p, NameRules.MaxSubdomain));
}
