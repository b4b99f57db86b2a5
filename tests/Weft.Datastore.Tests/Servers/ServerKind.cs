namespace Weft.Datastore.Tests.Servers;

/// <summary>Who serves etcd's API. Every rule of the client is checked against each.</summary>
public enum ServerKind : byte
{
    /// <summary>Debian's etcd 3.4.</summary>
    Etcd,
}
