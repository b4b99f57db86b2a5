using System.Threading.Channels;

namespace Weft.Hosting.Loops;

/// <summary>What a <see cref="Loop{TMessage}"/> runs: the one writer of some piece of state.</summary>
public interface ILoopBody<TMessage>
{
    /// <summary>Takes one message. Must not wait: expensive work belongs in <see cref="OnBatchEndAsync"/>.</summary>
    void OnMessage(in TMessage message);

    /// <summary>Called once after every batch of messages.</summary>
    ValueTask OnBatchEndAsync(CancellationToken stop);
}

/// <summary>
/// A single reader of a bounded channel. Everything that changes state in weft is such a loop, so state needs no locks. A full channel makes the
/// writer wait: nothing is dropped. An exception from the body ends the loop and is rethrown by <see cref="RunAsync"/>.
/// </summary>
public sealed class Loop<TMessage>
{
    private readonly Channel<TMessage> _channel;
    private readonly ILoopBody<TMessage> _body;
    private readonly int _batch;

    /// <param name="body">The state behind the loop.</param>
    /// <param name="capacity">Bound of the channel, in messages.</param>
    /// <param name="batch">How many messages are taken before <see cref="ILoopBody{TMessage}.OnBatchEndAsync"/> runs.</param>
    public Loop(ILoopBody<TMessage> body, int capacity, int batch)
    {
        _body = body;
        _batch = batch;
        _channel = Channel.CreateBounded<TMessage>(new BoundedChannelOptions(capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    }

    /// <summary>Waits while the channel is full.</summary>
    public ValueTask PostAsync(TMessage message, CancellationToken stop) => _channel.Writer.WriteAsync(message, stop);

    /// <summary>False when the channel is full; for callers that keep the work dirty themselves.</summary>
    public bool TryPost(TMessage message) => _channel.Writer.TryWrite(message);

    /// <summary>Runs until <paramref name="stop"/> fires; messages still queued then are not handled.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        ChannelReader<TMessage> reader = _channel.Reader;
        try
        {
            while (await reader.WaitToReadAsync(stop))
            {
                for (int i = 0; i < _batch && reader.TryRead(out TMessage? message); i++)
                {
                    _body.OnMessage(message);
                }

                await _body.OnBatchEndAsync(stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The role is stopping: state stays as it is.
        }
    }
}
