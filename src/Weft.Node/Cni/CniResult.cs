using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Primitives.Net;

namespace Weft.Node.Cni;

/// <param name="Name">Interface name.</param>
/// <param name="Mac">Empty when not told.</param>
/// <param name="Mtu">0 when not told; written from specification 1.1.0 on.</param>
/// <param name="Sandbox">Path of the namespace, empty on the host.</param>
internal sealed record ResultInterface(string Name, string Mac = "", int Mtu = 0, string Sandbox = "");

/// <param name="Interface">Index into the interfaces, or null.</param>
/// <param name="Address">With prefix length.</param>
/// <param name="Gateway">Null when there is none: weft's pods have no gateway on their link.</param>
internal sealed record ResultAddress(int? Interface, InterfaceAddress Address, IpAddress? Gateway = null);

internal sealed record ResultRoute(IpPrefix Destination, IpAddress? Gateway);

/// <summary>The result of ADD, written in the version that was asked for, and read again as prevResult.</summary>
internal sealed record CniResult
{
    public IReadOnlyList<ResultInterface> Interfaces { get; init; } = [];

    public IReadOnlyList<ResultAddress> Addresses { get; init; } = [];

    public IReadOnlyList<ResultRoute> Routes { get; init; } = [];

    public JsonObject? Dns { get; init; }

    /// <summary>The result of a chain: what came before stays first, indexes of interfaces move along.</summary>
    public CniResult After(CniResult? previous) => previous is null ? this : new CniResult
    {
        Interfaces = [.. previous.Interfaces, .. Interfaces],
        Addresses = [.. previous.Addresses, .. Addresses.Select(a => a with { Interface = a.Interface + previous.Interfaces.Count })],
        Routes = [.. previous.Routes, .. Routes],
        Dns = Dns ?? previous.Dns,
    };

    public JsonObject Write(string version)
    {
        JsonObject result = new() { ["cniVersion"] = version };
        if (!CniVersions.AtLeast(version, "0.3.0"))
        {
            WriteBeforeInterfaces(result);
        }
        else
        {
            result["interfaces"] = new JsonArray([.. Interfaces.Select(i => WriteInterface(i, version))]);
            result["ips"] = new JsonArray([.. Addresses.Select(a => WriteAddress(a, version))]);
            result["routes"] = new JsonArray([.. Routes.Select(WriteRoute)]);
        }

        result["dns"] = Dns?.DeepClone() ?? new JsonObject();
        return result;
    }

    /// <exception cref="CniException">The text is no result.</exception>
    public static CniResult Parse(JsonObject json)
    {
        ConfigReader reader = new(json, "prevResult");
        List<ResultAddress> addresses = [];
        List<ResultRoute> routes = [];
        foreach (ConfigReader ip in reader.Objects("ips"))
        {
            addresses.Add(new ResultAddress(ip.Integer("interface"), Address(ip, "address"), OptionalAddress(ip, "gateway")));
        }

        foreach (ConfigReader route in reader.Objects("routes"))
        {
            routes.Add(new ResultRoute(Address(route, "dst").Prefix, OptionalAddress(route, "gw")));
        }

        foreach (string family in (ReadOnlySpan<string>)["ip4", "ip6"])
        {
            // Before 0.3.0 there was one address per family and no interfaces.
            ConfigReader ip = reader.Object(family);
            if (ip.Text("ip").Length > 0)
            {
                addresses.Add(new ResultAddress(null, Address(ip, "ip"), OptionalAddress(ip, "gateway")));
            }

            routes.AddRange(ip.Objects("routes").Select(r => new ResultRoute(Address(r, "dst").Prefix, OptionalAddress(r, "gw"))));
        }

        return new CniResult
        {
            Interfaces = [.. reader.Objects("interfaces").Select(i => new ResultInterface(i.Text("name"), i.Text("mac"), i.Integer("mtu") ?? 0, i.Text("sandbox")))],
            Addresses = addresses,
            Routes = routes,
            Dns = reader.Node("dns"),
        };
    }

    private void WriteBeforeInterfaces(JsonObject result)
    {
        foreach ((string key, IpFamily family) in (ReadOnlySpan<(string, IpFamily)>)[("ip4", IpFamily.IPv4), ("ip6", IpFamily.IPv6)])
        {
            if (Addresses.FirstOrDefault(a => a.Address.Address.Family == family) is { } address)
            {
                result[key] = new JsonObject
                {
                    ["ip"] = address.Address.ToString(),
                    ["routes"] = new JsonArray([.. Routes.Where(r => r.Destination.Family == family).Select(WriteRoute)]),
                };
            }
        }
    }

    private static JsonNode WriteInterface(ResultInterface link, string version)
    {
        JsonObject json = new() { ["name"] = link.Name };
        if (link.Mac.Length > 0)
        {
            json["mac"] = link.Mac;
        }

        if (link.Mtu > 0 && CniVersions.AtLeast(version, "1.1.0"))
        {
            json["mtu"] = link.Mtu;
        }

        if (link.Sandbox.Length > 0)
        {
            json["sandbox"] = link.Sandbox;
        }

        return json;
    }

    private static JsonNode WriteAddress(ResultAddress address, string version)
    {
        JsonObject json = [];
        if (!CniVersions.AtLeast(version, "1.0.0"))
        {
            json["version"] = address.Address.Address.IsIPv6 ? "6" : "4";
        }

        if (address.Interface is { } index)
        {
            json["interface"] = index;
        }

        json["address"] = address.Address.ToString();
        if (address.Gateway is { } gateway)
        {
            json["gateway"] = gateway.ToString();
        }

        return json;
    }

    private static JsonNode WriteRoute(ResultRoute route)
    {
        JsonObject json = new() { ["dst"] = route.Destination.ToString() };
        if (route.Gateway is { } gateway)
        {
            json["gw"] = gateway.ToString();
        }

        return json;
    }

    private static InterfaceAddress Address(ConfigReader reader, string key) =>
        InterfaceAddress.TryParse(reader.Text(key), out InterfaceAddress address) ? address : throw reader.Wrong(key, "an address with a prefix length");

    private static IpAddress? OptionalAddress(ConfigReader reader, string key) => reader.Text(key) switch
    {
        "" => null,
        string text => IpAddress.TryParse(text, out IpAddress address) ? address : throw reader.Wrong(key, "an IP address"),
    };
}
