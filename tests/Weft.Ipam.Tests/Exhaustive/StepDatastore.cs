using System.Text;
using Weft.Datastore;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Testing.Datastore;

namespace Weft.Ipam.Tests.Exhaustive;

/// <summary>
/// One allocator's way to the store: every operation stands still until the explorer lets it happen, and everything it was answered is remembered. What an
/// allocator does next depends on nothing else, so equal answers mean equal futures.
/// </summary>
internal sealed class StepDatastore(InMemoryDatastore store) : IAtomicDatastore
{
    private readonly Digest _answers = new();
    private TaskCompletionSource<bool>? _gate;

    public bool IsWaiting => _gate is not null;

    /// <summary>Of all answers so far.</summary>
    public string Answers => _answers.ToString();

    /// <summary>Lets the operation happen; the allocator goes on, on this thread, up to its next operation.</summary>
    public void Step() => Open(happens: true);

    /// <summary>The allocator's process ends before the operation.</summary>
    public void Crash() => Open(happens: false);

    public ValueTask<KeyValue?> GetAsync(ModelKey key, CancellationToken stop) => RunAsync(key.Path, () => store.GetAsync(key, stop), v => Text(v));

    public ValueTask<ListResult> ListAsync(ModelPrefix prefix, CancellationToken stop) => ListAsync([prefix], stop);

    public ValueTask<ListResult> ListAsync(IReadOnlyList<ModelPrefix> prefixes, CancellationToken stop) =>
        RunAsync(string.Join(' ', prefixes.Select(p => p.Path)), () => store.ListAsync(prefixes, stop), r => $"{r.Revision} {string.Join('\n', r.Items.Select(Text))}");

    public ValueTask<WriteResult> CreateAsync(ModelKey key, object value, CancellationToken stop) => RunAsync(key.Path, () => store.CreateAsync(key, value, stop), Text);

    public ValueTask<WriteResult> UpdateAsync(ModelKey key, object value, Revision expected, CancellationToken stop) =>
        RunAsync(key.Path, () => store.UpdateAsync(key, value, expected, stop), Text);

    public ValueTask<WriteResult> ApplyAsync(ModelKey key, object value, TimeSpan? timeToLive, CancellationToken stop) =>
        RunAsync(key.Path, () => store.ApplyAsync(key, value, timeToLive, stop), Text);

    public ValueTask<WriteResult> DeleteAsync(ModelKey key, Revision? expected, CancellationToken stop) => RunAsync(key.Path, () => store.DeleteAsync(key, expected, stop), Text);

    public ValueTask<TransactionResult> TransactAsync(StoreTransaction transaction, CancellationToken stop) => RunAsync(
        transaction.Writes[0].Key.Path, () => store.TransactAsync(transaction, stop), r => $"{r.IsWritten} {r.Revision}");

    public IAsyncEnumerable<WatchBatch> WatchAsync(ModelPrefix prefix, Revision after, CancellationToken stop) => throw new NotSupportedException();

    public IAsyncEnumerable<WatchBatch> WatchAsync(IReadOnlyList<ModelPrefix> prefixes, Revision after, CancellationToken stop) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Open(bool happens)
    {
        TaskCompletionSource<bool> gate = _gate!;
        _gate = null;
        gate.SetResult(happens);
    }

    private async ValueTask<T> RunAsync<T>(string what, Func<ValueTask<T>> run, Func<T, string> describe)
    {
        _gate = new TaskCompletionSource<bool>(); // Continues on the explorer's thread: two allocators never run at once.
        if (!await _gate.Task)
        {
            throw new CrashException();
        }

        T answer = await run();
        _answers.Add($"{what} {describe(answer)}");
        return answer;
    }

    private static string Text(WriteResult result) => $"{result.Outcome} {result.Revision} {Text(result.Existing)}";

    private static string Text(KeyValue? value) =>
        value is null ? "none" : $"{value.Key.Path} {value.Revision} {Encoding.UTF8.GetString(ModelJson.Serialize(value.Key, value.Value))}";
}

/// <summary>A running digest that two histories share only when they are the same.</summary>
internal sealed class Digest
{
    private byte[] _state = [];

    public void Add(string text) => _state = System.Security.Cryptography.SHA256.HashData([.. _state, .. Encoding.UTF8.GetBytes(text)]);

    public override string ToString() => Convert.ToHexString(_state);
}
