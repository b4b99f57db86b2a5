using Etcdserverpb;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Weft.Model.Keys;

namespace Weft.Datastore.Etcd;

/// <summary>
/// Changes of some ranges, each once and in order, over as many streams as it takes:
/// <code>
///   check history -> open stream -> create one watcher per range -> receive ... lost -> (wait) -> check history -> ...
/// </code>
/// Each watcher goes on after the last revision it has delivered, so a new stream has neither gap nor duplicate. Nothing is buffered here: a slow caller
/// fills the HTTP/2 window, and then etcd holds the events back. Used by one caller at a time.
/// </summary>
internal sealed class EtcdWatch : IAsyncDisposable
{
    // A quiet stream is asked for a sign of life. HTTP/2 pings notice a dead connection; this notices a server whose watches are stuck.
    private static readonly TimeSpan ProbeAfter = TimeSpan.FromSeconds(10);

    // A stream that lived shorter than this is not opened again at once.
    private static readonly TimeSpan Stable = TimeSpan.FromSeconds(5);

    private readonly EtcdConnection _connection;
    private readonly ILogger _logger;
    private readonly string _names;
    private readonly Watcher[] _watchers;
    private readonly StoreHistory _history;
    private readonly Backoff _backoff;

    private Stream? _stream;
    private bool _waitBeforeOpen;
    private string? _trouble;
    private bool _troubleTold;

    public EtcdWatch(EtcdConnection connection, IReadOnlyList<ModelPrefix> prefixes, Revision after, ILogger logger)
    {
        (_connection, _logger) = (connection, logger);
        _names = string.Join(", ", prefixes);
        _watchers = [.. prefixes.Select(p => new Watcher(KeyRange.Of(p), after.Value))];
        _history = new StoreHistory(connection, prefixes);
        _backoff = new Backoff(connection.Time);
    }

    private Revision Position => new(_watchers.Min(w => w.Position));

    /// <summary>The next changes, or news of trouble. Waits for as long as nothing happens.</summary>
    /// <exception cref="CompactedException">There is no next change to be had; list again.</exception>
    public async ValueTask<WatchBatch> NextAsync(CancellationToken stop)
    {
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            if (_stream is null && await OpenAsync(stop) is { } reason)
            {
                return Trouble(reason);
            }

            WatchResponse? response = await ReceiveAsync(stop);
            WatchBatch? batch = response is null ? null : Handle(response);
            if (_stream is { Lost: { } why } lost)
            {
                string trouble = await CloseAsync(lost, why);

                // A stream that never got as far as its watchers is no better than none.
                batch ??= lost.IsOpen ? null : Trouble(trouble);
            }
            else if (batch is null && _stream!.IsOpen && _trouble is not null)
            {
                batch = Recovered();
            }

            if (batch is not null)
            {
                return batch;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stream is { } stream)
        {
            _stream = null;
            await stream.DisposeAsync();
        }
    }

