namespace Weft.Appliance;

/// <summary>Packages of the published executable, made once for all tests: two versions, to upgrade and downgrade between.</summary>
internal static class Packages
{
    public const string Older = "0.9.0";
    public const string Newer = "0.9.1~rc1";

    public static readonly string Repository = FindRepository();

    private static readonly Lazy<string> s_folder = new(() => Path.Combine(Repository, "artifacts", "appliance"));
    private static readonly SemaphoreSlim s_one = new(1);

    public static Task<string> DebAsync(string version) => MakeAsync("deb", version, $"weft_{version}_amd64.deb");

    public static Task<string> RpmAsync(string version) => MakeAsync("rpm", version, $"weft-{version}-1.x86_64.rpm");

    public static async Task PackAsync(string kinds, string version, string folder)
    {
        Dictionary<string, string> environment = new() { ["PACK_KINDS"] = kinds, ["PACK_COMPRESSION"] = "1", ["SOURCE_DATE_EPOCH"] = "1700000000" };
        string assets = Path.Combine(Repository, "src/Weft/obj/project.assets.json");
        (await Executable.RunAsync("bash", [Path.Combine(Repository, "packaging/pack.sh"), folder, version, "amd64", Executable.Path, Executable.Path, assets], string.Empty, environment)).MustSucceed();
    }

    private static async Task<string> MakeAsync(string kind, string version, string file)
    {
        string path = Path.Combine(s_folder.Value, file);
        await s_one.WaitAsync();
        try
        {
            // Never older than what it packs.
            if (!File.Exists(path) || File.GetLastWriteTimeUtc(path) < NewestSource())
            {
                await PackAsync(kind, version, s_folder.Value);
            }
        }
        finally
        {
            s_one.Release();
        }

        return path;
    }

    private static DateTime NewestSource() =>
        ((string[])["packaging", "systemd"]).SelectMany(f => Directory.EnumerateFiles(Path.Combine(Repository, f), "*", SearchOption.AllDirectories)).Append(Executable.Path).Max(File.GetLastWriteTimeUtc);

    private static string FindRepository()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "build.sh")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new DirectoryNotFoundException("no build.sh above the tests");
    }
}
