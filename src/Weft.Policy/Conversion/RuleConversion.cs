using Weft.Model.Resources;
using Weft.Model.Selectors;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Conversion;

/// <summary>v3 rules to <see cref="RuleValue"/>. What cannot be expressed is reported and makes the whole policy unusable.</summary>
/// <param name="policyNamespace">Empty for global policies and profiles.</param>
/// <param name="problems">Where defects go.</param>
internal readonly ref struct RuleConversion(string policyNamespace, Problems problems)
{
    private const byte Icmp = 1;
    private const byte IcmpV6 = 58;

    public IReadOnlyList<RuleValue> Convert(List<Rule>? rules, string field)
    {
        if (rules is not { Count: > 0 })
        {
            return [];
        }

        RuleValue[] converted = new RuleValue[rules.Count];
        for (int i = 0; i < converted.Length; i++)
        {
            converted[i] = Convert(rules[i], $"{field}[{i}]");
        }

        return converted;
    }

    private RuleValue Convert(Rule rule, string field)
    {
        RuleAction action = RuleAction.Deny;
        if (!TryAction(rule.Action, out action))
        {
            problems.Add($"{field}.action", $"\"{rule.Action}\" is none of Allow, Deny, Log, Pass");
        }

        if (rule.IpVersion is not (null or 4 or 6))
        {
            problems.Add($"{field}.ipVersion", $"{rule.IpVersion} is neither 4 nor 6");
        }

        if (rule.Http is not null)
        {
            // Without it the rule would let through what its author meant to narrow down.
            problems.Add($"{field}.http", "HTTP matches are not supported: they need a proxy in every pod");
        }

        byte? protocol = Protocol(rule.Protocol, $"{field}.protocol");
        RuleEntity source = Entity(rule.Source, $"{field}.source");
        RuleEntity destination = Entity(rule.Destination, $"{field}.destination");
        CheckPorts(protocol, rule.Protocol is not null, source, destination, field);

        return new RuleValue(
            action,
            Family(rule),
            protocol,
            Protocol(rule.NotProtocol, $"{field}.notProtocol"),
            IcmpOf(rule.Icmp, $"{field}.icmp"),
            IcmpOf(rule.NotICMP, $"{field}.notICMP"),
            source,
            destination,
            rule.Metadata?.Annotations is { Count: > 0 } annotations ? [.. annotations.OrderBy(a => a.Key, StringComparer.Ordinal)] : []);
    }

    private static bool TryAction(string text, out RuleAction action)
    {
        // The backend's spellings are accepted too: stored profiles of old clusters have them.
        (action, bool known) = text switch
        {
            "Allow" or "allow" => (RuleAction.Allow, true),
            "Deny" or "deny" => (RuleAction.Deny, true),
            "Log" or "log" => (RuleAction.Log, true),
            "Pass" or "pass" or "next-tier" => (RuleAction.Pass, true),
            _ => (RuleAction.Deny, false),
        };
        return known;
    }

    /// <summary>Without a version, only the names icmp and icmpv6 imply one; the numbers do not (felix/calc).</summary>
    private static IpFamily Family(Rule rule) => rule.IpVersion switch
    {
        4 => IpFamily.IPv4,
        6 => IpFamily.IPv6,
        _ => rule.Protocol is not { Name: not null } named ? IpFamily.None
            : named.Number == Icmp ? IpFamily.IPv4
            : named.Number == IcmpV6 ? IpFamily.IPv6
            : IpFamily.None,
    };

    private byte? Protocol(Protocol? protocol, string field)
    {
        if (protocol is not { } given)
        {
            return null;
        }

        if (given.Number == 0)
        {
            problems.Add(field, $"\"{given}\" is no protocol");
        }

        return given.Number;
    }

    private IcmpMatch? IcmpOf(IcmpFields? fields, string field)
    {
        if (fields is null || (fields.Type is null && fields.Code is null))
        {
            return null;
        }

        if (fields.Type is not (>= 0 and <= 254) || fields.Code is < 0 or > 255)
        {
            problems.Add(field, "type must be 0-254 and code 0-255; a code needs a type");
            return null;
        }

        return new IcmpMatch((byte)fields.Type.Value, (byte?)fields.Code);
    }

    private RuleEntity Entity(EntityRule? entity, string field)
    {
        if (entity is null)
        {
            return RuleEntity.Any;
        }

        return new RuleEntity(
            Nets(entity.Nets, $"{field}.nets"),
            Nets(entity.NotNets, $"{field}.notNets"),
            SelectorOf(SelectorConversion.EntitySelector(entity, policyNamespace), $"{field}.selector"),
            SelectorOf(entity.NotSelector, $"{field}.notSelector"),
            entity.Ports ?? [],
            entity.NotPorts ?? [],
            Service(entity.Services, $"{field}.services"));
    }

    /// <summary>Bare addresses get full masks, host bits are masked away, what cannot be read is left out (and reported).</summary>
    private IpPrefix[] Nets(List<string>? texts, string field)
    {
        if (texts is not { Count: > 0 })
        {
            return [];
        }

        List<IpPrefix> nets = new(texts.Count);
        foreach (string text in texts)
        {
            if (IpPrefix.TryParseNet(text, out IpPrefix net))
            {
                nets.Add(net);
            }
            else
            {
                problems.Add(field, $"\"{text}\" is no CIDR");
            }
        }

        return [.. nets];
    }

    private Selector? SelectorOf(string? text, string field)
    {
        if (SelectorConversion.IsEmpty(text))
        {
            return null;
        }

        if (!Selector.TryParse(text, out Selector? selector, out string? error))
        {
            problems.Add(field, $"\"{text}\" is no selector: {error}");
        }

        return selector;
    }

    private string? Service(ServiceMatch? service, string field)
    {
        if (service is null)
        {
            return null;
        }

        string @namespace = string.IsNullOrEmpty(service.Namespace) ? policyNamespace : service.Namespace;
        if (string.IsNullOrEmpty(service.Name) || @namespace.Length == 0)
        {
            problems.Add(field, "a service needs a name and, in a global policy, a namespace");
            return null;
        }

        return $"{@namespace}/{service.Name}";
    }

    private void CheckPorts(byte? protocol, bool protocolGiven, RuleEntity source, RuleEntity destination, string field)
    {
        bool any = source.Ports.Count + source.NotPorts.Count + destination.Ports.Count + destination.NotPorts.Count > 0;
        if (!any || protocol is 6 or 17 or 132)
        {
            return;
        }

        if (protocolGiven)
        {
            problems.Add(field, "ports need protocol TCP, UDP or SCTP");
        }
        else if (source.Ports.Concat(source.NotPorts).Concat(destination.Ports).Concat(destination.NotPorts).Any(p => !p.IsNamed))
        {
            problems.Add(field, "numeric ports need a protocol");
        }
    }
}
