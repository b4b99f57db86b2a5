using System.Runtime.InteropServices;

namespace Weft.Datastore.Etcd;

/// <summary>
/// For processes that live for one datastore request (the CNI plugin without its agent). The first TLS use of a process reads every certificate of the
/// system, some 60 ms, even when only a private authority is trusted; OpenSSL's own variables turn that off.
/// </summary>
public static class TlsStartup
{
    /// <summary>
    /// Call before the first connection, and only in a process whose every TLS peer is checked against a `ca-file`: the system's authorities are not
    /// found after this. The environment is changed in libc, since the managed copy is not what OpenSSL reads.
    /// </summary>
    public static void SkipSystemAuthorities()
    {
        _ = SetEnvironment("SSL_CERT_DIR", "/nonexistent", overwrite: 1);
        _ = SetEnvironment("SSL_CERT_FILE", "/nonexistent", overwrite: 1);
    }

#pragma warning disable SYSLIB1054 // LibraryImport would need unsafe code in a project that has no other.
    [DllImport("libc", EntryPoint = "setenv", BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern int SetEnvironment([MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, int overwrite);
#pragma warning restore SYSLIB1054
}
