using System.Collections.Immutable;
using Weft.Primitives.Net;

namespace Weft.Bgp.Policies;

/// <summary>Where a route comes from.</summary>
[Flags]
public enum RouteSources : byte
{
    None = 0,

    /// <summary>Learnt over an external session.</summary>
    External = 1,

    /// <summary>Learnt over an internal session.</summary>
    Internal = 2,

    /// <summary>Our own, from the settings or the cluster's resources.</summary>
    Static = 4,

    /// <summary>Our own, taken over from the kernel's table.</summary>
    Kernel = 8,

    /// <summary>Learnt from a peer.</summary>
    Bgp = External | Internal,

    /// <summary>Originated by this speaker.</summary>
    Local = Static | Kernel,
}

/// <summary>Which kind of session the route crosses: on import the one it came by, on export the one it leaves by.</summary>
public enum PeerTypeMatch : byte
{
    External = 1,
    Internal = 2,
}

/// <summary>A number of the route that conditions compare.</summary>
public enum RouteNumber : byte
{
    /// <summary>LOCAL_PREF; the speaker's default when the route has none.</summary>
    LocalPreference,

    /// <summary>MED; 0 when the route has none, as in the decision.</summary>
    Med,

    /// <summary>ASes in the path, a set counted as one.</summary>
    PathLength,

    /// <summary>The last AS. Never equal to anything for a path that ends in a set; our own AS for an empty path.</summary>
    OriginAs,

    /// <summary>The AS the route was heard from; 0 for a path that is empty or begins with a set.</summary>
    FirstAs,

    /// <summary>Some AS of the path.</summary>
    AnyAs,

    /// <summary>The value an import rule gave; 0 else.</summary>
    Weight,
}

/// <summary>A set of prefixes: those inside <paramref name="Prefix"/> whose length lies in the range; or, negated, all others.</summary>
/// <param name="Prefix">Family and network; a route of the other family never matches, negated or not.</param>
/// <param name="MinimumLength">At least this long; normally the length of <paramref name="Prefix"/>.</param>
/// <param name="MaximumLength">At most this long.</param>
/// <param name="Negated">Matches what the rest does not.</param>
public readonly record struct PrefixMatch(IpPrefix Prefix, int MinimumLength, int MaximumLength, bool Negated = false)
{
    /// <summary>Exactly this prefix.</summary>
    public static PrefixMatch Exactly(IpPrefix prefix) => new(prefix, prefix.Length, prefix.Length);

    /// <summary>This prefix and everything inside it.</summary>
    public static PrefixMatch Inside(IpPrefix prefix) => new(prefix, prefix.Length, prefix.Address.BitLength);

    internal bool Matches(in IpPrefix route) =>
        route.Family == Prefix.Family
        && (route.Length >= MinimumLength && route.Length <= MaximumLength && Prefix.Contains(route)) != Negated;

    public override string ToString()
    {
        string range = MinimumLength == Prefix.Length && MaximumLength == Prefix.Length ? ""
            : MinimumLength == Prefix.Length && MaximumLength == Prefix.Address.BitLength ? "+"
            : $"{{{MinimumLength},{MaximumLength}}}";
        return $"{(Negated ? "!" : "")}{Prefix}{range}";
    }
}

/// <summary>
/// One thing a rule asks of a route. Compared by value, so that a policy read again from an unchanged file is the same policy. The text is that of the settings file.
/// </summary>
public abstract record PolicyCondition
{
    /// <summary>Holds for what the rest does not describe.</summary>
    public bool Negated { get; init; }

    public sealed override string ToString() => $"{(Negated ? "not " : "")}{Text}";

    private protected abstract string Text { get; }

    /// <summary>The route's prefix is one of these.</summary>
    public sealed record Prefix(ImmutableArray<PrefixMatch> Matches) : PolicyCondition
    {
        private protected override string Text => $"prefix {Abbreviated(Matches)}";

        public bool Equals(Prefix? other) => base.Equals(other) && Matches.SequenceEqual(other.Matches);

        public override int GetHashCode() => HashCode.Combine(Negated, Matches.Length, Matches.FirstOrDefault());
    }

    /// <summary>The route carries a community that fits one of these.</summary>
    public sealed record Community(ImmutableArray<CommunityPattern> Patterns) : PolicyCondition
    {
        private protected override string Text => $"community {Abbreviated(Patterns)}";

        public bool Equals(Community? other) => base.Equals(other) && Patterns.SequenceEqual(other.Patterns);

        public override int GetHashCode() => HashCode.Combine(Negated, Patterns.Length, Patterns.FirstOrDefault());
    }

    /// <summary>The AS path fits the regular expression.</summary>
    public sealed record AsPath(AsPathPattern Pattern) : PolicyCondition
    {
        private protected override string Text => $"as-path \"{Pattern.Text}\"";
    }

