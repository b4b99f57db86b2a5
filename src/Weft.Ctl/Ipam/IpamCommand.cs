using System.Globalization;
using Weft.Ctl.Output;
using Weft.Datastore;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Model.Ipam;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Ctl.Ipam;

/// <summary>weft ipam show: how full the pools and their blocks are.</summary>
public sealed class IpamCommand : CtlCommand
{
    private static readonly CommandOption s_blocks = new("--show-blocks", null, null, "One line for every block too.");

    public IpamCommand()
        : this(null)
    {
    }

    internal IpamCommand(DatastoreOpener? open)
        : base(open)
    {
    }

    public override string Summary => "show how full the address pools are";

    internal override CommandSyntax Syntax => new(
        "ipam", "show [--show-blocks] [flags]", "Shows every pool with the number of its addresses and how many of them are in use. An address in its cooldown counts as in use.",
        [s_blocks, Config, Endpoints])
    {
        Words = ["show"],
    };

    internal override async Task<ExitStatus> RunAsync(CommandLine line, CommandContext context, CancellationToken stop)
    {
        if (line.Arguments is not ["show"])
        {
            throw new UsageException(line.Arguments.Count == 0 ? "expected: show" : $"unknown: {string.Join(' ', line.Arguments)}; expected: show");
        }

        await using IDatastore store = Open(line, context);
        ListResult pools = await store.ListAsync(ModelPrefix.Of(ResourceKind.IPPool), stop);
        ListResult blocks = await store.ListAsync(ModelPrefix.AllBlocks, stop);
        List<(IpPrefix Cidr, AllocationBlock Block)> known = [.. blocks.Items.Select(i => (((BlockKey)i.Key).Cidr, i.As<AllocationBlock>())).OrderBy(b => b.Item1)];
        TextTable table = new("GROUPING", "CIDR", "IPS TOTAL", "IPS IN USE", "IPS FREE");
        foreach (IPPool pool in pools.Items.Select(i => i.As<IPPool>()))
        {
            if (!IpPrefix.TryParse(pool.Spec.Cidr, out IpPrefix cidr))
            {
                await context.Error.WriteLineAsync($"weft ipam: IPPool {pool.Metadata.Name}: \"{pool.Spec.Cidr}\" is no CIDR");
                continue;
            }

            (IpPrefix Cidr, AllocationBlock Block)[] inside = [.. known.Where(b => cidr.Contains(b.Cidr))];
            table.Add(Row("IP Pool", cidr, inside.Sum(b => InUse(b.Block))));
            foreach ((IpPrefix blockCidr, AllocationBlock block) in line.Has(s_blocks) ? inside : [])
            {
                table.Add(Row($"Block {block.Affinity ?? "(no owner)"}", blockCidr, InUse(block)));
            }
        }

        await context.Out.WriteAsync(table.ToString());
        foreach (UnreadableValue value in (UnreadableValue[])[.. pools.Unreadable, .. blocks.Unreadable])
        {
            await context.Error.WriteLineAsync($"weft ipam: {value.Key}: {value.Reason}");
        }

        return pools.Unreadable.Count + blocks.Unreadable.Count == 0 ? ExitStatus.Ok : ExitStatus.Failed;
    }

    private static string[] Row(string grouping, IpPrefix cidr, int inUse)
    {
        // ::/0 says 0 for 2^128; no pool is that large.
        double total = (double)cidr.Size;
        return [grouping, cidr.ToString(), Number(total), Share(inUse, total), Share(total - inUse, total)];
    }

    private static int InUse(AllocationBlock block) => block.Allocations.Count(a => a is not null);

    private static string Share(double part, double total) => $"{Number(part)} ({Math.Round(100 * part / total).ToString(CultureInfo.InvariantCulture)}%)";

    /// <summary>Five digits, as calicoctl prints them: 65531, 1.2089e+24.</summary>
    private static string Number(double value) => value < 100_000 ? value.ToString("0", CultureInfo.InvariantCulture) : value.ToString("0.####e+00", CultureInfo.InvariantCulture);
}
