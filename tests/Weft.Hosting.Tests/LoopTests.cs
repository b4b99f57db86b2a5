using Weft.Hosting.Loops;

namespace Weft.Hosting.Tests;

public sealed class LoopTests
{
    [Fact]
    public async Task Messages_ArriveInOrder_AndABatchEndsOncePerBatch()
    {
        Recorder body = new(expected: 10);
        Loop<int> loop = new(body, capacity: 16, batch: 4);
        for (int i = 0; i < 10; i++)
        {
            await loop.PostAsync(i, CancellationToken.None);
        }

        using CancellationTokenSource stop = new();
        Task run = loop.RunAsync(stop.Token);
        await body.Done.WaitAsync(TimeSpan.FromSeconds(10));
        await stop.CancelAsync();
        await run;

        Assert.Equal(Enumerable.Range(0, 10), body.Messages);
        Assert.Equal([4, 8, 10], body.BatchEnds);
    }

    [Fact]
    public void FullChannel_RefusesTheTry()
    {
        Loop<int> loop = new(new Recorder(expected: 0), capacity: 2, batch: 1);

        bool[] posted = [loop.TryPost(1), loop.TryPost(2), loop.TryPost(3)];

        Assert.Equal([true, true, false], posted);
    }

    [Fact]
    public async Task ExceptionOfTheBody_EndsTheLoop()
    {
        Loop<int> loop = new(new Thrower(), capacity: 2, batch: 1);
        loop.TryPost(1);

        await Assert.ThrowsAsync<InvalidOperationException>(() => loop.RunAsync(CancellationToken.None));
    }

    private sealed class Recorder(int expected) : ILoopBody<int>
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<int> Messages { get; } = [];

        public List<int> BatchEnds { get; } = [];

        public Task Done => _done.Task;

        public void OnMessage(in int message) => Messages.Add(message);

        public ValueTask OnBatchEndAsync(CancellationToken stop)
        {
            BatchEnds.Add(Messages.Count);
            if (Messages.Count == expected)
            {
                _done.TrySetResult();
            }

            return ValueTask.CompletedTask;
        }
    }

    private sealed class Thrower : ILoopBody<int>
    {
        public void OnMessage(in int message) => throw new InvalidOperationException("an invariant broke");

        public ValueTask OnBatchEndAsync(CancellationToken stop) => ValueTask.CompletedTask;
    }
}
