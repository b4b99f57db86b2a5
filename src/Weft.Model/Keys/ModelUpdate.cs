namespace Weft.Model.Keys;

/// <summary>
/// One change as it leaves a syncer: the key and its current value. Only the newest state of a key matters; the old one is never handed on.
/// </summary>
/// <param name="Key">The key.</param>
/// <param name="Value">
/// A <see cref="Resources.Resource"/> or one of the types of <c>Weft.Model.Ipam</c>; null when the key is absent or its value is not usable.
/// </param>
/// <param name="Revision">Modification revision in the datastore; 0 for a deletion whose revision is not known.</param>
/// <param name="Problem">Why a value that exists is not usable (JSON or validation error), or null.</param>
public readonly record struct ModelUpdate(ModelKey Key, object? Value, long Revision, string? Problem = null);
