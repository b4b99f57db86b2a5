using System.Collections;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Weft.Cluster.Store;
using Weft.Hosting;
using Weft.Hosting.Configuration;
using Weft.Hosting.Logging;
using Weft.Hosting.Systemd;

namespace Weft.Cluster.Tests.Store.Fixtures;

/// <summary>The real role, in this process, on a port of its own. It is up when it has told so to a real notification socket.</summary>
internal sealed class RunningStore : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly MemoryStream _log = new();
    private readonly Socket _notifications;
    private readonly SystemdNotifier _notifier;
    private readonly string _socketPath;
    private Task<ExitStatus>? _role;
    private GrpcChannel? _channel;

    private RunningStore(string data)
    {
        Data = data;
        _socketPath = Path.Combine(Path.GetTempPath(), $"weft-notify-{Guid.NewGuid():N}");
        _notifications = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        _notifications.Bind(new UnixDomainSocketEndPoint(_socketPath));
        _notifier = SystemdNotifier.Create(_socketPath, null);
    }

    public string Data { get; }

    public string EndPoint { get; } = $"127.0.0.1:{Scratch.FreePort()}";

    public string Log => Encoding.UTF8.GetString(_log.ToArray());

    public Task<ExitStatus> Role => _role!;

    /// <summary>What the role told systemd so far, READY first.</summary>
    public string Ready { get; private set; } = string.Empty;

    public GrpcChannel Channel => _channel ??= GrpcChannel.ForAddress($"http://{EndPoint}", new GrpcChannelOptions { MaxReceiveMessageSize = null, MaxSendMessageSize = null });

    public static async Task<RunningStore> StartAsync(string data, params (string Key, string Value)[] settings)
    {
        RunningStore store = Launch(data, settings);
        byte[] buffer = new byte[1024];
        Task<int> ready = store._notifications.ReceiveAsync(buffer);
        if (await Task.WhenAny(ready, store.Role).WaitAsync(TimeSpan.FromSeconds(30)) != ready)
        {
            string log = store.Log;
            throw new InvalidOperationException($"the store ended with {await store.Role}: {log}");
        }

        store.Ready = Encoding.UTF8.GetString(buffer, 0, await ready);
        return store;
    }

    /// <summary>Starts the role without waiting: for those that are expected to end by themselves.</summary>
    public static RunningStore Launch(string data, params (string Key, string Value)[] settings)
    {
        RunningStore store = new(data);
        (string, string, string)[] arguments = [("store", "listen", store.EndPoint), ("store", "data", data), .. settings.Select(s => ("store", s.Key, s.Value))];
        RoleContext context = new()
        {
            Settings = SettingsReader.Load(null, new Hashtable(), arguments),
            Logs = new ConsoleLogs(Stream.Synchronized(store._log), LogLevel.Debug, journal: false, TimeProvider.System),
            Systemd = store._notifier,
        };
        store._role = Task.Run(() => new StoreRole().RunAsync(context, store._stop.Token));
        return store;
    }

    public async Task<ExitStatus> StopAsync()
    {
        await _stop.CancelAsync();
        return await Role.WaitAsync(TimeSpan.FromSeconds(10));
    }

    public async ValueTask DisposeAsync()
    {
        _channel?.Dispose();
        await StopAsync();
        _stop.Dispose();
        _notifier.Dispose();
        _notifications.Dispose();
        File.Delete(_socketPath);
    }
}
