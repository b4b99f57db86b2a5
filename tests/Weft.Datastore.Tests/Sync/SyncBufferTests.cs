using Weft.Datastore.Sync;
using Weft.Model.Keys;
using static Weft.Datastore.Tests.Values;

namespace Weft.Datastore.Tests.Sync;

/// <summary>The buffer against a naive twin: whatever is put in, in whatever order it is taken out, the sink ends with the state of the store.</summary>
public sealed class SyncBufferTests
{
    private enum Step : byte
    {
        Put,
        Delete,
        Take,
        Status,
        Snapshot,
    }

    [Fact]
    public void RandomChangesAndDeliveries_EndInTheStateOfTheStore()
    {
        Gen<(Step Kind, int Key)[]> steps = Gen.Select(
            Gen.Frequency((6, Gen.Const(Step.Put)), (4, Gen.Const(Step.Delete)), (3, Gen.Const(Step.Take)), (2, Gen.Const(Step.Status)), (1, Gen.Const(Step.Snapshot))),
            Gen.Int[0, 5]).Array[0, 80];

        steps.Sample(sequence =>
        {
            Twin twin = new();
            twin.Buffer.Add(SyncStatus.ResyncInProgress, "start");
            foreach ((Step kind, int key) in sequence)
            {
                twin.Apply(kind, key);
                Assert.True(twin.Buffer.Pending <= 4 * 6, $"{twin.Buffer.Pending} updates for six keys");
            }

            twin.Buffer.Add(SyncStatus.InSync, "end");
            while (!twin.Buffer.IsEmpty)
            {
                twin.Deliver();
            }

            Assert.Equal(twin.Store.OrderBy(s => s.Key.Path), twin.Sink.OrderBy(s => s.Key.Path));
            Assert.Equal(SyncStatus.InSync, twin.LastStatus);
        });
    }

    [Fact]
    public void Updates_AreDeliveredBeforeTheStatusThatFollowedThem()
    {
        SyncBuffer buffer = new();
        buffer.Add(SyncStatus.ResyncInProgress, string.Empty);
        buffer.Add(new ModelUpdate(Key(1), Set(1), 1));
        buffer.Add(SyncStatus.InSync, string.Empty);
        buffer.Add(new ModelUpdate(Key(2), Set(2), 2));

        Delivery[] deliveries = [buffer.Take(), buffer.Take(), buffer.Take()];

        Assert.Equal([SyncStatus.ResyncInProgress, SyncStatus.InSync, null], deliveries.Select(d => d.Status));
        Assert.Equal([[], [Key(1)], [Key(2)]], deliveries.Select(d => d.Updates.Select(u => u.Key).ToArray()));
        Assert.True(buffer.IsEmpty);
    }

    [Fact]
    public void KeyThatCameAndWent_IsNeverHeardOf()
    {
        SyncBuffer buffer = new();
        for (int i = 0; i < 1000; i++)
        {
            buffer.Add(new ModelUpdate(Key(i), Set(i), i + 1));
            buffer.Add(new ModelUpdate(Key(i), null, i + 2));
        }

        Assert.True(buffer.IsEmpty);
    }

    [Fact]
    public void SnapshotOfAnotherHistory_IsSentWhole()
    {
        SyncBuffer buffer = new();
        ListResult snapshot = new([new KeyValue(Key(1), Set(1), new Revision(5))], [], new Revision(5));
        buffer.Add(snapshot, historyChanged: false);
        buffer.Take();

        int same = buffer.Add(snapshot, historyChanged: false);
        int other = buffer.Add(snapshot, historyChanged: true);

        Assert.Equal((0, 1), (same, other));
    }

    private sealed class Twin
    {
        private long _revision;
        private int _statuses;

        public SyncBuffer Buffer { get; } = new();

        public Dictionary<ModelKey, long> Store { get; } = [];

        public Dictionary<ModelKey, long> Sink { get; } = [];

        public SyncStatus LastStatus { get; private set; }

        public void Apply(Step kind, int number)
        {
            ModelKey key = Key(number);
            _revision++;
            switch (kind)
            {
                case Step.Put:
                    Store[key] = _revision;
                    Buffer.Add(new ModelUpdate(key, Set(number), _revision));
                    break;
                case Step.Delete when Store.Remove(key):
                    Buffer.Add(new ModelUpdate(key, null, _revision));
                    break;
                case Step.Take when !Buffer.IsEmpty:
                    Deliver();
                    break;
                case Step.Status:
                    Buffer.Add(_statuses++ % 2 == 0 ? SyncStatus.InSync : SyncStatus.ResyncInProgress, $"{_statuses}");
                    break;
                case Step.Snapshot:
                    // Changes nobody told the buffer about, and then the whole.
                    Store[key] = _revision;
                    Store.Remove(Key((number + 1) % 6));
                    Buffer.Add(new ListResult([.. Store.Select(s => new KeyValue(s.Key, Set(0), new Revision(s.Value)))], [], new Revision(_revision)), historyChanged: false);
                    break;
                default:
                    break;
            }
        }

        public void Deliver()
        {
            Delivery delivery = Buffer.Take();
            foreach (ModelUpdate update in delivery.Updates)
            {
                if (update.Value is null)
                {
                    Assert.True(Sink.Remove(update.Key), $"{update.Key}: deletion of what the sink never had");
                }
                else
                {
                    Sink[update.Key] = update.Revision;
                }
            }

            LastStatus = delivery.Status ?? LastStatus;
        }
    }
}
