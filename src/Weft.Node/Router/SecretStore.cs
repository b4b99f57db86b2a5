namespace Weft.Node.Router;

/// <summary>
/// Passwords that resources refer to by name and key: files NAME/KEY under one folder, since there are no Kubernetes secrets here. Owned by the router's loop,
/// which asks from time to time whether a file has changed.
/// </summary>
internal sealed class SecretStore(string folder)
{
    private readonly Dictionary<string, Secret?> _known = new(StringComparer.Ordinal);

    /// <summary>Null when there is no such file, or it is not fit to be a password.</summary>
    /// <param name="name">"NAME/KEY", exactly one level: a name from the datastore must not lead out of the folder.</param>
    public Secret? Find(string name)
    {
        Secret? secret = Read(name);
        _known[name] = secret;
        return secret;
    }

    /// <summary>True when a file says something else than when it was last asked for. Files nobody names any more are forgotten.</summary>
    public bool HasChanged(IReadOnlySet<string> named)
    {
        foreach (string name in _known.Keys.Where(k => !named.Contains(k)).ToArray())
        {
            _known.Remove(name);
        }

        return _known.Any(k => !Equals(k.Value, Read(k.Key)));
    }

    private Secret? Read(string name)
    {
        string[] parts = name.Split('/');
        return parts.Length == 2 && parts.All(p => p.Length > 0 && p is not ("." or ".."))
            && SecretFile.TryRead(Path.Combine(folder, parts[0], parts[1]), out Secret? secret, out _) ? secret : null;
    }
}
