namespace Weft.Node.Cni;

/// <summary>The versions of the CNI specification that weft speaks, oldest first.</summary>
internal static class CniVersions
{
    /// <summary>What a configuration without cniVersion means (specification 0.2.0; Calico's default).</summary>
    public const string Default = "0.2.0";

    /// <summary>The newest; used where no version was asked for.</summary>
    public const string Newest = "1.1.0";

    private static readonly string[] s_supported = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", Newest];

    public static IReadOnlyList<string> Supported => s_supported;

    /// <summary>The supported version that is written so, or null.</summary>
    public static string? Among(ReadOnlySpan<byte> utf8)
    {
        foreach (string version in s_supported)
        {
            if (System.Text.Ascii.Equals(utf8, version))
            {
                return version;
            }
        }

        return null;
    }

    public static bool IsSupported(string version) => Array.IndexOf(s_supported, version) >= 0;

    /// <summary>Both must be supported versions.</summary>
    public static bool AtLeast(string version, string floor) => Array.IndexOf(s_supported, version) >= Array.IndexOf(s_supported, floor);
}
