using System.Text;
using Weft.Hosting.Commands;
using Weft.Model.Yaml;

namespace Weft.Ctl.Resources;

/// <summary>Reads what -f names: files, folders, standard input.</summary>
internal static class ResourceSources
{
    public static readonly CommandOption Files = new("--filename", "-f", "FILE|DIR|-", "YAML or JSON; a folder stands for its .yaml, .yml and .json files, - for standard input. Repeatable.")
    {
        IsRepeatable = true,
    };

    public static readonly CommandOption Recursive = new("--recursive", "-R", null, "Take the folders inside folders too.");

    public static readonly CommandOption SkipEmpty = new("--skip-empty", null, null, "Files without objects are no error.");

    /// <summary>Every object, with its problems; in the order of the command line, of file names in a folder, and of the documents in a file.</summary>
    /// <exception cref="CtlException">A file cannot be read, or holds nothing.</exception>
    public static async Task<List<ResourceDocument>> ReadAsync(CommandLine line, Stream input, CancellationToken stop)
    {
        List<ResourceDocument> documents = [];
        foreach (string source in line.Values(Files))
        {
            int before = documents.Count;
            foreach (string file in Expand(source, line.Has(Recursive)))
            {
                documents.AddRange(ResourceReader.Read(await ReadTextAsync(file, input, stop), file));
            }

            if (documents.Count == before && !line.Has(SkipEmpty))
            {
                throw new CtlException($"no resources specified in {(Directory.Exists(source) ? "directory" : "file")} {source}");
            }
        }

        return documents;
    }

    private static IEnumerable<string> Expand(string source, bool recursive)
    {
        if (source == "-" || !Directory.Exists(source))
        {
            return [source];
        }

        string[] files = Directory.GetFiles(source, "*", recursive ? SearchOption.AllDirectories : SearchOption.TopDirectoryOnly);
        Array.Sort(files, StringComparer.Ordinal);
        return files.Where(f => Path.GetExtension(f) is ".yaml" or ".yml" or ".json");
    }

    private static async Task<string> ReadTextAsync(string file, Stream input, CancellationToken stop)
    {
        try
        {
            if (file != "-")
            {
                return await File.ReadAllTextAsync(file, stop);
            }

            using StreamReader reader = new(input, Encoding.UTF8, leaveOpen: true);
            return await reader.ReadToEndAsync(stop);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CtlException($"{file}: {e.Message}");
        }
    }
}
