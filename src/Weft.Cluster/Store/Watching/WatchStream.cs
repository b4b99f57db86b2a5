using System.Threading.Channels;
using Etcdserverpb;
using Google.Protobuf;
using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Store.Services;
using Weft.Cluster.Store.Storage;
using Weft.Cluster.Store.Transport;

namespace Weft.Cluster.Store.Watching;

/// <summary>
/// One Watch call with its watches. A reader takes requests from the client; the sender, alone, owns the watches and writes answers.
/// <code>
///   client --> reader --> requests (bounded) --> sender --> client
///   write loop: event log, state, wake --------------^  ^--- history in the file, for a watch that starts early or is slow
/// </code>
/// Every watch is a cursor. A client that does not read blocks the sender, and nobody else; when it reads again, its watches go on where they were,
/// from the log or from the file. So no event is lost, doubled or queued.
/// </summary>
internal sealed class WatchStream(StoreContext store, GrpcCall call)
{
    private const int EventsPerLook = 1000;
    private const int RevisionsPerHistoryRead = 5000;
    private const int HistoryBytes = 4 << 20;
    private const int ResponseBytes = 1 << 20;

    /// <summary>The watch id of answers that belong to no watch (etcd's InvalidWatchID).</summary>
    private const long NoWatch = -1;

    private static readonly TimeSpan ProgressPeriod = TimeSpan.FromMinutes(10); // as etcd

    private readonly Channel<WatchRequest> _requests = Channel.CreateBounded<WatchRequest>(new BoundedChannelOptions(64) { SingleReader = true, SingleWriter = true });
    private readonly AsyncSignal _signal = new();
    private readonly List<Watcher> _watchers = [];
    private readonly List<Change> _looked = [];
    private long _nextId;
    private bool _progressAsked;
    private int _progressDue;

