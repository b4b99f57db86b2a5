using Weft.Dataplane.Drivers.IpSets;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>Rules of one family by iptables, sets by ipset. Every table is a transaction of its own, so the order matters.</summary>
internal sealed class IpTablesRules(RuleTable raw, RuleTable mangle, RuleTable nat, RuleTable filter, IpSetFamily sets) : IRuleBackend
{
    // Filter last: when it says that an endpoint is open, everything else about it is in place.
    private readonly RuleTable[] _tables = [raw, mangle, nat, filter];

    public IRuleTable Raw => raw;

    public IRuleTable Mangle => mangle;

    public IRuleTable Nat => nat;

    public IRuleTable Filter => filter;

    public IIpSetFamily Sets => sets;

    public void QueueResync()
    {
        sets.QueueResync();
        foreach (RuleTable table in _tables)
        {
            table.QueueResync();
        }
    }

    /// <summary>Sets first: a rule may name only a set that exists.</summary>
    public ApplyStatus ApplyUpdates()
    {
        ApplyStatus status = sets.ApplyUpdates();
        if (!status.IsDone)
        {
            // Rules that name a set that is not there would be refused, and count as failures of the table.
            return status;
        }

        foreach (RuleTable table in _tables)
        {
            status = status.And(table.Apply());
        }

        return status;
    }

    public IEnumerable<RuleHits> ReadHits() => _tables.SelectMany(static t => t.ReadHits());

    public ApplyStatus ApplyDeletions() => sets.ApplyDeletions();
}
