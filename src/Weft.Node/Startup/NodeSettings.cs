using Weft.Hosting.Configuration;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Startup;

/// <summary>How the address of one family is found (Calico's IP and IP6).</summary>
public enum AddressSource
{
    /// <summary>Detect only while the Node resource has none.</summary>
    KeepOrDetect,

    /// <summary>Detect at every start and every minute.</summary>
    Detect,

    /// <summary>Leave what the Node resource says.</summary>
    None,

    /// <summary>The address given.</summary>
    Given,
}

/// <summary>Address of a family as set.</summary>
/// <param name="Source">Where from.</param>
/// <param name="Address">For <see cref="AddressSource.Given"/>; a bare address has the full length until an interface tells another.</param>
/// <param name="HasLength">The length was given as well.</param>
public readonly record struct NodeAddressSetting(AddressSource Source, InterfaceAddress Address = default, bool HasLength = false);

/// <summary>Section [node]: who this machine is in the datastore. Read by the agent, which creates the Node resource.</summary>
public sealed record NodeSettings
{
    private const string Section = "node";

    internal static readonly Setting<string> NameSetting = Setting.Text(
        Section, "name", "", "Name of this node in the datastore; the host name in lower case when not set.");

    private static readonly Setting<NodeAddressSetting> IPv4Setting = Setting.Custom<NodeAddressSetting>(
        Section, "ipv4-address", "", "autodetect | none | address[/length]", (string text, out NodeAddressSetting value, out string reason) => ParseAddress(text, IpFamily.IPv4, out value, out reason),
        "IPv4 address of this node for BGP. Not set: detected once, while the Node resource has none.");

    private static readonly Setting<NodeAddressSetting> IPv6Setting = Setting.Custom<NodeAddressSetting>(
        Section, "ipv6-address", "none", "autodetect | none | address[/length]", (string text, out NodeAddressSetting value, out string reason) => ParseAddress(text, IpFamily.IPv6, out value, out reason),
        "IPv6 address of this node for BGP.");

    private static readonly Setting<AddressMethod> MethodSetting = Setting.Custom<AddressMethod>(
        Section, "interface-autodetection", "first-found", AddressMethod.Form, AddressMethod.TryParse,
        "How addresses are detected; interface names are regular expressions.");

    private static readonly Setting<AsNumber?> AsSetting = Setting.Custom<AsNumber?>(
        Section, "as-number", "", "AS number", (string text, out AsNumber? value, out string reason) =>
        {
            bool ok = Model.Resources.AsNumber.TryParse(text, out Model.Resources.AsNumber number);
            value = ok ? number : null;
            reason = "expected an AS number, plain or dotted";
            return ok || text.Length == 0;
        },
        "Autonomous system of this node, written into its Node resource; not set: what stands there, or the cluster's.");

    private static readonly Setting<string> NameFileSetting = Setting.Text(
        Section, "name-file", "", "Where the name is written for CNI plugins whose configuration does not say it, such as /var/lib/calico/nodename; empty for nowhere.", "path");

    public static IReadOnlyList<ISetting> Settings { get; } =
        [NameSetting, IPv4Setting, IPv6Setting, MethodSetting, AsSetting, .. DefaultPool.IPv4.Settings, .. DefaultPool.IPv6.Settings, NameFileSetting];

    public required string Name { get; init; }

    public NodeAddressSetting IPv4 { get; init; }

    public NodeAddressSetting IPv6 { get; init; }

    public required AddressMethod Method { get; init; }

    public AsNumber? AsNumber { get; init; }

    /// <summary>Created while no pool of the family exists; null for none.</summary>
    public DefaultPool? DefaultIPv4Pool { get; init; }

    /// <summary>Created while no pool of the family exists; null for none.</summary>
    public DefaultPool? DefaultIPv6Pool { get; init; }

    public string? NameFile { get; init; }

    /// <summary>Problems are left in the reader; the result is usable only when there are none.</summary>
    public static NodeSettings Parse(SettingsReader reader)
    {
        string name = NodeName(reader.Get(NameSetting));
        if (!IsNodeName(name))
        {
            reader.Report(NameSetting, $"\"{name}\": expected a DNS subdomain: letters in lower case, digits, '-' and '.', at most 253 characters");
        }

        return new NodeSettings
        {
            Name = name,
            IPv4 = reader.Get(IPv4Setting),
            IPv6 = reader.Get(IPv6Setting),
            Method = reader.Get(MethodSetting),
            AsNumber = reader.Get(AsSetting),
            DefaultIPv4Pool = DefaultPool.IPv4.Parse(reader),
            DefaultIPv6Pool = DefaultPool.IPv6.Parse(reader),
            NameFile = reader.Get(NameFileSetting) is { Length: > 0 } file ? file : null,
        };
    }

    /// <summary>The name that was set, as it stands, or the host's in lower case.</summary>
    public static string NodeName(string configured) =>
        configured.Trim() is { Length: > 0 } name ? name : System.Environment.MachineName.Trim().ToLowerInvariant();

    private static bool IsNodeName(string name) =>
        name.Length is > 0 and <= 253 && name.Split('.').All(label => label.Length > 0 && label[0] != '-' && label[^1] != '-'
            && label.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'));

    private static bool ParseAddress(string text, IpFamily family, out NodeAddressSetting value, out string reason)
    {
        reason = $"expected autodetect, none or an {family} address with or without a prefix length";
        value = text switch
        {
            "" => new NodeAddressSetting(AddressSource.KeepOrDetect),
            "autodetect" => new NodeAddressSetting(AddressSource.Detect),
            "none" => new NodeAddressSetting(AddressSource.None),
            _ when InterfaceAddress.TryParse(text, out InterfaceAddress full) => new NodeAddressSetting(AddressSource.Given, full, HasLength: true),
            _ when IpAddress.TryParse(text, out IpAddress bare) => new NodeAddressSetting(AddressSource.Given, new InterfaceAddress(bare, bare.BitLength)),
            _ => new NodeAddressSetting(AddressSource.Given),
        };
        return value.Source != AddressSource.Given || value.Address.Address.Family == family;
    }
}