    public async Task RunAsync()
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(call.Cancel, store.Stop);
        Task reading = ReadAsync(end.Token);
        store.Loop.Wakers.Add(_signal);
        await using ITimer progress = store.Time.CreateTimer(OnProgressTimer, null, ProgressPeriod, ProgressPeriod);
        try
        {
            await SendAsync(end.Token);
        }
        finally
        {
            store.Loop.Wakers.Remove(_signal);
            await end.CancelAsync();
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // its failure has reached the sender through the channel
        }
    }

    private async Task ReadAsync(CancellationToken end)
    {
        Exception? failure = null;
        try
        {
            while (await call.ReadAsync(WatchRequest.Parser, end) is { } request)
            {
                await _requests.Writer.WriteAsync(request, end);
                _signal.Set();
            }
        }
        catch (Exception e)
        {
            failure = e;
            throw;
        }
        finally
        {
            _requests.Writer.TryComplete(failure);
            _signal.Set();
        }
    }

    private void OnProgressTimer(object? state)
    {
        Volatile.Write(ref _progressDue, 1);
        _signal.Set();
    }

    private async Task SendAsync(CancellationToken end)
    {
        while (true)
        {
            while (_requests.Reader.TryRead(out WatchRequest? request))
            {
                await AnswerAsync(request, end);
            }

            StoreState state = store.State;
            bool behind = false;
            for (int i = 0; i < _watchers.Count; i++)
            {
                Watcher watcher = _watchers[i];
                if (watcher.Next <= state.Revision && !await AdvanceAsync(watcher, state, end))
                {
                    _watchers.RemoveAt(i--);
                    continue;
                }

                behind |= watcher.Next <= state.Revision;
            }

            if (behind)
            {
                continue;
            }

            await SendProgressAsync(state, end);
            if (_requests.Reader.Completion.IsCompleted)
            {
                await _requests.Reader.Completion;
                return;
            }

            await _signal.WaitAsync(end);
        }
    }

    private async Task AnswerAsync(WatchRequest request, CancellationToken end)
    {
        switch (request.RequestUnionCase)
        {
            case WatchRequest.RequestUnionOneofCase.CreateRequest:
                await CreateAsync(request.CreateRequest, end);
                break;
            case WatchRequest.RequestUnionOneofCase.CancelRequest:
                if (_watchers.RemoveAll(w => w.Id == request.CancelRequest.WatchId) > 0)
                {
                    await call.SendAsync(new WatchResponse { Header = store.Header(), WatchId = request.CancelRequest.WatchId, Canceled = true }, end);
                }

                break;
            case WatchRequest.RequestUnionOneofCase.ProgressRequest:
                _progressAsked = true; // answered when every watch has caught up
                break;
        }
    }

    private async Task CreateAsync(WatchCreateRequest request, CancellationToken end)
    {
        // No key means the first possible one: together with range_end "\0" that is everything.
        KeyRange range = KeyRange.Of(request.Key.Length == 0 ? ByteString.CopyFrom(0) : request.Key, request.RangeEnd);
        StoreState state = store.State;
        WatchResponse response = new() { Header = store.Header(state.Revision), Created = true };
        string? refusal = range.IsEmpty ? "mvcc: watcher range is empty"
            : request.WatchId != 0 && _watchers.Exists(w => w.Id == request.WatchId) ? "mvcc: duplicate watch ID provided on the WatchStream"
            : null;
        if (refusal is not null)
        {
            (response.WatchId, response.Canceled, response.CancelReason) = (NoWatch, true, refusal);
            await call.SendAsync(response, end);
            return;
        }

        response.WatchId = request.WatchId != 0 ? request.WatchId : FreeId();
        await call.SendAsync(response, end);
        if (request.StartRevision > 0 && request.StartRevision < state.CompactRevision)
        {
            await SendCompactedAsync(response.WatchId, end); // Even where the event log still has it: the answer must not depend on that.
            return;
        }

        _watchers.Add(new Watcher(response.WatchId, request, range, request.StartRevision > 0 ? request.StartRevision : state.Revision + 1));
    }

    private long FreeId()
    {
        while (_watchers.Exists(w => w.Id == _nextId))
        {
            _nextId++;
        }

        return _nextId++;
    }

    /// <summary>Looks at the next revisions for one watch and sends what it wants of them. False when the watch is over.</summary>
    private async Task<bool> AdvanceAsync(Watcher watcher, StoreState state, CancellationToken end)
    {
        _looked.Clear();
        long first = watcher.Next;
        if (store.Loop.Events.Read(first, state.Revision, EventsPerLook, _looked) is not { } through)
        {
            long last = Math.Min(first + RevisionsPerHistoryRead - 1, state.Revision);
            through = first < state.CompactRevision
                ? last
                : store.Events.Changes(new ChangesRequest(watcher.Range, first, last, watcher.WantsPrevious, state.CompactRevision, HistoryBytes), _looked);

            // Asked after reading: rows may have been given up meanwhile.
            if (first < store.State.CompactRevision)
            {
                await SendCompactedAsync(watcher.Id, end);
                return false;
            }
        }

        await SendChangesAsync(watcher, through, end);
        watcher.Next = through + 1;
        return true;
    }

    /// <summary>The watch cannot begin or go on: what it would have to see first is gone. The client must read the keys anew.</summary>
    private ValueTask SendCompactedAsync(long watchId, CancellationToken end)
    {
        StoreState state = store.State;
        WatchResponse response = new() { Header = store.Header(state.Revision), WatchId = watchId, Canceled = true, CompactRevision = state.CompactRevision };
        return call.SendAsync(response, end);
    }

    private async Task SendChangesAsync(Watcher watcher, long through, CancellationToken end)
    {
        WatchResponse response = new() { WatchId = watcher.Id };
        int bytes = 0;
        long revision = 0;
        foreach (Change change in _looked)
        {
            if (!watcher.Wants(change))
            {
                continue;
            }

            // A revision stays in one response, unless the watch allows fragments.
            bool isSameRevision = change.Revision == revision;
            if (bytes > ResponseBytes && (!isSameRevision || watcher.AllowsFragments))
            {
                response.Fragment = isSameRevision;
                await SendEventsAsync(watcher, response, revision, end);
                (response, bytes) = (new WatchResponse { WatchId = watcher.Id }, 0);
            }

            response.Events.Add(watcher.ToEvent(change));
            bytes += change.Weight;
            revision = change.Revision;
        }

        if (response.Events.Count > 0)
        {
            await SendEventsAsync(watcher, response, through, end);
        }
    }

    /// <summary>The header's revision says: everything up to here has been sent to this watch.</summary>
    private async Task SendEventsAsync(Watcher watcher, WatchResponse response, long revision, CancellationToken end)
    {
        response.Header = store.Header(revision);
        watcher.HasSent = true;
        await call.SendAsync(response, end);
    }

    private async Task SendProgressAsync(StoreState state, CancellationToken end)
    {
        if (_progressAsked)
        {
            _progressAsked = false;
            await call.SendAsync(new WatchResponse { Header = store.Header(state.Revision), WatchId = NoWatch }, end);
        }

        if (Interlocked.Exchange(ref _progressDue, 0) == 0)
        {
            return;
        }

        foreach (Watcher watcher in _watchers)
        {
            if (watcher.WantsProgress && !watcher.HasSent)
            {
                await call.SendAsync(new WatchResponse { Header = store.Header(state.Revision), WatchId = watcher.Id }, end);
            }

            watcher.HasSent = false;
        }
    }
}
