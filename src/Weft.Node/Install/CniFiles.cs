using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weft.Node.Install;

/// <summary>Where the plugin lies on a machine, and by which names runtimes call it.</summary>
/// <param name="HostPrefix">Stands before every path: "/host" in a pod that has the host's root mounted there, or empty.</param>
/// <param name="BinFolder">CNI_PATH of the runtime.</param>
/// <param name="ConfFolder">Where the runtime looks for network configurations.</param>
/// <param name="ConfName">Runtimes take the first by name.</param>
internal sealed record CniFolders(string HostPrefix, string BinFolder, string ConfFolder, string ConfName)
{
    public string Conflist => Under(Path.Combine(ConfFolder, ConfName));

    public string Bin => Under(BinFolder);

    private string Under(string path) => HostPrefix.Length == 0 ? path : Path.Join(HostPrefix, path);
}

/// <summary>
/// Puts the executable and the network configuration where a runtime finds them, and takes them away again. A runtime may call the plugin at any moment: each file is written
/// whole beside its place and renamed into it, so a call finds the old one or the new one; the configuration comes last and goes first, so it never names a
/// plugin that is not there. All drafts are on the disk before the first rename: a full disk changes nothing.
/// </summary>
internal sealed class CniFiles(CniFolders folders)
{
    private const UnixFileMode Executable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    // A configuration may hold what only root should read.
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The plugin, and the same file as address plugin of other plugins.</summary>
    public static IReadOnlyList<string> Names { get; } = ["weft", "weft-ipam"];

    /// <param name="executable">This program.</param>
    /// <param name="conflist">The text of the configuration.</param>
    /// <returns>What has been changed, for the operator; empty when everything was as it should be.</returns>
    /// <exception cref="IOException">Nothing has been changed, or the text says what has.</exception>
    public IReadOnlyList<string> Install(string executable, string conflist)
    {
        Directory.CreateDirectory(folders.Bin);
        Directory.CreateDirectory(Path.GetDirectoryName(folders.Conflist)!);
        List<(string Draft, string Target)> drafts = [];
        try
        {
            foreach (string name in Names)
            {
                string target = Path.Combine(folders.Bin, name);
                if (!SameContent(executable, target))
                {
                    drafts.Add((Draft(target, Executable, stream => CopyTo(executable, stream)), target));
                }
            }

            if (!File.Exists(folders.Conflist) || File.ReadAllText(folders.Conflist) != conflist || File.GetUnixFileMode(folders.Conflist) != Private)
            {
                drafts.Add((Draft(folders.Conflist, Private, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(conflist))), folders.Conflist));
            }

            foreach ((string draft, string target) in drafts)
            {
                File.Move(draft, target, overwrite: true);
            }
        }
        catch
        {
            drafts.ForEach(d => File.Delete(d.Draft));
            throw;
        }

        return [.. drafts.Select(d => d.Target)];
    }

    /// <summary>Absent is fine. A configuration of the same name that another program wrote is left alone.</summary>
    /// <returns>What has been removed.</returns>
    public IReadOnlyList<string> Uninstall()
    {
        List<string> removed = [];
        if (File.Exists(folders.Conflist) && CallsWeft(File.ReadAllText(folders.Conflist)))
        {
            Remove(folders.Conflist);
        }

        foreach (string name in Names)
        {
            Remove(Path.Combine(folders.Bin, name));
        }

        return removed;

        void Remove(string path)
        {
            if (File.Exists(path))
            {
                File.Delete(path);
                removed.Add(path);
            }
        }
    }

    /// <summary>Null when the text is a network configuration list with at least one plugin; else what is wrong with it.</summary>
    public static string? Problem(string conflist)
    {
        try
        {
            JsonNode? list = JsonNode.Parse(conflist);
            return list is not JsonObject ? "expected a JSON object"
                : list["name"]?.GetValueKind() != JsonValueKind.String ? "name: missing"
                : list["plugins"] is not JsonArray { Count: > 0 } plugins ? "plugins: expected a list with at least one plugin"
                : plugins.Any(p => p?["type"]?.GetValueKind() != JsonValueKind.String) ? "plugins: every plugin needs a type"
                : null;
        }
        catch (JsonException e)
        {
            return $"not JSON: {e.Message}";
        }
    }

    private static bool CallsWeft(string conflist) =>
        Problem(conflist) is null && JsonNode.Parse(conflist)!["plugins"]!.AsArray().Any(p => (string?)p!["type"] == Names[0]);

    /// <summary>Written through to the disk: after a power cut the name must not stand for an empty file.</summary>
    private static string Draft(string target, UnixFileMode mode, Action<Stream> write)
    {
        string draft = $"{target}.{Environment.ProcessId}.new";
        try
        {
            File.Delete(draft);
            using (FileStream stream = new(draft, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Private }))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.SetUnixFileMode(draft, mode);
            return draft;
        }
        catch
        {
            File.Delete(draft);
            throw;
        }
    }

    private static void CopyTo(string source, Stream target)
    {
        using FileStream stream = File.OpenRead(source);
        stream.CopyTo(target);
    }

    private static bool SameContent(string source, string target)
    {
        if (!File.Exists(target) || File.GetUnixFileMode(target) != Executable)
        {
            return false;
        }

        using FileStream mine = File.OpenRead(source);
        using FileStream theirs = File.OpenRead(target);
        if (mine.Length != theirs.Length)
        {
            return false;
        }

        byte[] a = new byte[64 << 10];
        byte[] b = new byte[64 << 10];
        for (int read; (read = mine.ReadAtLeast(a, a.Length, throwOnEndOfStream: false)) > 0;)
        {
            if (theirs.ReadAtLeast(b, read, throwOnEndOfStream: false) < read || !a.AsSpan(0, read).SequenceEqual(b.AsSpan(0, read)))
            {
                return false;
            }
        }

        return true;
    }
}
