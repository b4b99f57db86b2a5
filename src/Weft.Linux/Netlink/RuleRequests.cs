using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Linux.Native;
using Weft.Primitives.Net;
using static Weft.Linux.Native.NetlinkConstants;
using static Weft.Linux.Native.RouteConstants;

namespace Weft.Linux.Netlink;

/// <summary>A policy routing rule: "priority: [not] from source fwmark mark/mask lookup table".</summary>
/// <param name="Priority">Lower is asked first.</param>
/// <param name="Mark">Compared after <paramref name="Mask"/>; a mask of 0 matches every packet.</param>
/// <param name="Invert">Matches the packets the mark does not.</param>
/// <param name="Protocol">RTPROT_*: who wrote it.</param>
/// <param name="Source">Null for any source.</param>
public readonly record struct RoutingRule(
    IpFamily Family, uint Priority, uint Table, uint Mark = 0, uint Mask = 0, bool Invert = false, byte Protocol = 0, IpPrefix? Source = null);

/// <summary>Policy routing rules: add, delete, read. Only the selectors weft writes are understood.</summary>
public sealed class RuleRequests
{
    private readonly INetlink _netlink;

    internal RuleRequests(INetlink netlink)
    {
        _netlink = netlink;
    }

    public NetlinkResult Add(in RoutingRule rule) => Write(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);

    public NetlinkResult Delete(in RoutingRule rule) => Write(RTM_DELRULE, 0, rule);

    public NetlinkResult List(List<RoutingRule> rules, IpFamily family)
    {
        NetlinkRequest request = new(stackalloc byte[64], RTM_GETRULE, NLM_F_DUMP);
        request.Header(new FibRuleHdr { Family = Family.ToKernel(family) });
        Sink sink = new(rules);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    private NetlinkResult Write(ushort type, int flags, in RoutingRule rule)
    {
        NetlinkRequest request = new(stackalloc byte[128], type, flags);
        request.Header(new FibRuleHdr
        {
            Family = Family.ToKernel(rule.Family),
            Action = FR_ACT_TO_TBL,
            SourceLength = (byte)(rule.Source?.Length ?? 0),
            Flags = rule.Invert ? FIB_RULE_INVERT : 0,
        });
        request.Put(FRA_PRIORITY, rule.Priority);
        request.Put(FRA_TABLE, rule.Table);
        if (rule.Mask != 0)
        {
            request.Put(FRA_FWMARK, rule.Mark);
            request.Put(FRA_FWMASK, rule.Mask);
        }

        if (rule.Source is { } source)
        {
            request.Put(FRA_SRC, source.Address);
        }

        if (rule.Protocol != 0)
        {
            request.Put(FRA_PROTOCOL, rule.Protocol);
        }

        return _netlink.Execute(request.Finish());
    }

    private readonly struct Sink(List<RoutingRule> rules) : INetlinkSink
    {
        public void Restart() => rules.Clear();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            int size = Unsafe.SizeOf<FibRuleHdr>();
            if (type != RTM_NEWRULE || payload.Length < size)
            {
                return;
            }

            FibRuleHdr header = MemoryMarshal.Read<FibRuleHdr>(payload);
            RoutingRule rule = new(Family.FromKernel(header.Family), 0, header.Table, Invert: (header.Flags & FIB_RULE_INVERT) != 0);
            AttributeReader attributes = new(payload[size..]);
            while (attributes.Next(out ushort attribute, out ReadOnlySpan<byte> value))
            {
                rule = attribute switch
                {
                    FRA_SRC when value.Length is 4 or 16 => rule with { Source = new IpPrefix(IpAddress.FromBytes(value), header.SourceLength) },
                    FRA_PRIORITY => rule with { Priority = AttributeReader.U32(value) },
                    FRA_TABLE => rule with { Table = AttributeReader.U32(value) },
                    FRA_FWMARK => rule with { Mark = AttributeReader.U32(value) },
                    FRA_FWMASK => rule with { Mask = AttributeReader.U32(value) },
                    FRA_PROTOCOL when value.Length == 1 => rule with { Protocol = value[0] },
                    _ => rule,
                };
            }

            rules.Add(rule);
        }
    }
}
