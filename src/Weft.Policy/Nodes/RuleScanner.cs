using System.Runtime.InteropServices;
using Weft.Model.Resources;
using Weft.Model.Selectors;
using Weft.Policy.Conversion;
using Weft.Policy.Indexes;
using Weft.Policy.Output;

namespace Weft.Policy.Nodes;

/// <summary>Told which sets exist, and the rules in terms of them.</summary>
internal interface IScannedRulesListener
{
    void OnSetActive(SetDefinition set);

    void OnSetInactive(string setId);

    void OnPolicyRules(ActivePolicyUpdate policy);

    void OnPolicyGone(PolicyId id);

    void OnProfileRules(ActiveProfileUpdate profile);

    void OnProfileGone(string name);
}

/// <summary>
/// Replaces selectors, named ports and services in active rules by set ids. A set is active while at least one policy or profile uses it; the new sets
/// of a changed policy become active before its old ones go.
/// </summary>
internal sealed class RuleScanner(IScannedRulesListener listener) : IActiveRulesListener
{
    // Owner: a PolicyId or the name of a profile.
    private readonly Dictionary<object, Dictionary<string, SetDefinition>> _setsOf = [];
    private readonly Dictionary<string, int> _uses = new(StringComparer.Ordinal);

    public void OnPolicyActive(PolicyValue policy)
    {
        Dictionary<string, SetDefinition> sets = [];
        ActivePolicyUpdate update = new(
            policy.Id, policy.Tier, Scan(policy.Inbound, sets), Scan(policy.Outbound, sets), policy.Selector.Text, policy.Traits);
        Use(policy.Id, sets);
        listener.OnPolicyRules(update);
    }

    public void OnPolicyInactive(PolicyId id)
    {
        listener.OnPolicyGone(id);
        Use(id, []);
    }

    public void OnProfileActive(ProfileValue profile)
    {
        Dictionary<string, SetDefinition> sets = [];
        ActiveProfileUpdate update = new(profile.Name, Scan(profile.Inbound, sets), Scan(profile.Outbound, sets));
        Use(profile.Name, sets);
        listener.OnProfileRules(update);
    }

    public void OnProfileInactive(string name)
    {
        listener.OnProfileGone(name);
        Use(name, []);
    }

    private void Use(object owner, Dictionary<string, SetDefinition> sets)
    {
        Dictionary<string, SetDefinition> old = _setsOf.GetValueOrDefault(owner) ?? [];
        foreach ((string id, SetDefinition set) in sets)
        {
            if (old.ContainsKey(id))
            {
                continue;
            }

            ref int uses = ref CollectionsMarshal.GetValueRefOrAddDefault(_uses, id, out _);
            if (++uses == 1)
            {
                listener.OnSetActive(set);
            }
        }

        foreach (string id in old.Keys)
        {
            if (!sets.ContainsKey(id) && --CollectionsMarshal.GetValueRefOrAddDefault(_uses, id, out _) == 0)
            {
                _uses.Remove(id);
                listener.OnSetInactive(id);
            }
        }

        if (sets.Count > 0)
        {
            _setsOf[owner] = sets;
        }
        else
        {
            _setsOf.Remove(owner);
        }
    }

    private static DataplaneRule[] Scan(IReadOnlyList<RuleValue> rules, Dictionary<string, SetDefinition> sets)
    {
        DataplaneRule[] scanned = new DataplaneRule[rules.Count];
        for (int i = 0; i < scanned.Length; i++)
        {
            scanned[i] = Scan(rules[i], sets);
        }

        return scanned;
    }

