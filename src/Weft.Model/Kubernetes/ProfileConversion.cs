using Weft.Model.Resources;

namespace Weft.Model.Kubernetes;

/// <summary>
/// Namespaces and service accounts as profiles: what their pods inherit labels from. The namespace's profile allows everything, so that a pod without policy
/// is open; the service account's has no rules.
/// </summary>
public static class ProfileConversion
{
    private const string NamespaceProfile = "kns.";
    private const string AccountProfile = "ksa.";
    private const string NamespaceLabels = "pcns.";
    private const string AccountLabels = "pcsa.";
    private const string NameLabel = "projectcalico.org/name";

    public static Profile Namespace(ObjectMeta @namespace) => new()
    {
        Metadata = Metadata(@namespace, NamespaceProfileName(@namespace.Name), $"{@namespace.ResourceVersion}/"),
        Spec = new ProfileSpec
        {
            Ingress = [new Rule { Action = "Allow" }], Egress = [new Rule { Action = "Allow" }], LabelsToApply = Labels(@namespace, NamespaceLabels),
        },
    };

    public static Profile ServiceAccount(ObjectMeta account) => new()
    {
        Metadata = Metadata(account, AccountProfileName(account.Namespace, account.Name), $"/{account.ResourceVersion}"),
        Spec = new ProfileSpec { LabelsToApply = Labels(account, AccountLabels) },
    };

    public static string NamespaceProfileName(string @namespace) => NamespaceProfile + @namespace;

    public static string AccountProfileName(string? @namespace, string account) => $"{AccountProfile}{(string.IsNullOrEmpty(@namespace) ? "default" : @namespace)}.{account}";

    /// <summary>Namespace and name of the service account of a profile "ksa.NAMESPACE.NAME"; the name may have dots.</summary>
    public static bool TryAccount(string profile, out string @namespace, out string account)
    {
        bool ok = profile.Split('.', 3) is ["ksa", { Length: > 0 }, { Length: > 0 }];
        (@namespace, account) = ok ? (profile.Split('.', 3)[1], profile.Split('.', 3)[2]) : (string.Empty, string.Empty);
        return ok;
    }

    private static ObjectMeta Metadata(ObjectMeta from, string name, string revision) => new() { Name = name, Uid = Uids.Convert(from.Uid), ResourceVersion = revision, CreationTimestamp = from.CreationTimestamp };

    private static Dictionary<string, string> Labels(ObjectMeta from, string prefix)
    {
        Dictionary<string, string> labels = (from.Labels ?? []).ToDictionary(l => prefix + l.Key, l => l.Value);
        labels[prefix + NameLabel] = from.Name;
        return labels;
    }
}
