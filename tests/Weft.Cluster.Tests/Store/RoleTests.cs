using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Etcdserverpb;
using Google.Protobuf;
using Grpc.Core;
using Weft.Cluster.Tests.Store.Fixtures;
using Weft.Hosting;

namespace Weft.Cluster.Tests.Store;

public class RoleTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task ReadyIsToldToSystemd_WhenClientsCanConnect()
    {
        await using RunningStore store = await RunningStore.StartAsync(_scratch.File("s.db"));

        Assert.StartsWith("READY=1\nSTATUS=listening on 127.0.0.1:", store.Ready);
        Assert.Equal(2, await store.Channel.PutAsync("a", "1"));
    }

    [Fact]
    public async Task WrongSettings_AreAllNamed()
    {
        await using RunningStore store = RunningStore.Launch(_scratch.File("s.db"), ("listen", "localhost"), ("quota", "many"), ("cert-file", "/nowhere"));

        Assert.Equal(ExitStatus.Configuration, await store.Role);
    }

    [Fact]
    public async Task PortInUse_IsNamed()
    {
        await using RunningStore first = await RunningStore.StartAsync(_scratch.File("a.db"));
        await using RunningStore second = RunningStore.Launch(_scratch.File("b.db"), ("listen", first.EndPoint));

        Assert.Equal(ExitStatus.Failed, await second.Role.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Contains($"listen on {first.EndPoint}", second.Log);
    }

    [Fact]
    public async Task HealthAndVersion_AnswerOverPlainHttp_OnTheSamePort()
    {
        await using RunningStore store = await RunningStore.StartAsync(_scratch.File("s.db"));
        using HttpClient client = new();

        Assert.Equal("{\"health\":\"true\"}", await client.GetStringAsync($"http://{store.EndPoint}/health"));
        Assert.Equal("{\"etcdserver\":\"3.5.16\",\"etcdcluster\":\"3.5.0\"}", await client.GetStringAsync($"http://{store.EndPoint}/version"));
        string metrics = await client.GetStringAsync($"http://{store.EndPoint}/metrics");
        Assert.Matches(@"(?m)^etcd_debugging_mvcc_current_revision \d+$", metrics);
        Assert.Matches(@"(?m)^etcd_mvcc_db_total_size_in_bytes [1-9]\d+$", metrics);
        Assert.Equal(System.Net.HttpStatusCode.NotFound, (await client.GetAsync($"http://{store.EndPoint}/")).StatusCode);
    }

    [Fact]
    public async Task GarbageOnThePort_HurtsNobody()
    {
        await using RunningStore store = await RunningStore.StartAsync(_scratch.File("s.db"));
        Random random = new(1);
        for (int i = 0; i < 50; i++)
        {
            using TcpClient client = new();
            await client.ConnectAsync("127.0.0.1", int.Parse(store.EndPoint.Split(':')[1]));
            byte[] garbage = new byte[random.Next(1, 3000)];
            random.NextBytes(garbage);
            if (i % 2 == 0)
            {
                Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").AsSpan(0, Math.Min(24, garbage.Length)).CopyTo(garbage);
            }

            await client.GetStream().WriteAsync(garbage);
        }

        Assert.Equal(2, await store.Channel.PutAsync("a", "1"));
    }

    [Fact]
    public async Task UnknownMethods_AreUnimplemented_InGrpcsWords()
    {
        await using RunningStore store = await RunningStore.StartAsync(_scratch.File("s.db"));

        Assert.Equal("unknown method Nothing for service etcdserverpb.KV", await DetailAsync("etcdserverpb.KV", "Nothing"));
        Assert.Equal("unknown service v3lockpb.Lock", await DetailAsync("v3lockpb.Lock", "Lock"));

        async Task<string> DetailAsync(string service, string method)
        {
            Marshaller<byte[]> bytes = Marshallers.Create(static b => b, static b => b);
            Method<byte[], byte[]> call = new(MethodType.Unary, service, method, bytes, bytes);
            RpcException e = await Assert.ThrowsAsync<RpcException>(async () => await store.Channel.CreateCallInvoker().AsyncUnaryCall(call, null, default, []));
            Assert.Equal(StatusCode.Unimplemented, e.StatusCode);
            return e.Status.Detail;
        }
    }

    [Fact]
    public async Task LargeRequests_AreRefusedWithEtcdsWords_AndSmallerOnesPass()
    {
        await using RunningStore store = await RunningStore.StartAsync(_scratch.File("s.db"));

        Assert.Equal("InvalidArgument: etcdserver: request is too large", await PutAsync((3 << 19) + 1));
        Assert.StartsWith("ResourceExhausted: grpc: received message larger than max", await PutAsync(3 << 20));
        Assert.Equal("ok", await PutAsync((3 << 19) - 100));

        async Task<string> PutAsync(int length)
        {
            try
            {
                await store.Kv().PutAsync(new PutRequest { Key = Api.Bytes("k"), Value = ByteString.CopyFrom(new byte[length]) });
                return "ok";
            }
            catch (RpcException e)
            {
                return $"{e.StatusCode}: {e.Status.Detail}";
            }
        }
    }

    [Fact]
    public async Task Quota_RefusesWhatTakesSpace_UntilACompactionMakesRoom()
    {
        await using RunningStore store = await RunningStore.StartAsync(_scratch.File("s.db"), ("quota", "1MiB"));
        RpcException? refused = null;
        for (int i = 0; i < 40 && refused is null; i++)
        {
            try
            {
                await store.Channel.PutAsync("k", new string('x', 100_000));
            }
            catch (RpcException e)
            {
                refused = e;
            }
        }

        Assert.Equal((StatusCode.ResourceExhausted, "etcdserver: mvcc: database space exceeded"), (refused!.StatusCode, refused.Status.Detail));
        EtcdctlResult alarms = await Etcdctl.RunAsync(store.EndPoint, "alarm", "list");
        Assert.Contains("alarm:NOSPACE", alarms.Output);

        long revision = (await store.Kv().DeleteRangeAsync(new DeleteRangeRequest { Key = Api.Bytes("k") })).Header.Revision;
        await store.Kv().CompactAsync(new CompactionRequest { Revision = revision, Physical = true });

        Assert.Equal(revision + 1, await store.Channel.PutAsync("k", "room again"));
    }

    [Fact]
    public async Task OldHistory_IsGivenUp_ByAgeAndByNumber()
    {
        await using RunningStore byAge = await RunningStore.StartAsync(_scratch.File("a.db"), ("keep-history", "1s"));
        await using RunningStore byNumber = await RunningStore.StartAsync(_scratch.File("b.db"), ("keep-history", "9s"), ("keep-revisions", "5"));
        foreach (RunningStore store in (RunningStore[])[byAge, byNumber])
        {
            for (int i = 0; i < 10; i++)
            {
                await store.Channel.PutAsync("k", i.ToString());
            }
        }

        await UntilCompactedAsync(byAge, 10);
        await UntilCompactedAsync(byNumber, 5);
        Assert.Equal(1, (await byNumber.Channel.PrefixAsync("k", revision: 6)).Count);

        static async Task UntilCompactedAsync(RunningStore store, long revision)
        {
            for (int i = 0; i < 200; i++)
            {
                try
                {
                    await store.Channel.PrefixAsync("k", revision);
                }
                catch (RpcException e) when (e.StatusCode == StatusCode.OutOfRange)
                {
                    return;
                }

                await Task.Delay(50);
            }

            Assert.Fail($"revision {revision} is still there");
        }
    }

    [Fact]
    public async Task HundredThousandKeys_AreListedPagedAndDeleted_WithoutQuadraticWork()
    {
        const int Keys = 100_000;
        await using RunningStore store = await RunningStore.StartAsync(_scratch.File("s.db"));
        for (int i = 0; i < Keys; i += 100)
        {
            TxnRequest txn = new();
            txn.Success.AddRange(Enumerable.Range(i, 100).Select(n => new RequestOp { RequestPut = new PutRequest { Key = Api.Bytes($"k/{n:d6}"), Value = Api.Bytes("value") } }));
            await store.Kv().TxnAsync(txn);
        }

        long revision = (await store.Channel.PrefixAsync("k/")).Header.Revision;
        long start = TimeProvider.System.GetTimestamp();
        int paged = 0;
        for (ByteString next = Api.Bytes("k/"); !next.IsEmpty;)
        {
            RangeResponse page = await store.Kv().RangeAsync(new RangeRequest { Key = next, RangeEnd = Api.AfterPrefix("k/"), Limit = 500, Revision = revision });
            Assert.Equal(Keys - paged, page.Count);
            paged += page.Kvs.Count;
            next = page.More ? ByteString.CopyFrom([.. page.Kvs[^1].Key.Span, 0]) : ByteString.Empty;
            await store.Channel.PutAsync("k/000001", "changes while it is listed");
        }

        RangeResponse all = await store.Channel.PrefixAsync("k/");
        DeleteRangeResponse deleted = await store.Kv().DeleteRangeAsync(new DeleteRangeRequest { Key = Api.Bytes("k/"), RangeEnd = Api.AfterPrefix("k/") });

        Assert.Equal((Keys, Keys, Keys), (paged, all.Kvs.Count, (int)deleted.Deleted));
        Assert.Equal(Keys, (await store.Channel.PrefixAsync("k/", revision)).Count);
        Assert.InRange(TimeProvider.System.GetElapsedTime(start).TotalSeconds, 0, 30);
    }

    [Fact]
    public async Task LeaseExpiry_DeletesItsKeys_AtOneRevision_AndKeepAliveHoldsIt()
    {
        await using RunningStore store = await RunningStore.StartAsync(_scratch.File("s.db"));
        Lease.LeaseClient leases = new(store.Channel);
        await leases.LeaseGrantAsync(new LeaseGrantRequest { ID = 1, TTL = 2 });
        await leases.LeaseGrantAsync(new LeaseGrantRequest { ID = 2, TTL = 2 });
        await store.Channel.PutAsync("dies/b", "1", lease: 1);
        await store.Channel.PutAsync("dies/a", "1", lease: 1);
        long last = await store.Channel.PutAsync("lives", "1", lease: 2);
        using AsyncDuplexStreamingCall<LeaseKeepAliveRequest, LeaseKeepAliveResponse> alive = leases.LeaseKeepAlive();
        using AsyncDuplexStreamingCall<WatchRequest, WatchResponse> watch = new Watch.WatchClient(store.Channel).Watch();
        await watch.RequestStream.WriteAsync(Api.WatchPrefix("dies/"));
        await watch.NextAsync();

        using CancellationTokenSource done = new();
        Task keeping = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                await alive.RequestStream.WriteAsync(new LeaseKeepAliveRequest { ID = 2 });
                await alive.ResponseStream.MoveNext(CancellationToken.None);
                await Task.Delay(300);
            }
        });
        WatchResponse died = await watch.NextAsync();
        await Task.Delay(1000);
        await done.CancelAsync();
        await keeping;

        Assert.Equal([("dies/a", last + 1), ("dies/b", last + 1)], died.Events.Select(e => (e.Kv.Key.ToStringUtf8(), e.Kv.ModRevision)));
        Assert.Equal(1, (await store.Channel.PrefixAsync("lives")).Count);
        Assert.Equal(-1, (await leases.LeaseTimeToLiveAsync(new LeaseTimeToLiveRequest { ID = 1 })).TTL);
        Assert.InRange((await leases.LeaseTimeToLiveAsync(new LeaseTimeToLiveRequest { ID = 2 })).TTL, 0, 2);
    }

    [Fact]
    public async Task Leases_SurviveARestart_WithTheirKeys()
    {
        await using (RunningStore store = await RunningStore.StartAsync(_scratch.File("s.db")))
        {
            await new Lease.LeaseClient(store.Channel).LeaseGrantAsync(new LeaseGrantRequest { ID = 5, TTL = 3 });
            await store.Channel.PutAsync("k", "1", lease: 5);
        }

        await using RunningStore again = await RunningStore.StartAsync(_scratch.File("s.db"));
        LeaseTimeToLiveResponse lease = await new Lease.LeaseClient(again.Channel).LeaseTimeToLiveAsync(new LeaseTimeToLiveRequest { ID = 5, Keys = true });

        Assert.Equal((3L, "k"), (lease.GrantedTTL, Assert.Single(lease.Keys).ToStringUtf8()));
        for (int i = 0; (await again.Channel.PrefixAsync("k")).Count > 0; i++)
        {
            Assert.True(i < 100, "the lease did not expire after the restart");
            await Task.Delay(100);
        }
    }

    [Fact]
    public async Task Tls_AdmitsTheHoldersOfAClientCertificate_AndNobodyElse()
    {
        (string ca, string serverCert, string serverKey) = Issue("server");
        await using RunningStore store = await RunningStore.StartAsync(
            _scratch.File("s.db"), ("cert-file", serverCert), ("key-file", serverKey), ("client-ca-file", ca));
        (string otherCa, string strangerCert, string strangerKey) = Issue("stranger");
        string url = $"https://{store.EndPoint}";

        EtcdctlResult member = await Etcdctl.RunAsync(url, "--cacert", ca, "--cert", serverCert, "--key", serverKey, "put", "a", "1");
        EtcdctlResult anonymous = await Etcdctl.RunAsync(url, "--cacert", ca, "--dial-timeout=2s", "--command-timeout=3s", "get", "a");
        EtcdctlResult stranger = await Etcdctl.RunAsync(url, "--cacert", ca, "--cert", strangerCert, "--key", strangerKey, "--dial-timeout=2s", "--command-timeout=3s", "get", "a");

        Assert.Equal((0, "OK\n"), (member.ExitCode, member.Output));
        Assert.NotEqual(0, anonymous.ExitCode);
        Assert.NotEqual(0, stranger.ExitCode);
        Assert.NotEqual(ca, otherCa);
    }

    /// <summary>An authority of its own, and a certificate by it for 127.0.0.1 that serves both sides.</summary>
    private (string Ca, string Cert, string Key) Issue(string name)
    {
        using ECDsa caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest caRequest = new($"CN={name} authority", caKey, HashAlgorithmName.SHA256);
        caRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        DateTimeOffset from = DateTimeOffset.UtcNow.AddMinutes(-5);
        using X509Certificate2 authority = caRequest.CreateSelfSigned(from, from.AddDays(1));
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 certificate = request.Create(authority, from, from.AddHours(23), [1, 2, 3, (byte)name.Length]);
        (string ca, string cert, string keyFile) = (_scratch.File($"{name}-ca.pem"), _scratch.File($"{name}.pem"), _scratch.File($"{name}.key"));
        File.WriteAllText(ca, authority.ExportCertificatePem());
        File.WriteAllText(cert, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        return (ca, cert, keyFile);
    }
}