    private static DataplaneRule Scan(RuleValue rule, Dictionary<string, SetDefinition> sets)
    {
        Side source = Scan(rule.Source, rule.Protocol, sets);
        Side destination = Scan(rule.Destination, rule.Protocol, sets);
        List<string> sourceSets = [.. source.Sets];
        if (rule.Source.Service is { } sourceService)
        {
            sourceSets.Add(Service("svcnoport", sourceService, IpSetType.Net, sets));
        }

        return new DataplaneRule
        {
            Action = rule.Action,
            IpVersion = rule.IpVersion,
            Protocol = rule.Protocol,
            NotProtocol = rule.NotProtocol,
            Icmp = rule.Icmp,
            NotIcmp = rule.NotIcmp,
            SrcNets = rule.Source.Nets,
            NotSrcNets = rule.Source.NotNets,
            DstNets = rule.Destination.Nets,
            NotDstNets = rule.Destination.NotNets,
            SrcPorts = source.Ports,
            NotSrcPorts = source.NotPorts,
            DstPorts = destination.Ports,
            NotDstPorts = destination.NotPorts,
            SrcIpSetIds = sourceSets,
            NotSrcIpSetIds = source.NotSets,
            DstIpSetIds = destination.Sets,
            NotDstIpSetIds = destination.NotSets,
            SrcNamedPortIpSetIds = source.NamedPortSets,
            NotSrcNamedPortIpSetIds = source.NotNamedPortSets,
            DstNamedPortIpSetIds = destination.NamedPortSets,
            NotDstNamedPortIpSetIds = destination.NotNamedPortSets,
            DstIpPortSetIds = rule.Destination.Service is { } service ? [Service("svc", service, IpSetType.IpAndPort, sets)] : [],
            Annotations = rule.Annotations,
        };
    }

    private static Side Scan(RuleEntity entity, byte? protocol, Dictionary<string, SetDefinition> sets)
    {
        Selector? positive = entity.Selector;
        Selector? negative = entity.NotSelector;
        if (positive is not null && negative is not null)
        {
            // One set does for both: what matches the one and not the other.
            positive = Selector.Parse($"({positive.Text}) && (!({negative.Text}))");
            negative = null;
        }

        (PortRange[] ports, List<string> named) = Split(entity.Ports, positive ?? Selector.All, protocol, sets);
        (PortRange[] notPorts, List<string> notNamed) = Split(entity.NotPorts, Selector.All, protocol, sets);

        // The set of a named port contains only what the selector matches, so with named ports alone the plain set says nothing more.
        bool plain = positive is not null && (named.Count == 0 || ports.Length > 0);
        return new Side(
            ports,
            notPorts,
            plain ? [Net(positive!, sets)] : [],
            negative is not null ? [Net(negative, sets)] : [],
            named,
            notNamed);
    }

    private static (PortRange[] Numeric, List<string> Named) Split(
        IReadOnlyList<Port> ports, Selector selector, byte? protocol, Dictionary<string, SetDefinition> sets)
    {
        List<PortRange> numeric = [];
        List<string> named = [];
        foreach (Port port in ports)
        {
            if (port.Name is null)
            {
                numeric.Add(new PortRange(port.Min, port.Max));
                continue;
            }

            string text = protocol switch { 6 => "tcp", 17 => "udp", 132 => "sctp", _ => "any" };
            string id = UniqueId.Make("n", $"{selector.Id},{text},{port.Name}");
            sets[id] = new SetDefinition(id, IpSetType.IpAndPort, selector, port.Name, protocol ?? 0);
            if (!named.Contains(id))
            {
                named.Add(id);
            }
        }

        return ([.. numeric], named);
    }

    private static string Net(Selector selector, Dictionary<string, SetDefinition> sets)
    {
        sets[selector.Id] = new SetDefinition(selector.Id, IpSetType.Net, selector);
        return selector.Id;
    }

    /// <summary>Members come from EndpointSlices, which only the Kubernetes datastore has: without it the set exists and is empty.</summary>
    private static string Service(string prefix, string service, IpSetType type, Dictionary<string, SetDefinition> sets)
    {
        string id = UniqueId.Make(prefix, service);
        sets[id] = new SetDefinition(id, type, null) { Service = service };
        return id;
    }

    private readonly record struct Side(
        PortRange[] Ports, PortRange[] NotPorts, string[] Sets, string[] NotSets, List<string> NamedPortSets, List<string> NotNamedPortSets);
}
