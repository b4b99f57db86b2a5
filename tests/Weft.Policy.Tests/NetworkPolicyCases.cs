using System.Text;
using System.Text.Json.Nodes;

namespace Weft.Policy.Tests;

/// <summary>Kubernetes policies and the truth tables that others have computed for them (shared/data/netpol-cases, beside the checkout).</summary>
internal static class NetworkPolicyCases
{
    private const string Cases = "shared/data/netpol-cases/cases.json";

    /// <summary>Null where they do not lie.</summary>
    public static JsonObject? Read()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, Cases)))
            {
                return JsonNode.Parse(File.ReadAllText(Path.Combine(folder.FullName, Cases)))!.AsObject();
            }
        }

        return null;
    }

    /// <summary>An action of a case with the layout's addresses in the place of its tokens.</summary>
    public static JsonObject Resolved(JsonNode action, JsonObject tokens)
    {
        StringBuilder text = new(action.ToJsonString());
        foreach ((string token, JsonNode? value) in tokens)
        {
            text.Replace(token, (string)value!);
        }

        return JsonNode.Parse(text.ToString())!.AsObject();
    }
}
