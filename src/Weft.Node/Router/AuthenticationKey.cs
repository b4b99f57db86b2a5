using Weft.Hosting.Configuration;
using Weft.Linux.Sockets;

namespace Weft.Node.Router;

/// <summary>The TCP-AO key of a neighbour (RFC 5925). Comparable, so that a change is noticed; the key itself is never printed.</summary>
internal sealed record AuthenticationKey(Secret Key, byte SendId, byte ReceiveId, TcpAoAlgorithm Algorithm)
{
    /// <summary>Why a session with such a key does not come up here.</summary>
    public const string Unsupported = "this kernel has no TCP-AO (RFC 5925): it takes Linux 6.7 or newer, built with CONFIG_TCP_AO; the session stays down rather than run without";

    private const string Section = "neighbor:*";

    public static readonly Setting<string> KeyFileSetting = Setting.Text(Section, "ao-key-file", "",
        "TCP-AO (RFC 5925) instead of a password, where the kernel has it (Linux 6.7 or newer with CONFIG_TCP_AO): file that holds the key, 1 to 80 bytes; only its owner may read it.", "path");

    public static readonly Setting<long> SendIdSetting = Setting.Integer(Section, "ao-send-id", 1, 0, 255, "Number of the key in what we send (KeyID); the neighbour's receive id.");

    public static readonly Setting<long> ReceiveIdSetting = Setting.Integer(Section, "ao-receive-id", 1, 0, 255, "Number of the key in what the neighbour sends; the neighbour's send id.");

    public static readonly Setting<string> AlgorithmSetting = Setting.Choice(Section, "ao-algorithm", "hmac-sha1-96", ["hmac-sha1-96", "aes-128-cmac-96", "hmac-sha256-96"],
        "How segments are signed; the first two are those of RFC 5926, which every implementation has.");

    public static readonly IReadOnlyList<ISetting> All = [KeyFileSetting, SendIdSetting, ReceiveIdSetting, AlgorithmSetting];

    /// <summary>The keys of one section; null: no TCP-AO.</summary>
    /// <param name="name">Of the section.</param>
    /// <param name="hasPassword">The kernel takes one or the other.</param>
    public static AuthenticationKey? Read(SettingsReader reader, string name, bool hasPassword)
    {
        if (!reader.IsSet(KeyFileSetting, name))
        {
            return null;
        }

        if (hasPassword)
        {
            reader.Report(KeyFileSetting, "excludes a password: a connection is signed in one way", name);
        }

        if (!SecretFile.TryRead(reader.Get(KeyFileSetting, name), out Secret? secret, out string reason))
        {
            reader.Report(KeyFileSetting, reason, name);
            return null;
        }

        TcpAoAlgorithm algorithm = reader.Get(AlgorithmSetting, name) switch
        {
            "aes-128-cmac-96" => TcpAoAlgorithm.Aes128Cmac,
            "hmac-sha256-96" => TcpAoAlgorithm.HmacSha256,
            _ => TcpAoAlgorithm.HmacSha1,
        };
        return new AuthenticationKey(secret!, (byte)reader.Get(SendIdSetting, name), (byte)reader.Get(ReceiveIdSetting, name), algorithm);
    }

    /// <summary>For the socket option only.</summary>
    public TcpAoKey Reveal() => new(Key.Reveal(), SendId, ReceiveId, Algorithm);
}
