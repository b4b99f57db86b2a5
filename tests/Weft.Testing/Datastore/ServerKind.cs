namespace Weft.Testing.Datastore;

/// <summary>Who serves etcd's API. Every rule of the client is checked against each.</summary>
public enum ServerKind : byte
{
    /// <summary>The distribution's etcd (3.4 on Debian).</summary>
    Etcd,

    /// <summary>`weft store` of the executable under test.</summary>
    WeftStore,
}
