using Weft.Dataplane.Drivers.IpSets;

namespace Weft.Dataplane.Drivers;

/// <summary>The sets of one address family, whichever backend writes them.</summary>
public interface IIpSetFamily
{
    /// <summary>
    /// Sets, by id, with more members than the kernel would take. They are not written, so what the kernel has is old: rules that ask them must not be used.
    /// </summary>
    IReadOnlyDictionary<string, int> TooLarge { get; }

    /// <summary>The set's name in rules.</summary>
    string NameOf(string id);

    /// <summary>Defines or replaces a set. Members of the other family are left out.</summary>
    void AddOrReplace(IpSetMetadata metadata, IEnumerable<IpSetMember> members);

    /// <exception cref="InvalidOperationException">The set is not defined.</exception>
    void AddMembers(string id, IEnumerable<IpSetMember> members);

    /// <inheritdoc cref="AddMembers"/>
    void RemoveMembers(string id, IEnumerable<IpSetMember> members);

    /// <summary>Changes how many members the kernel would take.</summary>
    void Resize(string id, int maxElements);

    void Remove(string id);
}