    /// <summary>Null when the stream is open and the watchers are asked for, else the reason.</summary>
    private async ValueTask<string?> OpenAsync(CancellationToken stop)
    {
        if (_waitBeforeOpen)
        {
            await _backoff.WaitAsync(stop);
        }

        _waitBeforeOpen = true;
        EtcdEndpoint endpoint = _connection.Current;
        Stream? stream = null;
        try
        {
            await _history.CheckAsync(Position, stop);
            endpoint = _connection.Current;
            using CancellationTokenSource late = new(_connection.RequestTimeout, _connection.Time);
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop, late.Token);
            Metadata headers = await _connection.HeadersAsync(endpoint, limit.Token);
            stream = new Stream(endpoint, headers, _connection.Time);
            foreach (Watcher watcher in _watchers)
            {
                watcher.Start();
                await stream.SendAsync(new WatchRequest { CreateRequest = watcher.Request() }, _connection.RequestTimeout, stop);
            }

            _stream = stream;
            return null;
        }
        catch (Exception e) when (e is RpcException or TimeoutException or OperationCanceledException or InvalidOperationException or IOException or (DatastoreException and not CompactedException))
        {
            if (stream is not null)
            {
                await stream.DisposeAsync();
            }

            stop.ThrowIfCancellationRequested();
            string reason = Reason(e);
            _connection.MoveOn(endpoint, reason);
            return e is DatastoreException ? reason : $"watch at {endpoint.Name}: {reason}";
        }
    }

    /// <summary>Null when the stream is lost (the stream says why) or when a probe was sent.</summary>
    private async ValueTask<WatchResponse?> ReceiveAsync(CancellationToken stop)
    {
        Stream stream = _stream!;
        TimeSpan patience = stream.IsOpen && !stream.Probing ? ProbeAfter : _connection.RequestTimeout;
        try
        {
            WatchResponse? response = await stream.ReceiveAsync(patience, stop);
            stream.Lost = response is null ? "the server ended the stream" : null;
            stream.Probing = false;
            return response;
        }
        catch (TimeoutException) when (stream.IsOpen && (!stream.Probing || !stream.AnswersProbes))
        {
            await ProbeAsync(stream, stop);
        }
        catch (TimeoutException)
        {
            stream.Lost = stream.IsOpen ? "no sign of life" : $"no answer within {_connection.RequestTimeout.TotalSeconds:0.###} s";
        }
        catch (Exception e) when (e is RpcException or IOException)
        {
            stop.ThrowIfCancellationRequested();
            if (e is RpcException refused && _connection.IsTokenRefused(refused))
            {
                _connection.ForgetToken();
            }

            stream.Lost = Reason(e);
        }

        return null;
    }

    private async ValueTask ProbeAsync(Stream stream, CancellationToken stop)
    {
        try
        {
            stream.Probing = true;
            await stream.SendAsync(new WatchRequest { ProgressRequest = new WatchProgressRequest() }, _connection.RequestTimeout, stop);
        }
        catch (Exception e) when (e is RpcException or TimeoutException or InvalidOperationException or IOException)
        {
            // IOException: the connection broke under the request, and the gRPC client hands that on as it is (a server that answers no ping).
            stop.ThrowIfCancellationRequested();
            stream.Lost = Reason(e);
        }
    }

    private WatchBatch? Handle(WatchResponse response)
    {
        Stream stream = _stream!;
        if (response.Canceled)
        {
            if (response.CompactRevision > 0)
            {
                throw new CompactedException(
                    $"{stream.Endpoint.Name}: changes after revision {Position} are gone, compacted up to {response.CompactRevision}", new Revision(response.CompactRevision));
            }

            // Also the answer to a token the server has forgotten, with nothing to tell it from a missing permission.
            _connection.ForgetToken();
            stream.Lost = $"watch {(response.Created ? "refused" : "cancelled")}: {(response.CancelReason.Length > 0 ? response.CancelReason : "no reason given")}";
            return null;
        }

        if (response.Created)
        {
            // Created in the order asked for.
            _watchers[stream.Created++].Id = response.WatchId;
            stream.IsOpen = stream.Created == _watchers.Length;
            return null;
        }

        if (response.WatchId < 0)
        {
            // The answer to a probe. Its revision is not used: before etcd 3.4.25 and 3.5.8 it may run ahead of events still to come.
            stream.AnswersProbes = true;
            return null;
        }

        return Array.Find(_watchers, w => w.Id == response.WatchId)?.Take(response, _history) is { } updates
            ? new WatchBatch(updates, Position)
            : null;
    }

    private async ValueTask<string> CloseAsync(Stream stream, string why)
    {
        _stream = null;
        await stream.DisposeAsync();
        bool stable = stream.IsOpen && stream.Age >= Stable;
        if (stable)
        {
            _backoff.Reset();
        }

        _waitBeforeOpen = !stable;
        _connection.MoveOn(stream.Endpoint, why);
        string trouble = $"watch at {stream.Endpoint.Name}: {why}";
        if (_trouble is null)
        {
            Log.WatchLost(_logger, _names, Position.Value, trouble);
        }

        _trouble = trouble;
        return trouble;
    }

    private WatchBatch Trouble(string reason)
    {
        if (_trouble != reason)
        {
            Log.WatchLost(_logger, _names, Position.Value, reason);
        }

        (_trouble, _troubleTold) = (reason, true);
        return new WatchBatch([], Position) { Trouble = reason };
    }

    private WatchBatch? Recovered()
    {
        Log.WatchResumed(_logger, _names, Position.Value, _stream!.Endpoint.Name);
        bool told = _troubleTold;
        (_trouble, _troubleTold) = (null, false);
        return told ? new WatchBatch([], Position) : null;
    }

    private static string Reason(Exception e) => e switch
    {
        RpcException rpc => EtcdConnection.Describe(rpc),
        TimeoutException or OperationCanceledException => "no answer in time",
        _ => e.Message,
    };

    /// <summary>One range: how far it has been delivered.</summary>
    private sealed class Watcher(KeyRange range, long position)
    {
        private readonly List<ModelUpdate> _fragments = [];

        /// <summary>Given by the server, new for each stream; -1 until then.</summary>
        public long Id { get; set; } = -1;

        public long Position { get; private set; } = position;

        public void Start()
        {
            Id = -1;
            _fragments.Clear();
        }

        public WatchCreateRequest Request() => new()
        {
            Key = range.Key, RangeEnd = range.End, StartRevision = Position + 1, ProgressNotify = true, Fragment = true,
        };

        /// <summary>Null while fragments of one revision are still to come.</summary>
        public IReadOnlyList<ModelUpdate>? Take(WatchResponse response, StoreHistory history)
        {
            List<ModelUpdate> updates = response.Fragment || _fragments.Count > 0 ? _fragments : new List<ModelUpdate>(response.Events.Count);
            foreach (Mvccpb.Event change in response.Events)
            {
                if (change.Kv.ModRevision > Position && StoredValue.Update(change) is { } update)
                {
                    updates.Add(update);
                }
            }

            if (response.Fragment)
            {
                return null;
            }

            if (response.Events.Count == 0)
            {
                // Progress of this watcher alone: the server sends it only when the watcher has got everything.
                Position = Math.Max(Position, response.Header.Revision);
                return updates;
            }

            Mvccpb.Event last = response.Events[^1];
            Position = Math.Max(Position, last.Kv.ModRevision);
            history.Remember(last);
            if (updates != _fragments)
            {
                return updates;
            }

            ModelUpdate[] whole = [.. _fragments];
            _fragments.Clear();
            return whole;
        }
    }

    /// <summary>One gRPC stream and what is known about it.</summary>
    private sealed class Stream : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly AsyncDuplexStreamingCall<WatchRequest, WatchResponse> _call;
        private readonly TimeProvider _time;
        private readonly long _opened;
        private Task<bool>? _receiving;

        public Stream(EtcdEndpoint endpoint, Metadata headers, TimeProvider time)
        {
            (Endpoint, _time, _opened) = (endpoint, time, time.GetTimestamp());
            _call = endpoint.Watch.Watch(new CallOptions(headers, cancellationToken: _stop.Token));
        }

        public EtcdEndpoint Endpoint { get; }

        public TimeSpan Age => _time.GetElapsedTime(_opened);

        /// <summary>How many watchers the server has confirmed.</summary>
        public int Created { get; set; }

        /// <summary>All of them.</summary>
        public bool IsOpen { get; set; }

        /// <summary>A probe is on its way.</summary>
        public bool Probing { get; set; }

        /// <summary>Has answered one before: silence then means something. etcd 3.5.8 and later do not answer while a watcher is behind.</summary>
        public bool AnswersProbes { get; set; }

        public string? Lost { get; set; }

        public Task SendAsync(WatchRequest request, TimeSpan timeout, CancellationToken stop) =>
            _call.RequestStream.WriteAsync(request).WaitAsync(timeout, _time, stop);

        /// <summary>Null at the end of the stream. After a <see cref="TimeoutException"/> the same read goes on.</summary>
        public async ValueTask<WatchResponse?> ReceiveAsync(TimeSpan timeout, CancellationToken stop)
        {
            _receiving ??= _call.ResponseStream.MoveNext(CancellationToken.None);
            bool more = await _receiving.WaitAsync(timeout, _time, stop);
            _receiving = null;
            return more ? _call.ResponseStream.Current : null;
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            _call.Dispose();
            if (_receiving is { } receiving)
            {
                await receiving.ContinueWith(static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }

            _stop.Dispose();
        }
    }
}
