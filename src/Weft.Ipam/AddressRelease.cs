using Weft.Primitives.Net;

namespace Weft.Ipam;

/// <summary>An address to release, with what the caller believes about it.</summary>
/// <param name="Address">The address.</param>
/// <param name="HandleId">Only if this handle holds it; null for whoever does.</param>
/// <param name="SequenceNumber">Only if it is still this allocation; null for whichever it is.</param>
public readonly record struct AddressRelease(IpAddress Address, string? HandleId = null, ulong? SequenceNumber = null);
