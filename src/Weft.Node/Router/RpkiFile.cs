using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weft.Bgp.Policies;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>
/// The file of route origin authorizations that a validator writes (routinator, rpki-client, StayRTR): read when it is named, and again when its time or length
/// changes. A file that cannot be used changes nothing: the table of the last good one stays. Owned by <see cref="RouterLoop"/>.
/// </summary>
internal sealed class RpkiFile(TimeProvider time, ILogger logger)
{
    /// <summary>Half a million authorizations need some 50 MB; what is larger is not such a file.</summary>
    private const long MaximumLength = 1L << 30;

    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(2);

    private string? _path;
    private (DateTime Written, long Length) _stamp;
    private long _checked;

    /// <summary>Null: no file is named.</summary>
    public RoaTable? Table { get; private set; }

    /// <summary>Why the file was not taken over; null when it was.</summary>
    public string? Problem { get; private set; }

    /// <summary>Looks at the file, at most every two seconds, and reads it when it is new. True when <see cref="Table"/> or <see cref="Problem"/> changed.</summary>
    public async Task<bool> CheckAsync(string? path)
    {
        bool moved = path != _path;
        if (!moved && (path is null || time.GetElapsedTime(_checked) < s_period))
        {
            return false;
        }

        _checked = time.GetTimestamp();
        if (path is null)
        {
            (_path, _stamp, Problem) = (null, default, null);
            Table = RoaTable.Empty; // The speaker has been given a table; no table at all is not to be had any more.
            return true;
        }

        (DateTime, long) stamp = Stamp(path);
        if (!moved && stamp == _stamp)
        {
            return false;
        }

        (_path, _stamp) = (path, stamp);

        // Half a second for a table of the whole Internet: not on the loop's thread.
        (RoaTable? table, string problem) = await Task.Run(() => (TryRead(path, out RoaTable read, out string why) ? read : null, why));
        if (table is null)
        {
            Problem = $"[router] rpki-file {path}: {problem}; {(Table is { Count: > 0 } kept ? $"the {kept.Count} authorizations read before stay in force" : "no route is valid or invalid")}";
            Table ??= RoaTable.Empty;
            return true;
        }

        (Table, Problem) = (table, null);
        Log.RoasRead(logger, path, table.Count);
        return true;
    }

    private static (DateTime Written, long Length) Stamp(string path)
    {
        FileInfo file = new(path);
        return file.Exists ? (file.LastWriteTimeUtc, file.Length) : default;
    }

    internal static bool TryRead(string path, out RoaTable table, out string problem)
    {
        table = RoaTable.Empty;
        try
        {
            FileInfo file = new(path);
            if (file.Exists && file.Length > MaximumLength)
            {
                problem = $"has {file.Length} bytes; expected at most {MaximumLength}";
                return false;
            }

            return TryParse(File.ReadAllBytes(path), out table, out problem);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = $"cannot be read: {e.Message}";
            return false;
        }
    }

    /// <summary>An object with an array "roas", each an object with asn (65001, "65001" or "AS65001"), prefix and, when longer prefixes may be announced, maxLength.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> json, out RoaTable table, out string problem)
    {
        List<RouteOriginAuthorization> all = [];
        table = RoaTable.Empty;
        problem = string.Empty;
        bool found = false;
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip });
            while (problem.Length == 0 && reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1 && reader.ValueTextEquals("roas"u8))
                {
                    found = true;
                    reader.Read();
                    problem = reader.TokenType == JsonTokenType.StartArray ? ReadAll(ref reader, all) : "\"roas\": expected an array";
                }
            }
        }
        catch (JsonException e)
        {
            problem = $"is no JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}";
        }
        catch (InvalidOperationException e)
        {
            problem = $"is no JSON: {e.Message}"; // Half a surrogate pair in a string: the reader finds it only when the string is asked for.
        }

        problem = problem.Length == 0 && !found ? "has no \"roas\"" : problem;
        table = problem.Length == 0 ? new RoaTable(all) : table;
        return problem.Length == 0;
    }

    private static string ReadAll(ref Utf8JsonReader reader, List<RouteOriginAuthorization> all)
    {
        string problem = string.Empty;
        while (problem.Length == 0 && reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            problem = ReadOne(ref reader, out RouteOriginAuthorization authorization);
            problem = problem.Length == 0 ? problem : $"roas[{all.Count}]: {problem}";
            all.Add(authorization);
        }

        return problem;
    }

    private static string ReadOne(ref Utf8JsonReader reader, out RouteOriginAuthorization authorization)
    {
        authorization = default;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return "expected an object";
        }

        (string asn, string prefixText, int? longest) = (string.Empty, string.Empty, null);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isAsn = reader.ValueTextEquals("asn"u8);
            bool isPrefix = reader.ValueTextEquals("prefix"u8);
            bool isLongest = reader.ValueTextEquals("maxLength"u8);
            reader.Read();
            string value = reader.TokenType switch
            {
                JsonTokenType.String => reader.GetString()!,
                JsonTokenType.Number when reader.TryGetInt64(out long number) => number.ToString(CultureInfo.InvariantCulture),
                _ => string.Empty,
            };
            reader.Skip();
            asn = isAsn ? value : asn;
            prefixText = isPrefix ? value : prefixText;
            longest = isLongest ? int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int length) ? length : -1 : longest;
        }

        string digits = asn.StartsWith("AS", StringComparison.OrdinalIgnoreCase) ? asn[2..] : asn;
        if (!uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out uint origin))
        {
            return $"asn \"{asn}\": expected an AS number such as AS65001";
        }

        if (!IpPrefix.TryParse(prefixText, out IpPrefix prefix))
        {
            return $"prefix \"{prefixText}\": expected a prefix";
        }

        int maximum = longest ?? prefix.Length;
        authorization = new RouteOriginAuthorization(prefix, maximum, origin);
        return maximum < prefix.Length || maximum > prefix.Address.BitLength ? $"maxLength {longest}: expected {prefix.Length} to {prefix.Address.BitLength}" : string.Empty;
    }
}