    /// <summary>A number lies in one of the ranges.</summary>
    public sealed record Number(RouteNumber Of, ImmutableArray<NumberRange> Ranges) : PolicyCondition
    {
        private protected override string Text => $"{Name(Of)} {Abbreviated(Ranges)}";

        public bool Equals(Number? other) => base.Equals(other) && Of == other.Of && Ranges.SequenceEqual(other.Ranges);

        public override int GetHashCode() => HashCode.Combine(Negated, Of, Ranges.Length, Ranges.FirstOrDefault());
    }

    /// <summary>The next hop lies in one of the prefixes. A route of our own that leaves with our address has none.</summary>
    public sealed record NextHop(ImmutableArray<IpPrefix> Prefixes) : PolicyCondition
    {
        private protected override string Text => $"next-hop {Abbreviated(Prefixes)}";

        public bool Equals(NextHop? other) => base.Equals(other) && Prefixes.SequenceEqual(other.Prefixes);

        public override int GetHashCode() => HashCode.Combine(Negated, Prefixes.Length, Prefixes.FirstOrDefault());
    }

    /// <summary>The route was learnt from one of these neighbours, by name or by address. A route of our own has none.</summary>
    public sealed record Peer(ImmutableArray<string> Names, ImmutableArray<IpPrefix> Addresses) : PolicyCondition
    {
        private protected override string Text => $"peer {string.Join(' ', Names.Concat(Addresses.Select(static a => a.ToString())))}";

        public bool Equals(Peer? other) => base.Equals(other) && Names.SequenceEqual(other.Names) && Addresses.SequenceEqual(other.Addresses);

        public override int GetHashCode() => HashCode.Combine(Negated, Names.Length, Addresses.Length);
    }

    /// <summary>Where the route comes from.</summary>
    public sealed record Source(RouteSources Sources) : PolicyCondition
    {
        private protected override string Text => $"source {Sources switch
        {
            RouteSources.Bgp => "bgp",
            RouteSources.Local => "local",
            _ => string.Join(' ', new[] { (RouteSources.External, "ebgp"), (RouteSources.Internal, "ibgp"), (RouteSources.Static, "static"), (RouteSources.Kernel, "kernel") }
                .Where(s => Sources.HasFlag(s.Item1)).Select(static s => s.Item2)),
        }}";
    }

    /// <summary>The kind of session the route crosses.</summary>
    public sealed record PeerType(PeerTypeMatch Type) : PolicyCondition
    {
        private protected override string Text => $"peer-type {(Type == PeerTypeMatch.External ? "ebgp" : "ibgp")}";
    }

    /// <summary>The link the route leads out by: that of its next hop, or of the kernel's route it was made from. * stands for any characters, ? for one.</summary>
    public sealed record Interface(ImmutableArray<string> Patterns) : PolicyCondition
    {
        private protected override string Text => $"interface {string.Join(' ', Patterns)}";

        public bool Equals(Interface? other) => base.Equals(other) && Patterns.SequenceEqual(other.Patterns);

        public override int GetHashCode() => HashCode.Combine(Negated, Patterns.Length, Patterns.FirstOrDefault());
    }

    public sealed record Family(IpFamily Of) : PolicyCondition
    {
        private protected override string Text => $"family {(Of == IpFamily.IPv4 ? "ipv4" : "ipv6")}";
    }

    /// <summary>RFC 6811.</summary>
    public sealed record Rpki(RpkiState State) : PolicyCondition
    {
        private protected override string Text => $"rpki {NameOf(State)}";
    }

    public sealed record Origin(RouteOrigin Is) : PolicyCondition
    {
        private protected override string Text => $"origin {NameOf(Is)}";
    }

    public static string NameOf(RpkiState state) => state switch { RpkiState.Valid => "valid", RpkiState.Invalid => "invalid", _ => "not-found" };

    internal static string NameOf(RouteOrigin origin) => origin switch { RouteOrigin.Igp => "igp", RouteOrigin.Egp => "egp", _ => "incomplete" };

    private static string Name(RouteNumber number) => number switch
    {
        RouteNumber.LocalPreference => "local-pref",
        RouteNumber.Med => "med",
        RouteNumber.PathLength => "path-length",
        RouteNumber.OriginAs => "origin-as",
        RouteNumber.FirstAs => "first-as",
        RouteNumber.AnyAs => "has-as",
        _ => "weight",
    };

    /// <summary>A set of thousands is not for reading.</summary>
    private static string Abbreviated<T>(ImmutableArray<T> items) =>
        string.Join(' ', items.Take(8)) + (items.Length > 8 ? $" ... ({items.Length} in all)" : string.Empty);
}
