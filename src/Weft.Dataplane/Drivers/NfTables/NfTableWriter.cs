using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Rules.Model;
using Weft.Linux.Netfilter;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// Writes the difference of one table into a batch. The order within it follows from what names what:
/// <code>
///   table, new chains (empty), new sets and members  ->  old rules out  ->  maps of interfaces  ->  new rules  ->  sets and chains that nothing names
/// </code>
/// </summary>
internal sealed class NfTableWriter(IpFamily family, NfSetFamily sets, NfRuleEncoder encoder, NfTablesBatch batch)
{
    private readonly List<(string Name, NfChain Content)> _changed = [];
    private readonly List<string> _goneChains = [];
    private readonly List<string> _goneSets = [];
    private readonly List<string> _flushed = [];

    /// <param name="table">What is wanted.</param>
    /// <param name="actual">What there is; afterwards what there is once the batch has been carried out.</param>
    /// <param name="compareAll">The kernel was just read; otherwise only what is dirty differs.</param>
    public void Write(NfTable table, NfActual actual, bool compareAll)
    {
        string name = table.KernelName;
        compareAll |= actual.MustBeRebuilt;
        if (actual.MustBeRebuilt)
        {
            batch.AddTable(name);
            batch.DeleteTable(name);
            actual.Clear();
        }

        if (!actual.IsPresent || actual.Sleeps)
        {
            batch.AddTable(name);
            (actual.IsPresent, actual.Sleeps) = (true, false);
        }

        string[] candidates = compareAll ? [.. actual.Chains.Keys.Union(table.Needed.Keys)] : [.. table.Dirty];
        CompareChains(table, actual, candidates);
        WriteSets(table, actual, compareAll);
        foreach (string chain in _flushed)
        {
            batch.FlushChain(name, chain);
        }

        WriteMaps(table, actual, candidates);
        foreach ((string chain, NfChain content) in _changed)
        {
            encoder.Write(name, chain, content, batch);
        }

        DeleteUnneeded(name, actual);
    }

    private void CompareChains(NfTable table, NfActual actual, string[] candidates)
    {
        _changed.Clear();
        _goneChains.Clear();
        _flushed.Clear();
        foreach (string chain in candidates)
        {
            bool present = actual.Chains.TryGetValue(chain, out string[]? hashes);
            if (!table.Needed.TryGetValue(chain, out NfChain? content))
            {
                if (present)
                {
                    _flushed.Add(chain);
                    _goneChains.Add(chain);
                }

                continue;
            }

            string[] wanted = encoder.Hash(chain, content);
            if (present && hashes.AsSpan().SequenceEqual(wanted))
            {
                continue;
            }

            if (!present)
            {
                batch.AddChain(table.KernelName, chain, content.Hook);
            }
            else if (hashes!.Length > 0)
            {
                _flushed.Add(chain);
            }

            _changed.Add((chain, content));
            actual.Chains[chain] = wanted;
        }
    }

    // ---- sets

    private void WriteSets(NfTable table, NfActual actual, bool compareAll)
    {
        _goneSets.Clear();
        HashSet<string> wanted = new(StringComparer.Ordinal);
        IEnumerable<string> candidates = compareAll ? table.NeededSets : sets.Dirty.Concat(table.DirtySets).Distinct();
        foreach (string candidate in candidates)
        {
            if (!table.NeedsSet(candidate))
            {
                _goneSets.AddRange(actual.Sets.Where(part => IsPartOf(part, candidate)));
                continue;
            }

            NfSetState set = sets.Find(candidate);
            foreach (int length in set.Lengths)
            {
                wanted.Add(set.PartName(length));
                WritePart(table.KernelName, set, length, actual);
            }

            if (!compareAll && set.ShapeChanged)
            {
                _goneSets.AddRange(actual.Sets.Where(part => IsPartOf(part, candidate) && !wanted.Contains(part)));
            }
        }

        if (compareAll)
        {
            _goneSets.AddRange(actual.Sets.Where(part => !wanted.Contains(part)));
        }
    }

    private static bool IsPartOf(string part, string set) => part == set || (part.StartsWith(set, StringComparison.Ordinal) && part[set.Length] == '/');

    private void WritePart(string table, NfSetState set, int length, NfActual actual)
    {
        string part = set.PartName(length);
        if (actual.Sets.Add(part))
        {
            batch.AddSet(table, new NfSet(part, set.KeyLength, NfSetKeys.Type(family, set.Metadata.Type)));
            Add(set.Members(length));
        }
        else if (actual.Repairs.Remove(part, out (List<IpSetMember> Missing, List<byte[]> Foreign) repair))
        {
            batch.DeleteElements(table, part, set.KeyLength, [.. repair.Foreign.SelectMany(static key => key)]);
            Add(repair.Missing);
        }
        else
        {
            batch.DeleteElements(table, part, set.KeyLength, NfSetKeys.Of(family, set.Metadata.Type, [.. set.ToDelete.Where(m => m.Prefix.Length == length)]));
            Add([.. set.ToAdd.Where(m => m.Prefix.Length == length)]);
        }

        void Add(IReadOnlyCollection<IpSetMember> members) =>
            batch.AddElements(table, part, set.KeyLength, NfSetKeys.Of(family, set.Metadata.Type, members));
    }

    // ---- maps of interfaces

    private void WriteMaps(NfTable table, NfActual actual, string[] candidates)
    {
        foreach (string chain in candidates)
        {
            if (!table.Needed.TryGetValue(chain, out NfChain? content) || content.Map is not { } map)
            {
                continue;
            }

            if (!actual.Maps.TryGetValue(map.Name, out Dictionary<string, string>? present))
            {
                batch.AddSet(table.KernelName, new NfSet(map.Name, NfTablesBatch.InterfaceKeyLength, NfSetKeys.InterfaceType, IsVerdictMap: true));
                actual.Maps[map.Name] = present = new Dictionary<string, string>(StringComparer.Ordinal);
            }

            WriteMap(table.KernelName, map, present);
        }
    }

    private void WriteMap(string table, Dispatch map, Dictionary<string, string> present)
    {
        string[] gone = [.. present.Where(p => map.Chains.GetValueOrDefault(p.Key) != p.Value).Select(static p => p.Key)];
        batch.DeleteInterfaces(table, map.Name, gone);
        foreach (string name in gone)
        {
            present.Remove(name);
        }

        (string, string)[] added = [.. map.Chains.Where(c => !present.ContainsKey(c.Key)).Select(static c => (c.Key, c.Value))];
        batch.AddInterfaces(table, map.Name, added);
        foreach ((string name, string chain) in added)
        {
            present[name] = chain;
        }
    }

    // ---- what nothing names any more

    private void DeleteUnneeded(string table, NfActual actual)
    {
        foreach (string set in _goneSets)
        {
            batch.DeleteSet(table, set);
            actual.Sets.Remove(set);
            actual.Repairs.Remove(set);
        }

        foreach (string chain in _goneChains)
        {
            if (actual.Maps.Remove(chain))
            {
                batch.DeleteSet(table, chain);
            }
        }

        foreach (string chain in _goneChains)
        {
            batch.DeleteChain(table, chain);
            actual.Chains.Remove(chain);
        }
    }
}
