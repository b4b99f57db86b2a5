using Weft.Dataplane.Drivers.IpSets;
using Weft.Dataplane.Rules;
using Weft.Policy.Output;
using IpSetMember = Weft.Dataplane.Drivers.IpSets.IpSetMember;
using IpSetType = Weft.Dataplane.Drivers.IpSets.IpSetType;

namespace Weft.Dataplane.Managers;

/// <summary>A set of the calculation graph, which knows no families, becomes one kernel set per family.</summary>
internal sealed class SetsManager(IReadOnlyList<FamilyDrivers> families, RuleSettings settings) : IDataplaneManager
{
    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private int _maxElements = settings.MaxSetSize;

    public int Count => _ids.Count;

    public void OnUpdate(DataplaneUpdate update)
    {
        foreach (FamilyDrivers family in families)
        {
            switch (update)
            {
                case IpSetUpdate set:
                    _ids.Add(set.Id);
                    family.Sets.AddOrReplace(new IpSetMetadata(set.Id, Type(set.Type), _maxElements), set.Members.Select(Member));
                    break;
                case IpSetDeltaUpdate delta:
                    family.Sets.AddMembers(delta.Id, delta.Added.Select(Member));
                    family.Sets.RemoveMembers(delta.Id, delta.Removed.Select(Member));
                    break;
                case IpSetRemove remove:
                    _ids.Remove(remove.Id);
                    family.Sets.Remove(remove.Id);
                    break;
            }
        }
    }

    public void OnSettings(RuleSettings settings)
    {
        if (settings.MaxSetSize == _maxElements)
        {
            return;
        }

        _maxElements = settings.MaxSetSize;
        foreach (FamilyDrivers family in families)
        {
            foreach (string id in _ids)
            {
                family.Sets.Resize(id, _maxElements);
            }
        }
    }

    public void Apply()
    {
    }

    private static IpSetType Type(Policy.Output.IpSetType type) => type switch
    {
        Policy.Output.IpSetType.Ip => IpSetType.Ip,
        Policy.Output.IpSetType.IpAndPort => IpSetType.IpPort,
        _ => IpSetType.Net,
    };

    private static IpSetMember Member(Policy.Output.IpSetMember member) => new(member.Prefix, member.Protocol, member.Port);
}
