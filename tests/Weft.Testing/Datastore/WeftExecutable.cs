namespace Weft.Testing.Datastore;

/// <summary>
/// Where the executable under test is: WEFT_EXECUTABLE, else the published one of this repository, else the one the compiler has left in its output.
/// </summary>
public static class WeftExecutable
{
    public static string Path { get; } = Find();

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable("WEFT_EXECUTABLE") is { Length: > 0 } given)
        {
            return File.Exists(given) ? given : throw new FileNotFoundException($"WEFT_EXECUTABLE names {given}, which does not exist");
        }

        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(System.IO.Path.Combine(root.FullName, "build.sh")))
        {
            root = root.Parent;
        }

        string[] places = ["artifacts/publish/weft", "src/Weft/bin/Debug/net10.0/linux-x64/weft", "src/Weft/bin/Release/net10.0/linux-x64/weft"];
        return places.Select(p => System.IO.Path.Combine(root?.FullName ?? "/", p)).FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException("the weft executable is neither named by WEFT_EXECUTABLE nor published: run ./build.sh publish first");
    }
}
