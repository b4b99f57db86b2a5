using Microsoft.Extensions.Logging.Abstractions;
using Weft.Datastore.Etcd;
using Weft.Model.Keys;
using Weft.Testing.Datastore;
using static Weft.Datastore.Tests.Values;

namespace Weft.Datastore.Tests.Etcd;

public sealed class EtcdSecurityTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tls_ServesWithClientCertificate_AndNotWithoutOrWithAnotherAuthority()
    {
        using TestCertificates certificates = await TestCertificates.MakeAsync();
        using TestCertificates others = await TestCertificates.MakeAsync();
        await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd, certificates);
        await using EtcdDatastore store = server.Connect();
        await using EtcdDatastore anonymous = Connect(server.Settings with { CertFile = null, KeyFile = null });
        await using EtcdDatastore distrusting = Connect(server.Settings with { CaFile = others.CaFile });
        await using EtcdDatastore fileless = Connect(server.Settings with { CaFile = "/nonexistent/ca.pem" });

        WriteResult written = await store.CreateAsync(Key("a"), Set("a"), Stop);

        Assert.True(written.IsWritten);
        await Assert.ThrowsAsync<DatastoreException>(async () => await anonymous.GetAsync(Key("a"), Stop));
        DatastoreException untrusted = await Assert.ThrowsAsync<DatastoreException>(async () => await distrusting.GetAsync(Key("a"), Stop));
        Assert.Contains("certificate", untrusted.Message, StringComparison.OrdinalIgnoreCase);
        DatastoreException missing = await Assert.ThrowsAsync<DatastoreException>(async () => await fileless.GetAsync(Key("a"), Stop));
        Assert.Contains("ca-file /nonexistent/ca.pem", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Users_LogIn_AndAgainAfterTheServerForgotTheToken()
    {
        await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
        await EnableUsersAsync(server);
        await using TestFile password = new("secret\n");
        await using TestFile wrong = new("wrong\n");
        await using EtcdDatastore store = Connect(server.Settings with { Username = "weft", PasswordFile = password.Path });
        await using EtcdDatastore intruder = Connect(server.Settings with { Username = "weft", PasswordFile = wrong.Path });

        WriteResult before = await store.ApplyAsync(Key("a"), Set("a"), null, Stop);
        await server.KillAsync();
        await server.StartAgainAsync();
        WriteResult after = await store.UpdateAsync(Key("a"), Set("a", "10.9.0.0/16"), before.Revision, Stop);
        await server.ControlAsync("--user", "root:root", "role", "grant-permission", "weft", "readwrite", "/other/", "/other0");
        WriteResult usersChanged = await store.UpdateAsync(Key("a"), Set("a", "10.9.0.0/16"), after.Revision, Stop);

        Assert.True(after.IsWritten);
        Assert.True(usersChanged.IsWritten);
        DatastoreException refused = await Assert.ThrowsAsync<DatastoreException>(async () => await intruder.GetAsync(Key("a"), Stop));
        Assert.Contains("log in at", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UserNameWithoutAuthentication_IsNotNeeded()
    {
        await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
        await using TestFile password = new("secret");
        await using EtcdDatastore store = Connect(server.Settings with { Username = "weft", PasswordFile = password.Path });

        WriteResult written = await store.CreateAsync(Key("a"), Set("a"), Stop);

        Assert.True(written.IsWritten);
    }

    [Fact]
    public async Task RefusedWatch_IsReported_AndTriedAgain()
    {
        await using TestServer server = await TestServer.StartAsync(ServerKind.Etcd);
        await EnableUsersAsync(server);
        await using TestFile password = new("secret");
        await using EtcdDatastore store = Connect(server.Settings with { Username = "weft", PasswordFile = password.Path });
        ModelPrefix forbidden = new("/forbidden/");

        await using IAsyncEnumerator<WatchBatch> watch = store.WatchAsync(forbidden, new Revision(0), Stop).GetAsyncEnumerator(Stop);
        await watch.MoveNextAsync();
        string? first = watch.Current.Trouble;
        await server.ControlAsync("--user", "root:root", "role", "grant-permission", "weft", "readwrite", "/forbidden/", "/forbidden0");
        while (watch.Current.Trouble is not null)
        {
            await watch.MoveNextAsync();
        }

        Assert.Contains("refused", first, StringComparison.Ordinal);
    }

    private static async Task EnableUsersAsync(TestServer server)
    {
        await server.ControlAsync("user", "add", "root:root");
        await server.ControlAsync("user", "grant-role", "root", "root");
        await server.ControlAsync("role", "add", "weft");
        await server.ControlAsync("role", "grant-permission", "weft", "readwrite", "/calico/", "/calico0");
        await server.ControlAsync("user", "add", "weft:secret");
        await server.ControlAsync("user", "grant-role", "weft", "weft");
        await server.ControlAsync("auth", "enable");
    }

    private static EtcdDatastore Connect(DatastoreSettings settings) => EtcdDatastore.Connect(settings, NullLoggerFactory.Instance, TimeProvider.System);

    private sealed class TestFile : IAsyncDisposable
    {
        public TestFile(string content) => File.WriteAllText(Path, content);

        public string Path { get; } = System.IO.Path.GetTempFileName();

        public ValueTask DisposeAsync()
        {
            File.Delete(Path);
            return ValueTask.CompletedTask;
        }
    }
}
