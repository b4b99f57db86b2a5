using System.Collections.Immutable;
using Weft.Primitives.Net;

namespace Weft.Node.Router;

/// <summary>What the router's loop lets others see; swapped whole.</summary>
internal sealed record RouterStatus
{
    public static readonly RouterStatus Starting = new();

    /// <summary>Null while the router waits for <see cref="Waiting"/>.</summary>
    public Weft.Bgp.BgpSpeaker? Speaker { get; init; }

    public string Waiting { get; init; } = "starting";

    public ImmutableArray<string> Listen { get; init; } = [];

    public ImmutableArray<string> Problems { get; init; } = [];

    public bool UsesDatastore { get; init; }

    /// <summary>Name of the <see cref="Weft.Datastore.Sync.SyncStatus"/>, and what goes with it.</summary>
    public string DatastoreStatus { get; init; } = string.Empty;

    public string DatastoreDetail { get; init; } = string.Empty;

    public DateTimeOffset DatastoreSince { get; init; }

    public DateTimeOffset StartedAt { get; init; }

    public bool IsSettled { get; init; }

    /// <summary>How far route selection has come after a start; empty once everything is settled.</summary>
    public ImmutableArray<Weft.Bgp.SelectionSnapshot> Selection { get; init; } = [];

    public int Originated { get; init; }

    public long Refused { get; init; }

    /// <summary>For route reflection; null while there is no speaker.</summary>
    public string? ClusterId { get; init; }

    /// <summary>Route origin authorizations in force; null: no file is named.</summary>
    public int? Authorizations { get; init; }

    /// <summary>Neighbours an operator took down, with the message given.</summary>
    public ImmutableSortedDictionary<string, string> Shutdown { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    public IpAddress RouterId => Speaker?.Options.RouterId ?? default;
}
