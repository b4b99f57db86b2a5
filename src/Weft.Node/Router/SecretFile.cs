using System.Text;

namespace Weft.Node.Router;

/// <summary>Reads a password from a file that nobody but its owner may read.</summary>
internal static class SecretFile
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <param name="path">The file; one trailing line end does not belong to the password.</param>
    /// <param name="secret">The password.</param>
    /// <param name="reason">What is wrong with the file, naming it; never its content.</param>
    public static bool TryRead(string path, out Secret? secret, out string reason)
    {
        secret = null;
        reason = string.Empty;
        if (path.Length == 0 || path.Contains('\0'))
        {
            reason = "not the name of a file";
            return false;
        }

        try
        {
            UnixFileMode mode = File.GetUnixFileMode(path);
            if ((mode & Others) != 0)
            {
                reason = $"{path}: mode {Convert.ToString((int)mode, 8)} lets others read or write it; expected 0600 or stricter";
                return false;
            }

            string text = File.ReadAllText(path);
            text = text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
            return TryCheck(text, out secret, out reason) || Named(path, ref reason);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reason = $"{path}: {e.Message}";
            return false;
        }
    }

    /// <summary>1 to 80 bytes of UTF-8 without a line end: what TCP_MD5SIG takes.</summary>
    public static bool TryCheck(string text, out Secret? secret, out string reason)
    {
        int bytes = Encoding.UTF8.GetByteCount(text);
        reason = bytes is 0 or > Secret.MaxBytes ? $"a password has 1 to {Secret.MaxBytes} bytes, not {bytes}"
            : text.AsSpan().ContainsAny('\n', '\0') ? "a password stands on one line"
            : string.Empty;
        secret = reason.Length == 0 ? new Secret(text) : null;
        return secret is not null;
    }

    private static bool Named(string path, ref string reason)
    {
        reason = $"{path}: {reason}";
        return false;
    }
}
