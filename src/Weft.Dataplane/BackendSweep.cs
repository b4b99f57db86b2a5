using Microsoft.Extensions.Logging;
using Weft.Dataplane.Drivers;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Drivers.IpTables;
using Weft.Dataplane.Drivers.NfTables;
using Weft.Linux.Namespaces;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Dataplane;

/// <summary>
/// Takes out of the kernel what another backend left there in an earlier life, of one family. Run only when the rules of the new one are in force: until
/// then both stand, and a packet must please both. What fails is logged and stays until the next start.
/// </summary>
internal sealed class BackendSweep(IpFamily family, IProcessRunner runner, NetNamespace? space, ILoggerFactory logs, TimeProvider time)
{
    private readonly ILogger _logger = logs.CreateLogger<BackendSweep>();

    /// <param name="chosen">What writes the rules now.</param>
    public void Run(RuleBackendChoice chosen)
    {
        using NfTablesSocket socket = NfTablesSocket.Open(family, space);
        if (chosen == RuleBackendChoice.NfTables)
        {
            SweepIpTables(socket);
        }
        else
        {
            SweepNfTables(socket);
        }
    }

    private void SweepNfTables(NfTablesSocket socket)
    {
        List<KernelTable> tables = [];
        NetlinkResult result = socket.ReadTables(tables);
        NfTablesBatch batch = new(family);
        foreach (string table in NfTablesRules.TableNames.Select(NfTable.KernelNameOf).Where(name => tables.Exists(t => t.Name == name)))
        {
            batch.DeleteTable(table);
        }

        result = result.IsSuccess && batch.Count > 0 ? socket.Commit(batch, out _) : result;
        if (!result.IsSuccess)
        {
            Log.NotSwept(_logger, family, $"nf_tables: {result}");
        }
        else if (batch.Count > 0)
        {
            Log.Swept(_logger, family, "nf_tables");
        }
    }

    /// <summary>The programs are run only where they have something to do: even asking them may load modules of the kernel.</summary>
    private void SweepIpTables(NfTablesSocket socket)
    {
        string[] own = [.. new RuleTableSettings(string.Empty).OwnPrefixes];
        List<KernelChain> chains = [];
        socket.ReadChains(chains);
        if (chains.Exists(c => !c.Table.StartsWith(NfTable.KernelNameOf(string.Empty), StringComparison.Ordinal) && own.Any(p => c.Name.StartsWith(p, StringComparison.Ordinal))))
        {
            SweepTables(IpTablesBackend.Nft);
        }

        if (IpTablesTools.HasLegacyTables(runner, family))
        {
            SweepTables(IpTablesBackend.Legacy);
        }

        SweepSets();
    }

    private void SweepTables(IpTablesBackend backend)
    {
        IpTablesTools tools;
        try
        {
            tools = IpTablesTools.Detect(runner, family, backend);
        }
        catch (DataplaneException e)
        {
            Log.NotSwept(_logger, family, e.Message);
            return;
        }

        foreach (string name in NfTablesRules.TableNames)
        {
            RuleTable table = new(
                new RuleTableSettings(name) { CleanupOnly = true, RefreshInterval = TimeSpan.Zero }, tools, runner, time, logs.CreateLogger<RuleTable>());
            table.Apply();
            if (table.Writes > table.Errors)
            {
                Log.Swept(_logger, family, $"{tools.SaveCommand} {name}");
            }
        }
    }

    private void SweepSets()
    {
        using IpSetSocket socket = IpSetSocket.Open(space);
        IpSetFamily sets = new(family, socket, time, logs.CreateLogger<IpSetFamily>(), TimeSpan.Zero);
        if (sets.ApplyUpdates().IsDone)
        {
            // One at a time, each waiting for the packets in flight; one that somebody still names is left.
            while (sets.ApplyDeletions().Next is not null)
            {
            }
        }
    }
}
