namespace Weft.Interop.Peers;

/// <summary>Where the daemons are: Debian's packages, and newer ones unpacked (not installed) by tests/Weft.Interop/fetch-peers.sh, run through their own loader.</summary>
internal static class Programs
{
    private static readonly string s_unpacked = Environment.GetEnvironmentVariable("WEFT_PEERS") ?? Path.Combine(Root(), "artifacts", "peers");

    public static string[]? Installed(params string[] candidates) => candidates.FirstOrDefault(File.Exists) is { } path ? [path] : null;

    public static string[]? Unpacked(string package, string program)
    {
        string root = Path.Combine(s_unpacked, package);
        string libraries = Path.Combine(root, "usr/lib/x86_64-linux-gnu");
        string path = Path.Combine(root, program);
        return File.Exists(path) ? [Path.Combine(libraries, "ld-linux-x86-64.so.2"), "--library-path", $"{libraries}/frr:{libraries}", path] : null;
    }

    /// <summary>Why the unpacked daemons are missing, when they are.</summary>
    public static string UnpackedReason =>
        File.Exists(Path.Combine(s_unpacked, "reason")) ? File.ReadAllText(Path.Combine(s_unpacked, "reason")).Trim() : $"{s_unpacked} does not exist; run tests/Weft.Interop/fetch-peers.sh";

    private static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "build.sh")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? "/";
    }
}
