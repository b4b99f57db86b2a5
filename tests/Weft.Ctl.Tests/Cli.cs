using System.Collections;
using System.Text;
using Weft.Ctl.Ipam;
using Weft.Ctl.Resources;
using Weft.Datastore;
using Weft.Hosting;

namespace Weft.Ctl.Tests;

internal sealed record CliResult(ExitStatus Status, string Out, string Error);

/// <summary>Runs commands as Program does, over a store of the test's choice.</summary>
internal sealed class Cli(IDatastore store)
{
    public Dictionary<string, string> Environment { get; } = [];

    /// <param name="line">Words separated by blanks.</param>
    /// <param name="input">Standard input.</param>
    public Task<CliResult> RunAsync(string line, string input = "") => RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), input);

    public async Task<CliResult> RunAsync(string[] words, string input = "")
    {
        DatastoreOpener open = (_, _) => new Shared(store);
        ICommand command = words[0] switch
        {
            "create" => new CreateCommand(open),
            "apply" => new ApplyCommand(open),
            "replace" => new ReplaceCommand(open),
            "delete" => new DeleteCommand(open),
            "get" => new GetCommand(open),
            "ipam" => new IpamCommand(open),
            _ => new Weft.Ctl.Nodes.NodeCommand(),
        };
        StringWriter output = new();
        StringWriter error = new();
        ExitStatus status = await command.RunAsync(
            words[1..],
            new CommandContext { In = new MemoryStream(Encoding.UTF8.GetBytes(input)), Out = output, Error = error, Environment = new Hashtable(Environment), Time = new FixedTime() },
            TestContext.Current.CancellationToken);
        return new CliResult(status, output.ToString(), error.ToString());
    }

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    }

    /// <summary>The test owns the store; a command only borrows it.</summary>
    private sealed class Shared(IDatastore inner) : IDatastore
    {
        public ValueTask<KeyValue?> GetAsync(Model.Keys.ModelKey key, CancellationToken stop) => inner.GetAsync(key, stop);

        public ValueTask<ListResult> ListAsync(Model.Keys.ModelPrefix prefix, CancellationToken stop) => inner.ListAsync(prefix, stop);

        public ValueTask<WriteResult> CreateAsync(Model.Keys.ModelKey key, object value, CancellationToken stop) => inner.CreateAsync(key, value, stop);

        public ValueTask<WriteResult> UpdateAsync(Model.Keys.ModelKey key, object value, Revision expected, CancellationToken stop) => inner.UpdateAsync(key, value, expected, stop);

        public ValueTask<WriteResult> ApplyAsync(Model.Keys.ModelKey key, object value, TimeSpan? timeToLive, CancellationToken stop) => inner.ApplyAsync(key, value, timeToLive, stop);

        public ValueTask<WriteResult> DeleteAsync(Model.Keys.ModelKey key, Revision? expected, CancellationToken stop) => inner.DeleteAsync(key, expected, stop);

        public IAsyncEnumerable<WatchBatch> WatchAsync(Model.Keys.ModelPrefix prefix, Revision after, CancellationToken stop) => inner.WatchAsync(prefix, after, stop);

        public ValueTask<ListResult> ListAsync(IReadOnlyList<Model.Keys.ModelPrefix> prefixes, CancellationToken stop) => inner.ListAsync(prefixes, stop);

        public IAsyncEnumerable<WatchBatch> WatchAsync(IReadOnlyList<Model.Keys.ModelPrefix> prefixes, Revision after, CancellationToken stop) => inner.WatchAsync(prefixes, after, stop);

        public ValueTask DisposeAsync() => default;
    }
}
