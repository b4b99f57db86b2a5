using System.Globalization;
using System.Text.Json.Serialization;
using Weft.Model.Json;

namespace Weft.Model.Resources;

/// <summary>
/// The protocol of a rule or port: a number or one of TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite. In JSON an integer or the name as written there.
/// </summary>
[JsonConverter(typeof(ProtocolConverter))]
public readonly record struct Protocol
{
    private static readonly (string Name, byte Number)[] s_names =
        [("TCP", 6), ("UDP", 17), ("ICMP", 1), ("ICMPv6", 58), ("SCTP", 132), ("UDPLite", 136)];

    private Protocol(byte number, string? name)
    {
        (Number, Name) = (number, name);
    }

    /// <summary>IP protocol number; 0 for a default value and for an unknown name.</summary>
    public byte Number { get; }

    /// <summary>The name as written, or null when a number was written.</summary>
    public string? Name { get; }

    public static Protocol Tcp => new(6, "TCP");

    public static Protocol Udp => new(17, "UDP");

    public static Protocol Sctp => new(132, "SCTP");

    public static Protocol Icmp => new(1, "ICMP");

    public static Protocol IcmpV6 => new(58, "ICMPv6");

    /// <summary>TCP, UDP and SCTP carry ports.</summary>
    public bool SupportsPorts => Number is 6 or 17 or 132;

    public static Protocol FromNumber(byte number) => new(number, null);

    /// <summary>Digits become a number; any other text a name (any case), whose <see cref="Number"/> is 0 when it is unknown.</summary>
    public static Protocol FromText(string text)
    {
        if (byte.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out byte number))
        {
            return FromNumber(number);
        }

        foreach ((string name, byte known) in s_names)
        {
            if (name.Equals(text, StringComparison.OrdinalIgnoreCase))
            {
                return new Protocol(known, text);
            }
        }

        return new Protocol(0, text);
    }

    /// <summary>The name of a number; null for one without.</summary>
    public static string? NameOf(byte number) => Array.Find(s_names, known => known.Number == number).Name;

    public override string ToString() => Name ?? Number.ToString(CultureInfo.InvariantCulture);
}
