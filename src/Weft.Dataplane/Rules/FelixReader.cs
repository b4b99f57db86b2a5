using System.Text.Json;
using Weft.Model.Felix;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Rules;

/// <summary>Reads fields of FelixConfiguration as what they mean; a value that cannot be read is told, and what stands in its place holds.</summary>
/// <param name="config">What is configured.</param>
/// <param name="problems">Gets what cannot be read.</param>
internal sealed class FelixReader(ConfigUpdate config, List<string> problems)
{
    public TEnum Choice<TEnum>(string name, TEnum otherwise)
        where TEnum : struct, Enum =>
        Find(name) is not { } text ? otherwise : Enum.TryParse(text, ignoreCase: true, out TEnum value) && Enum.IsDefined(value) ? value : Bad(name, text, otherwise);

    public bool Flag(string name, bool otherwise) =>
        Find(name) is not { } text ? otherwise : bool.TryParse(text, out bool value) ? value : Bad(name, text, otherwise);

    public uint Number(string name, uint otherwise, uint least, uint most) =>
        Find(name) is not { } text ? otherwise : uint.TryParse(text, out uint value) && value >= least && value <= most ? value : Bad(name, text, otherwise);

    /// <summary>"90s", "1m30s"; zero for never.</summary>
    public TimeSpan Duration(string name, TimeSpan otherwise) =>
        Find(name) is not { } text ? otherwise : FelixType.TryDuration(text, out TimeSpan value) ? value : Bad(name, text, otherwise);

    /// <summary>The first of several fields that is set; the last one when none is.</summary>
    public string First(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (Find(name) is not null)
            {
                return name;
            }
        }

        return names[^1];
    }

    public ushort Port(string name, ushort otherwise) =>
        Find(name) is not { } text ? otherwise : ushort.TryParse(text, out ushort value) && value > 0 ? value : Bad(name, text, otherwise);

    public int Count(string name, int otherwise) =>
        Find(name) is not { } text ? otherwise : int.TryParse(text, out int value) && value > 0 ? value : Bad(name, text, otherwise);

    public string? Text(string name, string? otherwise) => Find(name) is { Length: > 0 } text ? text : otherwise;

    /// <summary>A number, also hexadecimal, of at least the bits that rules need.</summary>
    public uint Mask(string name, uint otherwise)
    {
        if (Find(name) is not { } text)
        {
            return otherwise;
        }

        bool ok = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? uint.TryParse(text.AsSpan(2), System.Globalization.NumberStyles.HexNumber, null, out uint mask)
            : uint.TryParse(text, out mask);
        return ok && MarkBits.ProblemOf(mask) is null ? mask : Bad(name, ok ? $"{text}: {MarkBits.ProblemOf(mask)}" : text, otherwise);
    }

    public IpAddress Address(string name, IpFamily family, IpAddress otherwise) =>
        Find(name) is not { } text ? otherwise : IpAddress.TryParse(text, out IpAddress address) && address.Family == family ? address : Bad(name, text, otherwise);

    /// <summary>"10/second".</summary>
    public string? Rate(string name, string? otherwise) =>
        Find(name) is not { Length: > 0 } text ? otherwise : Rates.TryParse(text, out _, out _) ? text : Bad(name, text, otherwise);

    /// <summary>["10.0.0.0/8"], or the same with commas.</summary>
    public IReadOnlyList<IpPrefix> Nets(string name, IReadOnlyList<IpPrefix> otherwise)
    {
        if (Find(name) is not { } text)
        {
            return otherwise;
        }

        List<IpPrefix> nets = [];
        foreach (string part in text.Split(['[', ']', '"', ',', ' '], StringSplitOptions.RemoveEmptyEntries))
        {
            if (!IpPrefix.TryParseNet(part, out IpPrefix net))
            {
                return Bad(name, text, otherwise);
            }

            nets.Add(net);
        }

        return nets;
    }

    /// <summary>"1024" or "1024:2048".</summary>
    public string? PortRange(string name, string? otherwise)
    {
        if (Find(name) is not { } text)
        {
            return otherwise;
        }

        string[] parts = text.Split(':');
        bool ok = parts.Length is 1 or 2 && parts.All(p => ushort.TryParse(p, out _)) && ushort.Parse(parts[0]) <= ushort.Parse(parts[^1]);
        return ok ? text : Bad(name, text, otherwise);
    }

    /// <summary>[{"protocol":"tcp","port":22,"net":"10.0.0.0/8"}]</summary>
    public IReadOnlyList<FailsafePort> Ports(string name, IReadOnlyList<FailsafePort> otherwise)
    {
        if (Find(name) is not { } text)
        {
            return otherwise;
        }

        try
        {
            using JsonDocument json = JsonDocument.Parse(text);
            List<FailsafePort> ports = [];
            foreach (JsonElement entry in json.RootElement.EnumerateArray())
            {
                string protocol = entry.TryGetProperty("protocol", out JsonElement p) ? p.GetString() ?? "tcp" : "tcp";
                byte number = protocol.ToLowerInvariant() switch { "tcp" => 6, "udp" => 17, "sctp" => 132, _ => throw new FormatException(protocol) };
                IpPrefix net = entry.TryGetProperty("net", out JsonElement n) && n.GetString() is { Length: > 0 } cidr ? IpPrefix.Parse(cidr) : default;
                ports.Add(new FailsafePort(number, entry.GetProperty("port").GetUInt16(), net));
            }

            return ports;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            return Bad(name, text, otherwise);
        }
    }

    private string? Find(string name) => config.Find(name);

    private T Bad<T>(string name, string text, T otherwise)
    {
        problems.Add($"{name}: \"{text}\" cannot be used");
        return otherwise;
    }
}
