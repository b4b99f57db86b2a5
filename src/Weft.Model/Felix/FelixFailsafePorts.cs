using System.Text.Json.Nodes;
using Weft.Primitives.Net;

namespace Weft.Model.Felix;

/// <summary>
/// Locally "tcp:22,udp:10.0.0.0/8:53,tcp:[fd00::/8]:179,5473" (tcp where nothing is said), in FelixConfiguration a JSON list of protocol, port and net.
/// "none" is an empty list, which closes everything.
/// </summary>
internal sealed record FelixFailsafePorts : FelixType
{
    private protected override bool TryReadValue(string text, FelixSyntax syntax, out string value, out string expected)
    {
        (value, expected) = (text, "ports as tcp:22 or udp:10.0.0.0/8:53, with commas between them");
        if (syntax == FelixSyntax.Api)
        {
            return true;
        }

        JsonArray ports = [];
        foreach (string entry in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (!TryEntry(entry, out JsonObject? port))
            {
                return false;
            }

            ports.Add((JsonNode)port);
        }

        value = ports.ToJsonString();
        return true;
    }

    private protected override bool TryNothing(out string value)
    {
        value = "[]";
        return true;
    }

    private static bool TryEntry(string entry, out JsonObject port)
    {
        port = [];
        string protocol = "tcp";
        string rest = entry;
        foreach (string known in (ReadOnlySpan<string>)["tcp", "udp", "sctp"])
        {
            if (entry.StartsWith(known + ":", StringComparison.OrdinalIgnoreCase))
            {
                (protocol, rest) = (known, entry[(known.Length + 1)..]);
            }
        }

        int colon = rest.LastIndexOf(':');
        string net = colon < 0 ? string.Empty : rest[..colon].Trim('[', ']');
        if (!ushort.TryParse(rest.AsSpan(colon + 1), out ushort number) || number == 0)
        {
            return false;
        }

        port["protocol"] = protocol;
        port["port"] = number;
        if (net.Length > 0)
        {
            if (!IpPrefix.TryParseNet(net, out IpPrefix cidr))
            {
                return false;
            }

            port["net"] = cidr.ToString();
        }

        return true;
    }
}
