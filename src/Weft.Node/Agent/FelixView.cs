using System.Text.Json.Nodes;
using Weft.Model.Felix;
using Weft.Policy.Output;

namespace Weft.Node.Agent;

/// <summary>
/// The answer to {"command":"config"}, which <c>weft agent config</c> shows: every parameter of Felix, its value on this node, where that comes from, and
/// what weft does with it:
/// <code>
/// { parameters: [{name, field, value, source, standing: implemented|refused|not-applicable, remark}] }
/// </code>
/// </summary>
internal static class FelixView
{
    public static JsonObject Write(string node, ConfigUpdate config, FelixLocalSettings local)
    {
        JsonArray parameters = [];
        foreach (FelixParameter parameter in FelixParameters.All)
        {
            parameters.Add((JsonNode)new JsonObject
            {
                ["name"] = parameter.Name,
                ["field"] = parameter.Field,
                ["value"] = config.Find(parameter.Field) ?? parameter.Default,
                ["source"] = Source(node, parameter.Field, config, local),
                ["standing"] = parameter.Standing switch
                {
                    FelixStanding.Refused => "refused",
                    FelixStanding.NotApplicable => "not-applicable",
                    _ => "implemented",
                },
                ["remark"] = parameter.Remark,
            });
        }

        return new JsonObject { ["node"] = node, ["parameters"] = parameters };
    }

    private static string Source(string node, string field, ConfigUpdate config, FelixLocalSettings local) =>
        config.Local.ContainsKey(field) ? local.Origins.GetValueOrDefault(field, "local")
        : config.PerNode.ContainsKey(field) ? $"FelixConfiguration node.{node}"
        : config.Selected.ContainsKey(field) ? $"FelixConfiguration {config.SelectedName}"
        : config.Global.ContainsKey(field) ? "FelixConfiguration default"
        : "default";
}
