using System.Collections.Immutable;
using Etcdserverpb;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Mvccpb;
using Weft.Cluster.Store;
using Weft.Cluster.Store.Mvcc;
using Weft.Cluster.Store.Storage;
using Weft.Cluster.Tests.Store.Fixtures;

namespace Weft.Cluster.Tests.Store;

/// <summary>The write loop and the file against a model that keeps every revision whole.</summary>
public class HistoryModelTests
{
    private enum Kind
    {
        Put,
        Delete,
        Compact,
        Reopen,
    }

    private static readonly Gen<(Kind Kind, int From, int To, int Back)> Step = Gen.Select(
        Gen.Frequency((60, Gen.Const(Kind.Put)), (25, Gen.Const(Kind.Delete)), (8, Gen.Const(Kind.Compact)), (4, Gen.Const(Kind.Reopen))), Gen.Int[0, 9], Gen.Int[0, 12], Gen.Int[0, 15]);

    [Fact]
    public void EveryRevisionThatIsLeft_ReadsAsItWas_AfterCompactionsAndRestarts()
    {
        Step.Array[1, 60].Sample(steps => RunAsync(steps).GetAwaiter().GetResult(), iter: 60, threads: 1);
    }

    private static async Task RunAsync((Kind Kind, int From, int To, int Back)[] steps)
    {
        using Scratch scratch = new();
        Model model = new();
        Opened store = Open(scratch.File("s.db"));
        foreach ((Kind kind, int from, int to, int back) in steps)
        {
            switch (kind)
            {
                case Kind.Put:
                    PutRequest put = new() { Key = Key(from), Value = Key(to) };
                    await store.Loop.RunAsync(context => Requests.Put(put, context.Store), CancellationToken.None);
                    model.Put(put.Key, put.Value);
                    break;
                case Kind.Delete:
                    DeleteRangeRequest delete = new() { Key = Key(from), RangeEnd = to > from ? Key(to) : ByteString.Empty };
                    await store.Loop.RunAsync(context => Requests.Delete(delete, context.Store), CancellationToken.None);
                    model.Delete(KeyRange.Of(delete.Key, delete.RangeEnd));
                    break;
                case Kind.Compact:
                    long target = model.Revision - back;
                    if (target > model.Compacted)
                    {
                        await store.Loop.CompactAsync(target, physically: true, CancellationToken.None);
                        model.Compacted = target;
                    }

                    break;
                default:
                    await store.CloseAsync();
                    store = Open(scratch.File("s.db"));
                    break;
            }

            Assert.Equal((model.Revision, model.Compacted), (store.Loop.State.Revision, store.Loop.State.CompactRevision));
        }

        Check(model, store, KeyRange.All);
        Check(model, store, KeyRange.Of(Key(2), Key(7)));
        Check(model, store, KeyRange.Of(Key(4), ByteString.Empty));
        CheckEvents(model, store);
        await store.CloseAsync();
    }

    private static void Check(Model model, Opened store, KeyRange range)
    {
        for (long revision = Math.Max(model.Compacted, 1); revision <= model.Revision; revision++)
        {
            List<KeyValue> expected = [.. model.States[revision].Where(p => range.Contains(p.Key)).Select(p => p.Value)];
            Assert.Equal(expected, store.History.RangeAt(range, revision, 0));
            Assert.Equal(expected.Take(2), store.History.RangeAt(range, revision, 2));
            Assert.Equal(expected.Count, store.History.CountAt(range, revision));
        }

        List<KeyValue> newest = [];
        store.Loop.State.Collect(range, 0, newest);
        Assert.Equal(model.States[model.Revision].Where(p => range.Contains(p.Key)).Select(p => p.Value), newest);
    }

    private static void CheckEvents(Model model, Opened store)
    {
        for (long first = Math.Max(model.Compacted, 2); first <= model.Revision; first++)
        {
            List<Change> changes = [];
            store.History.Changes(new ChangesRequest(KeyRange.All, first, model.Revision, WithPrevious: true, model.Compacted, MaxBytes: 1 << 20), changes);

            // At the compact revision itself the pair before is gone.
            Assert.Equal(
                model.Events.Where(e => e.Revision >= first).Select(e => e.Revision == model.Compacted ? e with { Previous = null } : e),
                changes);
        }
    }

    private static ByteString Key(int i) => ByteString.CopyFrom((byte)('a' + i));

    private static Opened Open(string path)
    {
        StoreFile file = StoreFile.Open(path);
        WriteLoop loop = new(file, file.Load(), long.MaxValue, TimeProvider.System, NullLogger.Instance);
        return new Opened(file, loop, new HistoryPool(path, () => loop.State.CompactRevision));
    }

    private sealed record Opened(StoreFile File, WriteLoop Loop, HistoryPool History)
    {
        public async Task CloseAsync()
        {
            History.Dispose();
            await Loop.DisposeAsync();
            File.Dispose();
        }
    }

    private sealed class Model
    {
        private static readonly IComparer<ByteString> Order = Comparer<ByteString>.Create(KeyRange.Compare);

        public Dictionary<long, ImmutableSortedDictionary<ByteString, KeyValue>> States { get; } = new() { [1] = ImmutableSortedDictionary.Create<ByteString, KeyValue>(Order) };

        public List<Change> Events { get; } = [];

        public long Revision { get; private set; } = 1;

        public long Compacted { get; set; }

        public void Put(ByteString key, ByteString value)
        {
            ImmutableSortedDictionary<ByteString, KeyValue> now = States[Revision++];
            KeyValue? previous = now.GetValueOrDefault(key);
            KeyValue kv = new() { Key = key, Value = value, ModRevision = Revision, CreateRevision = previous?.CreateRevision ?? Revision, Version = (previous?.Version ?? 0) + 1 };
            States[Revision] = now.SetItem(key, kv);
            Events.Add(new Change(kv, previous, IsDelete: false));
        }

        public void Delete(KeyRange range)
        {
            ImmutableSortedDictionary<ByteString, KeyValue> now = States[Revision];
            KeyValue[] gone = [.. now.Values.Where(kv => range.Contains(kv.Key))];
            if (gone.Length > 0)
            {
                States[++Revision] = now.RemoveRange(gone.Select(kv => kv.Key));
                Events.AddRange(gone.Select(kv => new Change(new KeyValue { Key = kv.Key, ModRevision = Revision }, kv, IsDelete: true)));
            }
        }
    }
}
