namespace Weft.Node.Router;

/// <summary>A TCP MD5 password. Comparable, so that a change is noticed; never printed, so that no log or record shows it.</summary>
internal sealed class Secret(string value) : IEquatable<Secret>
{
    /// <summary>TCP_MD5SIG_MAXKEYLEN of linux/tcp.h, in bytes.</summary>
    public const int MaxBytes = 80;

    private readonly string _value = value;

    /// <summary>The password itself, for the socket option only.</summary>
    public string Reveal() => _value;

    public bool Equals(Secret? other) => other is not null && _value == other._value;

    public override bool Equals(object? obj) => Equals(obj as Secret);

    public override int GetHashCode() => _value.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => "(secret)";
}
