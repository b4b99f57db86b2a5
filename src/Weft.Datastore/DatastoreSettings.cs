using Weft.Hosting.Configuration;

namespace Weft.Datastore;

/// <summary>
/// Where the datastore is and how weft proves who it is: section [datastore], shared by every role of a machine. Certificate and password files are
/// named here and read when a connection is made, so that a renewed file needs no restart.
/// </summary>
public sealed record DatastoreSettings
{
    private const string Section = "datastore";

    private static readonly Setting<IReadOnlyList<Uri>> EndpointsSetting = Setting.List<Uri>(
        Section, "endpoints", "http://127.0.0.1:2379", "URL, URL, ...", ParseEndpoint,
        "Members of the etcd cluster (or the `weft store`), tried in this order; http or https.");

    private static readonly Setting<string> CaFileSetting = Setting.Text(
        Section, "ca-file", string.Empty, "Certificate authorities that may have signed the servers' certificates; empty for those of the system.", "path of a PEM file");

    private static readonly Setting<string> CertFileSetting = Setting.Text(
        Section, "cert-file", string.Empty, "Client certificate; needs `key-file`.", "path of a PEM file");

    private static readonly Setting<string> KeyFileSetting = Setting.Text(
        Section, "key-file", string.Empty, "Private key of `cert-file`.", "path of a PEM file");

    private static readonly Setting<string> UsernameSetting = Setting.Text(
        Section, "username", string.Empty, "User of etcd's own authentication; needs `password-file`.");

    private static readonly Setting<string> PasswordFileSetting = Setting.Text(
        Section, "password-file", string.Empty, "File whose first line is the password of `username`.", "path");

    private static readonly Setting<TimeSpan> RequestTimeoutSetting = Setting.Duration(
        Section, "request-timeout", "5s", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5),
        "How long one request may take, over all endpoints together.");

    /// <summary>Every key of the section, for the roles that use the datastore to add to their own.</summary>
    public static IReadOnlyList<ISetting> Settings { get; } =
        [EndpointsSetting, CaFileSetting, CertFileSetting, KeyFileSetting, UsernameSetting, PasswordFileSetting, RequestTimeoutSetting];

    /// <summary>At least one; scheme http or https, nothing behind the port.</summary>
    public IReadOnlyList<Uri> Endpoints { get; init; } = [new("http://127.0.0.1:2379")];

    public string? CaFile { get; init; }

    public string? CertFile { get; init; }

    public string? KeyFile { get; init; }

    public string? Username { get; init; }

    public string? PasswordFile { get; init; }

    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>True when an endpoint is named in the file, the environment or on the command line: a router without it runs from its file alone.</summary>
    public static bool IsConfigured(SettingsReader reader) => reader.IsSet(EndpointsSetting);

    /// <summary>Problems are left in the reader; the result is usable only when there are none.</summary>
    public static DatastoreSettings Parse(SettingsReader reader)
    {
        DatastoreSettings settings = new()
        {
            Endpoints = reader.Get(EndpointsSetting),
            CaFile = NullIfEmpty(reader.Get(CaFileSetting)),
            CertFile = NullIfEmpty(reader.Get(CertFileSetting)),
            KeyFile = NullIfEmpty(reader.Get(KeyFileSetting)),
            Username = NullIfEmpty(reader.Get(UsernameSetting)),
            PasswordFile = NullIfEmpty(reader.Get(PasswordFileSetting)),
            RequestTimeout = reader.Get(RequestTimeoutSetting),
        };
        if (settings.Endpoints.Count == 0)
        {
            reader.Report(EndpointsSetting, "at least one endpoint is needed, such as http://127.0.0.1:2379");
        }

        if (settings.CertFile is null != settings.KeyFile is null)
        {
            reader.Report(settings.CertFile is null ? CertFileSetting : KeyFileSetting, "cert-file and key-file go together; only one is set");
        }

        if (settings.Username is null != settings.PasswordFile is null)
        {
            reader.Report(settings.Username is null ? UsernameSetting : PasswordFileSetting, "username and password-file go together; only one is set");
        }

        return settings;
    }

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;

    private static bool ParseEndpoint(string text, out Uri value, out string reason)
    {
        reason = "expected http://HOST:PORT or https://HOST:PORT";
        bool ok = Uri.TryCreate(text, UriKind.Absolute, out Uri? parsed) && parsed.Scheme is "http" or "https"
            && parsed.PathAndQuery is "/" && parsed.UserInfo.Length == 0;
        value = parsed!;
        return ok;
    }
}
