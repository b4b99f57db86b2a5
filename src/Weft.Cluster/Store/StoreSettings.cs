using System.Globalization;
using System.Net;
using Weft.Hosting.Configuration;

namespace Weft.Cluster.Store;

/// <summary>Section [store] of the settings file, checked.</summary>
internal sealed record StoreSettings
{
    public static readonly Setting<IReadOnlyList<IPEndPoint>> ListenSetting = Setting.List<IPEndPoint>(
        "store", "listen", "127.0.0.1:2379", "address:port, ...", ParseEndPoint, "Where clients connect (gRPC over HTTP/2; GET /health, /version and /metrics over HTTP/1.1).");

    public static readonly Setting<string> DataSetting = Setting.Text("store", "data", "/var/lib/weft/store/store.db", "The data file; made when it is not there.", "path");

    public static readonly Setting<IReadOnlyList<string>> AdvertiseSetting = Setting.List<string>(
        "store", "advertise", string.Empty, "URL, ...", Setting.ParseText, "Client URLs told by \"etcdctl member list\"; the listening addresses when empty.");

    public static readonly Setting<string> NameSetting = Setting.Text("store", "name", "weft", "Member name told by \"etcdctl member list\".");

    public static readonly Setting<string> CertFileSetting = Setting.Text("store", "cert-file", string.Empty, "Server certificate with its chain, PEM. Turns TLS on.", "path");

    public static readonly Setting<string> KeyFileSetting = Setting.Text("store", "key-file", string.Empty, "Private key of the server certificate, PEM.", "path");

    public static readonly Setting<string> ClientCaFileSetting = Setting.Text(
        "store", "client-ca-file", string.Empty, "Clients must show a certificate issued by one of these authorities, PEM.", "path");

    public static readonly Setting<TimeSpan> KeepHistorySetting = Setting.Duration(
        "store", "keep-history", "1h", TimeSpan.Zero, TimeSpan.FromDays(365), "History older than this is given up (auto-compaction); 0 keeps it for ever.");

    public static readonly Setting<long> KeepRevisionsSetting = Setting.Integer(
        "store", "keep-revisions", 500_000, 0, long.MaxValue, "No more revisions than this are kept, however young; 0 for no bound.");

    public static readonly Setting<long> QuotaSetting = Setting.Custom(
        "store", "quota", "2GiB", "size (64MiB, 2GiB)", (string text, out long value, out string reason) => ParseSize(text, out value, out reason),
        "When the data takes more than this, only deletions are accepted (NOSPACE) until a compaction makes room.");

    public static readonly IReadOnlyList<ISetting> All =
    [
        ListenSetting, DataSetting, AdvertiseSetting, NameSetting, CertFileSetting, KeyFileSetting, ClientCaFileSetting, KeepHistorySetting, KeepRevisionsSetting, QuotaSetting,
    ];

    public required IReadOnlyList<IPEndPoint> Listen { get; init; }

    public required string Data { get; init; }

    public required string Name { get; init; }

    public required IReadOnlyList<string> AdvertisedUrls { get; init; }

    public required string CertFile { get; init; }

    public required string KeyFile { get; init; }

    public required string ClientCaFile { get; init; }

    public required TimeSpan KeepHistory { get; init; }

    public required long KeepRevisions { get; init; }

    /// <summary>Bytes.</summary>
    public required long Quota { get; init; }

    public bool HasTls => CertFile.Length > 0;

    /// <summary>Look at the reader's problems before using the result.</summary>
    public static StoreSettings Read(SettingsReader reader)
    {
        StoreSettings settings = new()
        {
            Listen = reader.Get(ListenSetting),
            Data = Path.GetFullPath(reader.Get(DataSetting)),
            Name = reader.Get(NameSetting),
            AdvertisedUrls = reader.Get(AdvertiseSetting),
            CertFile = reader.Get(CertFileSetting),
            KeyFile = reader.Get(KeyFileSetting),
            ClientCaFile = reader.Get(ClientCaFileSetting),
            KeepHistory = reader.Get(KeepHistorySetting),
            KeepRevisions = reader.Get(KeepRevisionsSetting),
            Quota = reader.Get(QuotaSetting),
        };
        if (settings.Listen.Count == 0)
        {
            reader.Report(ListenSetting, "expected at least one address:port");
        }

        if (settings.CertFile.Length == 0 != (settings.KeyFile.Length == 0))
        {
            reader.Report(settings.CertFile.Length == 0 ? CertFileSetting : KeyFileSetting, "cert-file and key-file must be set together");
        }

        if (settings.ClientCaFile.Length > 0 && !settings.HasTls)
        {
            reader.Report(ClientCaFileSetting, "needs cert-file and key-file");
        }

        string scheme = settings.HasTls ? "https" : "http";
        return settings.AdvertisedUrls.Count > 0 ? settings : settings with { AdvertisedUrls = [.. settings.Listen.Select(e => $"{scheme}://{e}")] };
    }

    internal static bool ParseSize(string text, out long value, out string reason)
    {
        reason = "expected a size of at least 1MiB, such as 64MiB or 2GiB";
        (string suffix, int shift)[] units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
        (string suffix, int shift) = Array.Find(units, u => text.EndsWith(u.suffix, StringComparison.OrdinalIgnoreCase));
        ReadOnlySpan<char> number = text.AsSpan(0, text.Length - (suffix?.Length ?? 0));
        bool ok = long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value <= long.MaxValue >> shift;
        value = ok ? value << shift : 0;
        return value >= 1 << 20;
    }

    private static bool ParseEndPoint(string text, out IPEndPoint value, out string reason)
    {
        // A bare IPv6 address would be taken as one with port 0; the colon of the port must be there.
        bool ok = IPEndPoint.TryParse(text, out IPEndPoint? parsed) && parsed.Port > 0;
        value = parsed ?? new IPEndPoint(IPAddress.None, 0);
        reason = "expected address:port, such as 127.0.0.1:2379 or [::1]:2379";
        return ok;
    }
}
