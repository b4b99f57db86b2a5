using Weft.Ctl.Output;
using Weft.Datastore;
using Weft.Hosting;
using Weft.Hosting.Commands;

namespace Weft.Ctl.Ipam;

/// <summary>weft ipam: how full the pools are, what is wrong with them, and the few changes an operator makes by hand. Flags are calicoctl's.</summary>
public sealed class IpamCommand : CtlCommand
{
    internal static readonly CommandOption Ip = new("--ip", null, "ADDRESS", "show, release: this one address.");
    internal static readonly CommandOption Blocks = new("--show-blocks", null, null, "show: one line for every block too.");
    internal static readonly CommandOption Borrowed = new("--show-borrowed", null, null, "show: addresses that nodes use from blocks of others.");
    internal static readonly CommandOption Configuration = new("--show-configuration", null, null, "show: how addresses are assigned.");
    internal static readonly CommandOption AllIps = new("--show-all-ips", null, null, "check: every allocated address with its user.");
    internal static readonly CommandOption ProblemIps = new("--show-problem-ips", null, null, "check: the addresses of every finding (always shown; accepted for calicoctl's sake).");
    internal static readonly CommandOption Output = new("--output", "-o", "json|FILE", "Print JSON. check: or write a report for \"release --from-report\" into FILE.");
    internal static readonly CommandOption Recheck = new("--recheck", null, "SECONDS", "check: look again after so long and report only what is still there (default 5; 0: do not).");
    internal static readonly CommandOption FromReport = new("--from-report", null, "FILE", "release: what is leaked in every one of these reports.") { IsRepeatable = true };
    internal static readonly CommandOption Force = new("--force", null, null, "release: also with an unlocked datastore, or reports of another version.");
    internal static readonly CommandOption Cidr = new("--cidr", null, "CIDR", "split: the pool.");
    internal static readonly CommandOption PoolName = new("--name", null, "NAME", "split: the pool.");
    internal static readonly CommandOption StrictAffinity = new("--strictaffinity", null, "true|false", "configure: nodes use no addresses from blocks of others.");
    internal static readonly CommandOption MaxBlocks = new("--max-blocks-per-host", null, "NUMBER", "configure: blocks a node may own; 0 for the default of 20.");
    internal static readonly CommandOption Persistence = new("--kubevirt-ip-persistence", null, "Enabled|Disabled", "configure: a virtual machine keeps its address.");
    internal static readonly CommandOption Cooldown = new("--ip-cooldown-seconds", null, "SECONDS", "configure: how long a released address is handed out to nobody, 0 to 1200.");

    public IpamCommand()
        : this(null)
    {
    }

    internal IpamCommand(DatastoreOpener? open)
        : base(open)
    {
    }

    public override string Summary => "addresses: how full pools are, leaks and duplicates, release, split, configure";

    internal override CommandSyntax Syntax => new(
        "ipam", "show | check | release | split N | configure [flags]",
        "show tells how full the pools are; an address in its cooldown counts as in use. check compares allocations, handles, blocks and their users, and "
        + "explains what does not fit. release gives back one address, or what reports of check call leaked. split cuts a pool into N pools of equal size "
        + "while the datastore is locked. configure changes how addresses are assigned. Exit code 0: done; 1: it did not work, or check found problems.",
        [
            Ip, Blocks, Borrowed, Configuration, AllIps, ProblemIps, Recheck, FromReport, Force, Cidr, PoolName, StrictAffinity, MaxBlocks, Persistence, Cooldown,
            Output, Config, Endpoints,
        ])
    {
        Words = ["show", "check", "release", "split", "configure"],
        Examples =
        [
            ("weft ipam show --show-blocks", "pools and their blocks"),
            ("weft ipam show --ip=10.1.4.7", "who holds an address"),
            ("weft ipam check -o leaks.json", "find leaks, and write them down"),
            ("weft ipam release --from-report=leaks.json", "release them, with the datastore locked"),
            ("weft ipam split 4 --name=pool-a", "four pools in place of one"),
            ("weft ipam configure --strictaffinity=true", "nodes keep to their own blocks"),
        ],
    };

    internal override async Task<ExitStatus> RunAsync(CommandLine line, CommandContext context, CancellationToken stop)
    {
        Func<IDatastore, Task<ExitStatus>> run = line.Arguments switch
        {
            ["show"] => store => new IpamShow(store, line, context).RunAsync(stop),
            ["check"] => store => new IpamCheckReport(store, line, context).RunAsync(stop),
            ["release"] => store => new IpamRelease(store, line, context).RunAsync(stop),
            ["split", string parts] => store => new IpamSplit(store, line, context).RunAsync(parts, stop),
            ["configure"] => store => new IpamConfigure(store, line, context).RunAsync(stop),
            ["split"] => throw new UsageException("split: into how many pools? expected: split N with --cidr or --name"),
            [] => throw new UsageException("expected: show, check, release, split or configure"),
            _ => throw new UsageException($"unknown: {string.Join(' ', line.Arguments)}; expected: show, check, release, split or configure"),
        };
        await using IDatastore store = Open(line, context);
        return await run(store);
    }

    internal static bool WantsJson(CommandLine line) => line.Value(Output) == "json";

    internal static async Task PrintAsync(CommandContext context, System.Text.Json.Nodes.JsonNode json) => await context.Out.WriteLineAsync(ResourcePrinter.Indented(json));
}
