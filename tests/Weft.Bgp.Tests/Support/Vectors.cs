using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace Weft.Bgp.Tests.Support;

/// <summary>Finds tests/vectors from wherever the tests run.</summary>
internal static class Vectors
{
    public static string Folder { get; } = Find();

    public static byte[] Hex(string file) => Convert.FromHexString(File.ReadAllText(file).Trim());

    /// <summary>All values under a key anywhere in tshark's tree, in order.</summary>
    public static List<string> Values(JsonNode? node, string key)
    {
        List<string> found = [];
        Collect(node, key, found);
        return found;
    }

    private static void Collect(JsonNode? node, string key, List<string> found)
    {
        if (node is JsonObject map)
        {
            foreach ((string name, JsonNode? value) in map)
            {
                if (name == key && value is not JsonObject)
                {
                    found.AddRange(value is JsonArray list ? list.Select(static v => v!.ToString()) : [value!.ToString()]);
                }
                else
                {
                    Collect(value, key, found);
                }
            }
        }
        else if (node is JsonArray list)
        {
            foreach (JsonNode? item in list)
            {
                Collect(item, key, found);
            }
        }
    }

    private static string Find([CallerFilePath] string source = "")
    {
        foreach (string start in (string[])[AppContext.BaseDirectory, Path.GetDirectoryName(source)!, Environment.CurrentDirectory])
        {
            for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
            {
                string candidate = Path.Combine(folder.FullName, "tests", "vectors", "bgp");
                if (Directory.Exists(candidate))
                {
                    return candidate;
                }
            }
        }

        throw new DirectoryNotFoundException("tests/vectors/bgp was not found above the test assembly");
    }
}
