using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Weft.Model.Json;
using Weft.Model.Resources;
using Weft.Model.Validation;

namespace Weft.Model.Tests.Validation;

/// <summary>The two descriptions of every kind, the classes and the schema, must say the same.</summary>
public sealed class SchemaTests
{
    /// <summary>Classes that keep a part as it stands in JSON; the schema alone knows its fields.</summary>
    private static readonly Type[] s_open = [typeof(JsonElement), typeof(FelixConfigurationSpec)];

    [Fact]
    public void EveryFieldOfTheSchema_IsAMemberOfTheClass_AndTheOtherWayRound()
    {
        List<string> differences = [];
        foreach (ResourceKind kind in ResourceKind.All)
        {
            Compare(SchemaCatalog.Of(kind), Contract(ModelJson.Clone(New(kind)).GetType()), kind.Name, differences);
        }

        Assert.Empty(differences);
    }

    [Fact]
    public void EveryField_KeepsItsValueThroughReadingAndWriting()
    {
        foreach (ResourceKind kind in ResourceKind.All)
        {
            System.Text.Json.Nodes.JsonObject sample = (System.Text.Json.Nodes.JsonObject)Sample(SchemaCatalog.Of(kind))!;
            sample["kind"] = kind.Name;
            sample["apiVersion"] = ResourceKind.ApiVersion;

            bool ok = ModelJson.TryDeserialize(kind, System.Text.Encoding.UTF8.GetBytes(sample.ToJsonString()), out Resource? resource, out string? problem);

            Assert.True(ok, $"{kind}: {problem}\n{sample}");
            Assert.True(System.Text.Json.Nodes.JsonNode.DeepEquals(sample, ModelJson.ToNode(resource!)), $"{kind}\n{sample}\n{ModelJson.ToNode(resource!)}");
            Assert.Null(resource!.UnknownFields);
        }
    }

    [Fact]
    public void FelixConfiguration_KnowsAllParametersOfTheApi()
    {
        SchemaNode spec = SchemaCatalog.Of(ResourceKind.FelixConfiguration).Members["spec"];

        Assert.InRange(spec.Members.Count, 180, 220);
        Assert.Equal("duration", spec.Members["iptablesRefreshInterval"].Format);
        Assert.Equal(["Drop", "Accept", "Return"], spec.Members["defaultEndpointToHostAction"].Words);
    }

    private static Resource New(ResourceKind kind)
    {
        Assert.True(ModelJson.TryDeserialize(kind, "{}"u8, out Resource? resource, out string? problem), problem);
        return resource;
    }

    private static JsonTypeInfo? Contract(Type type) => ModelJsonContext.Default.GetTypeInfo(Nullable.GetUnderlyingType(type) ?? type);

    private static void Compare(SchemaNode schema, JsonTypeInfo? contract, string path, List<string> differences)
    {
        if (contract is null || s_open.Contains(contract.Type))
        {
            return;
        }

        switch (schema.Type)
        {
            case SchemaType.List:
                Compare(schema.Element!, Contract(contract.Type.GetGenericArguments()[0]), path + "[]", differences);
                return;
            case SchemaType.Object:
                Dictionary<string, JsonPropertyInfo> properties = contract.Properties.Where(p => !p.IsExtensionData && p.Get is not null).ToDictionary(p => p.Name);
                differences.AddRange(schema.Members.Keys.Except(properties.Keys).Where(IsModelled).Select(n => $"{path}.{n}: only in the schema"));
                differences.AddRange(properties.Keys.Except(schema.Members.Keys).Select(n => $"{path}.{n}: only in the class"));
                foreach ((string name, SchemaNode member) in schema.Members)
                {
                    if (properties.TryGetValue(name, out JsonPropertyInfo? property))
                    {
                        Compare(member, Contract(property.PropertyType), $"{path}.{name}", differences);
                    }
                }

                return;
            default:
                bool fits = schema.Type switch
                {
                    SchemaType.Text or SchemaType.One or SchemaType.Word => contract.Type == typeof(string),
                    SchemaType.Boolean => contract.Type == typeof(bool),
                    SchemaType.Integer => contract.Type == typeof(int) || contract.Type == typeof(long),
                    SchemaType.Number => contract.Type == typeof(double),
                    SchemaType.Port => contract.Type == typeof(Port),
                    SchemaType.Protocol => contract.Type == typeof(Protocol),
                    SchemaType.AsNumber => contract.Type == typeof(AsNumber),
                    _ => true,
                };
                if (!fits)
                {
                    differences.Add($"{path}: {schema.Type} in the schema, {contract.Type.Name} in the class");
                }

                return;
        }
    }

    /// <summary>Of a Kubernetes object that weft carries along without looking at it.</summary>
    private static bool IsModelled(string name) => name is not ("managedFields" or "deletionGracePeriodSeconds");

    private static System.Text.Json.Nodes.JsonNode? Sample(SchemaNode schema) => schema.Type switch
    {
        SchemaType.Object => new System.Text.Json.Nodes.JsonObject(
            schema.Members.Where(m => IsModelled(m.Key)).Select(m => KeyValuePair.Create(m.Key, Sample(m.Value)))),
        SchemaType.List => new System.Text.Json.Nodes.JsonArray(Sample(schema.Element!)),
        SchemaType.Map => new System.Text.Json.Nodes.JsonObject { ["k"] = Sample(schema.Element!) },
        SchemaType.One or SchemaType.Word => schema.Words[0],
        SchemaType.Boolean => true,
        SchemaType.Number => 1.5,
        SchemaType.Integer or SchemaType.Port or SchemaType.Protocol or SchemaType.AsNumber or SchemaType.IntegerOrText => 6,
        _ => "10.0.0.0/8",
    };
}
