using System.Text;
using Weft.Dataplane.Drivers.IpSets;
using Weft.Linux;
using Weft.Linux.Netfilter;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// Reads what the kernel holds of our tables. The pieces are read one after the other; when the generation is another at the end, somebody changed
/// something in between and all is read again.
/// </summary>
internal sealed class NfReader(NfTablesSocket socket, NfSetFamily sets)
{
    private const int Attempts = 5;

    /// <param name="tables">What is wanted, and where what there is is put.</param>
    /// <param name="generation">To which all that was read belongs.</param>
    public NetlinkResult Read(IReadOnlyList<(NfTable Desired, NfActual Actual)> tables, out uint generation)
    {
        generation = 0;
        for (int i = 0; i < Attempts; i++)
        {
            NetlinkResult result = socket.Generation(out generation);
            result = result.IsSuccess ? ReadOnce(tables) : result;
            if (result.Errno == Errno.ENOENT)
            {
                continue; // Something was deleted while it was read.
            }

            if (!result.IsSuccess)
            {
                return result;
            }

            result = socket.Generation(out uint after);
            if (!result.IsSuccess || after == generation)
            {
                return result;
            }
        }

        return new NetlinkResult(Errno.EINTR, "the rules changed during every attempt to read them");
    }

    private NetlinkResult ReadOnce(IReadOnlyList<(NfTable Desired, NfActual Actual)> tables)
    {
        List<KernelTable> present = [];
        List<KernelChain> chains = [];
        NetlinkResult result = socket.ReadTables(present);
        result = result.IsSuccess ? socket.ReadChains(chains) : result;
        foreach ((NfTable desired, NfActual actual) in tables)
        {
            actual.Clear();
            KernelTable? table = present.Find(t => t.Name == desired.KernelName);
            if (!result.IsSuccess || table is null)
            {
                continue;
            }

            (actual.IsPresent, actual.Sleeps) = (true, table.Sleeps);
            result = ReadChains(desired, actual, chains);
            result = result.IsSuccess ? ReadSets(desired, actual) : result;
        }

        return result;
    }

    private NetlinkResult ReadChains(NfTable desired, NfActual actual, List<KernelChain> chains)
    {
        Dictionary<string, List<string>> hashes = new(StringComparer.Ordinal);
        foreach (KernelChain chain in chains.Where(c => c.Table == desired.KernelName))
        {
            hashes[chain.Name] = [];
            if (desired.Needed.TryGetValue(chain.Name, out NfChain? wanted))
            {
                actual.MustBeRebuilt |= !NfActual.HangsRight(chain, wanted);
            }
        }

        List<KernelRule> rules = [];
        NetlinkResult result = socket.ReadRules(desired.KernelName, rules);
        foreach (KernelRule rule in rules)
        {
            hashes.GetValueOrDefault(rule.Chain)?.Add(NfRuleEncoder.HashIn(rule.UserData));
        }

        foreach ((string chain, List<string> found) in hashes)
        {
            actual.Chains[chain] = [.. found];
        }

        return result;
    }

    private NetlinkResult ReadSets(NfTable desired, NfActual actual)
    {
        Dictionary<string, (NfSetState Set, int Length)> wanted = new(StringComparer.Ordinal);
        foreach (NfSetState set in desired.NeededSets.Select(sets.Find))
        {
            foreach (int length in set.Lengths)
            {
                wanted[set.PartName(length)] = (set, length);
            }
        }

        List<KernelSet> present = [];
        NetlinkResult result = socket.ReadSets(desired.KernelName, present);
        foreach (KernelSet set in present.Where(s => !s.IsNameless))
        {
            if (!result.IsSuccess)
            {
                return result;
            }

            bool isMap = desired.Needed.TryGetValue(set.Name, out NfChain? chain) && chain.Map is not null;
            bool isSet = wanted.TryGetValue(set.Name, out (NfSetState Set, int Length) part);
            actual.MustBeRebuilt |= set.IsVerdictMap ? isSet : isMap || (isSet && set.KeyLength != part.Set.KeyLength);
            if (set.IsVerdictMap)
            {
                result = ReadMap(desired.KernelName, set.Name, isMap, actual);
            }
            else
            {
                actual.Sets.Add(set.Name);
                if (isSet && set.KeyLength == part.Set.KeyLength)
                {
                    result = ReadMembers(desired.KernelName, part.Set, part.Length, actual);
                }
            }
        }

        return result;
    }

    private NetlinkResult ReadMap(string table, string name, bool isWanted, NfActual actual)
    {
        List<(byte[] Key, string? Chain)> elements = [];
        NetlinkResult result = isWanted ? socket.ReadElements(table, name, elements) : NetlinkResult.Success;
        Dictionary<string, string> targets = new(StringComparer.Ordinal);
        foreach ((byte[] key, string? chain) in elements)
        {
            targets[Encoding.ASCII.GetString(key).TrimEnd('\0')] = chain ?? string.Empty;
        }

        actual.Maps[name] = targets;
        return result;
    }

    private NetlinkResult ReadMembers(string table, NfSetState set, int length, NfActual actual)
    {
        List<(byte[] Key, string? Chain)> elements = [];
        NetlinkResult result = socket.ReadElements(table, set.PartName(length), elements);
        IReadOnlyCollection<IpSetMember> wanted = set.Members(length);
        HashSet<IpSetMember> missing = [.. wanted];
        List<byte[]> foreign = [];
        IpFamily family = sets.Family;
        foreach ((byte[] key, _) in elements)
        {
            if (!missing.Remove(NfSetKeys.Parse(family, set.Metadata.Type, length, key)))
            {
                foreign.Add(key);
            }
        }

        if (missing.Count + foreign.Count > 0)
        {
            actual.Repairs[set.PartName(length)] = ([.. missing], foreign);
        }

        return result;
    }
}
