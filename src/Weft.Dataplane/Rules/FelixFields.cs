using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Rules;

/// <summary>The fields of FelixConfiguration that change how rules are rendered. The node's own object wins over the global one; a value that cannot be read is left out and told.</summary>
internal static class FelixFields
{
    public static RuleSettings Overlay(RuleSettings settings, ConfigUpdate config, List<string> problems)
    {
        Reader read = new(config, problems);
        return settings with
        {
            EndpointToHost = read.Choice("defaultEndpointToHostAction", settings.EndpointToHost),
            Deny = read.Choice("iptablesFilterDenyAction", settings.Deny),
            DropInvalid = !read.Flag("disableConntrackInvalidCheck", !settings.DropInvalid),
            AllowVxlanFromWorkloads = read.Flag("allowVXLANPacketsFromWorkloads", settings.AllowVxlanFromWorkloads),
            AllowIpipFromWorkloads = read.Flag("allowIPIPPacketsFromWorkloads", settings.AllowIpipFromWorkloads),
            VxlanPort = read.Port("vxlanPort", settings.VxlanPort),
            FilterAllow = read.Choice("iptablesFilterAllowAction", settings.FilterAllow),
            MangleAllow = read.Choice("iptablesMangleAllowAction", settings.MangleAllow),
            MarkMask = read.Mask("iptablesMarkMask", settings.MarkMask),
            ServiceLoop = read.Choice("serviceLoopPrevention", settings.ServiceLoop),
            ExternalNodes = read.Nets("externalNodesList", settings.ExternalNodes),
            LogPrefix = read.Text("logPrefix", settings.LogPrefix)!,
            LogRate = read.Rate("logActionRateLimit", settings.LogRate),
            LogBurst = read.Count("logActionRateLimitBurst", settings.LogBurst),
            NatAddress = read.Address("natOutgoingAddress", settings.NatAddress),
            NatInterface = read.Text("iptablesNATOutgoingInterfaceFilter", settings.NatInterface),
            MaxSetSize = read.Count("maxIpsetSize", settings.MaxSetSize),
            Tunnels = new TunnelSettings
            {
                Vni = read.Number("vxlanVNI", settings.Tunnels.Vni, 1, 0xFFFFFF),
                VxlanMtu = (int)read.Number("vxlanMTU", (uint)settings.Tunnels.VxlanMtu, 0, ushort.MaxValue),
                VxlanMtuV6 = (int)read.Number("vxlanMTUV6", (uint)settings.Tunnels.VxlanMtuV6, 0, ushort.MaxValue),
                IpipMtu = (int)read.Number("ipipMTU", (uint)settings.Tunnels.IpipMtu, 0, ushort.MaxValue),
            },
            NatPortRange = read.PortRange("natPortRange", settings.NatPortRange),
            NatExcludesHosts = read.Choice("natOutgoingExclusions", settings.NatExcludesHosts ? NatExclusions.IPPoolsAndHostIPs : NatExclusions.IPPoolsOnly)
                == NatExclusions.IPPoolsAndHostIPs,
            FailsafeInbound = read.Ports("failsafeInboundHostPorts", settings.FailsafeInbound),
            FailsafeOutbound = read.Ports("failsafeOutboundHostPorts", settings.FailsafeOutbound),
        };
    }

    /// <summary>The fields that <see cref="Overlay"/> reads: those whose standing in felix.parameters is "rules".</summary>
    public static IReadOnlySet<string> Names()
    {
        Recorder recorder = new();
        Overlay(new RuleSettings(), new ConfigUpdate(recorder, recorder), []);
        return recorder.Asked;
    }

    /// <summary>Has nothing, and remembers what it was asked for.</summary>
    private sealed class Recorder : Dictionary<string, string>, IReadOnlyDictionary<string, string>
    {
        public HashSet<string> Asked { get; } = new(StringComparer.Ordinal);

        bool IReadOnlyDictionary<string, string>.TryGetValue(string key, [MaybeNullWhen(false)] out string value)
        {
            Asked.Add(key);
            value = null;
            return false;
        }
    }

    private enum NatExclusions
    {
        IPPoolsOnly,
        IPPoolsAndHostIPs,
    }

    private sealed class Reader(ConfigUpdate config, List<string> problems)
    {
        public TEnum Choice<TEnum>(string name, TEnum otherwise)
            where TEnum : struct, Enum =>
            Find(name) is not { } text ? otherwise : Enum.TryParse(text, ignoreCase: true, out TEnum value) && Enum.IsDefined(value) ? value : Bad(name, text, otherwise);

        public bool Flag(string name, bool otherwise) =>
            Find(name) is not { } text ? otherwise : bool.TryParse(text, out bool value) ? value : Bad(name, text, otherwise);

        public uint Number(string name, uint otherwise, uint least, uint most) =>
            Find(name) is not { } text ? otherwise : uint.TryParse(text, out uint value) && value >= least && value <= most ? value : Bad(name, text, otherwise);

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

        public IpAddress Address(string name, IpAddress otherwise) =>
            Find(name) is not { } text ? otherwise : IpAddress.TryParse(text, out IpAddress address) ? address : Bad(name, text, otherwise);

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
}
