using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;

namespace Weft.Datastore.Tests;

/// <summary>Small values of two kinds of keys.</summary>
internal static class Values
{
    public static readonly ModelPrefix Sets = ModelPrefix.Of(ResourceKind.GlobalNetworkSet);
    public static readonly ModelPrefix Handles = ModelPrefix.Handles;

    public static ResourceKey Key(string name) => new(ResourceKind.GlobalNetworkSet, name);

    public static ResourceKey Key(int number) => Key($"s{number:00000}");

    public static GlobalNetworkSet Set(string name, string net = "10.0.0.0/8") =>
        new() { Metadata = { Name = name }, Spec = { Nets = [net] } };

    public static GlobalNetworkSet Set(int number, int version = 0) => Set($"s{number:00000}", $"10.{version % 250}.0.0/16");

    public static HandleKey Handle(string id) => new(id);

    public static IpamHandle HandleOf(int count) => new() { Block = { ["10.0.0.0/26"] = count } };

    public static string NetOf(object? value) => ((GlobalNetworkSet)value!).Spec.Nets![0];
}
