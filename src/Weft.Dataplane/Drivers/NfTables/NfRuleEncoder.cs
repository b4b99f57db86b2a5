using System.Buffers.Text;
using System.Text;
using Weft.Dataplane.Rules.Model;
using Weft.Linux.Netfilter;
using Weft.Primitives.Hashing;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.NfTables;

/// <summary>
/// Rules as expressions of the kernel. One rule becomes several where a criterion has alternatives that a single rule cannot express (a set of prefixes
/// of several lengths): the same action behind each of them. Every kernel rule carries its hash, which depends on everything before it in its chain:
/// <code>
/// h(0) = SHA-224(chain name)
/// h(i) = SHA-224(h(i-1), expressions, ports, comments)      user data: "cali:" + base64url(h(i)), first 16 characters + ";" + comments
/// </code>
/// Used by one thread.
/// </summary>
internal sealed class NfRuleEncoder
{
    private const int HashLength = 16;

    // nft takes comments of 128 bytes; the kernel 256 of user data.
    private const int LongestComment = 127;
    private const byte CommentType = 0;

    // As much of a packet as NFLOG of iptables is told to send.
    private const uint NflogBytes = 80;

    private readonly IpFamily _family;
    private readonly NfSetFamily _sets;
    private readonly NfExpressions _expressions;
    private readonly byte[] _digest = new byte[Sha224.Length];
    private byte[] _hashed = new byte[4096];
    private int _hashedLength;
    private bool _usesPortSet;

    public NfRuleEncoder(IpFamily family, NfSetFamily sets)
    {
        (_family, _sets, _expressions) = (family, sets, new NfExpressions(family));
    }

    /// <summary>Makes a nameless set of ports and returns its number.</summary>
    private delegate uint PortSet(IReadOnlyList<(ushort First, ushort Last)> ports);

    /// <summary>One way in which a criterion holds.</summary>
    private delegate void Alternative(NfExpressions target, PortSet portSet);

    /// <summary>The hashes of a chain's rules.</summary>
    public string[] Hash(string chain, NfChain content)
    {
        List<string> hashes = [];
        ForEach(chain, content, null, (hash, _) => hashes.Add(hash));
        return [.. hashes];
    }

    /// <summary>Appends the rules to the chain; it must be there and empty.</summary>
    public void Write(string table, string chain, NfChain content, NfTablesBatch batch) =>
        ForEach(chain, content, ports => batch.AddPortSet(table, ports), (_, userData) => batch.AddRule(table, chain, _expressions.Bytes, userData));

    /// <summary>How many rules of the kernel one of ours becomes.</summary>
    public int Count(Rule rule) => Combinations(rule).Count();

    /// <summary>The hash in user data of ours; empty for a rule of somebody else.</summary>
    public static string HashIn(ReadOnlySpan<byte> userData)
    {
        const int Start = 2 + 5; // type, length, "cali:"
        return userData.Length >= Start + HashLength && userData[0] == CommentType && userData[2..Start].SequenceEqual("cali:"u8)
            ? Encoding.ASCII.GetString(userData.Slice(Start, HashLength))
            : string.Empty;
    }

    /// <param name="chain">Its name.</param>
    /// <param name="content">What it holds.</param>
    /// <param name="portSet">Makes a nameless set; null while the rules are only hashed.</param>
    /// <param name="onRule">Given hash and user data; the expressions stand ready.</param>
    private void ForEach(string chain, NfChain content, PortSet? portSet, Action<string, byte[]> onRule)
    {
        Sha224.Hash(Encoding.UTF8.GetBytes(chain), _digest);
        if (content.Map is { } map)
        {
            (_hashedLength, _usesPortSet) = (0, false);
            _expressions.Clear();
            _expressions.Counter();
            _expressions.InterfaceVerdict(map.Way == InterfaceWay.In ? NfInterface.In : NfInterface.Out, map.Name);
            (string hash, byte[] userData) = Seal([]);
            onRule(hash, userData);
        }

        foreach (Rule rule in content.Rules)
        {
            foreach (Alternative[] criteria in Combinations(rule))
            {
                // The number of a nameless set differs from batch to batch: the hash is taken with its ports instead.
                (_hashedLength, _usesPortSet) = (0, false);
                Encode(criteria, rule.Action, Note);
                (string hash, byte[] userData) = Seal(rule.Comments);
                if (_usesPortSet && portSet is not null)
                {
                    Encode(criteria, rule.Action, portSet);
                }

                onRule(hash, userData);
            }
        }
    }

    private void Encode(Alternative[] criteria, RuleAction action, PortSet portSet)
    {
        _expressions.Clear();
        foreach (Alternative criterion in criteria)
        {
            criterion(_expressions, portSet);
        }

        _expressions.Counter();
        Act(action);
    }

    private (string Hash, byte[] UserData) Seal(string[] comments)
    {
        string text = string.Join("; ", comments.Select(RuleComment.Clean));
        Note(_expressions.Bytes);
        Note(Encoding.UTF8.GetBytes(text));
        byte[] input = new byte[Sha224.Length + _hashedLength];
        _digest.CopyTo(input, 0);
        _hashed.AsSpan(0, _hashedLength).CopyTo(input.AsSpan(Sha224.Length));
        Sha224.Hash(input, _digest);
        string hash = Base64Url.EncodeToString(_digest)[..HashLength];
        string comment = text.Length == 0 ? $"cali:{hash};" : $"cali:{hash}; {text}";
        comment = comment.Length <= LongestComment ? comment : comment[..LongestComment];
        byte[] userData = new byte[2 + comment.Length + 1];
        (userData[0], userData[1]) = (CommentType, (byte)(comment.Length + 1));
        Encoding.ASCII.GetBytes(comment, userData.AsSpan(2));
        return (hash, userData);
    }

    private void Note(ReadOnlySpan<byte> bytes)
    {
        if (_hashed.Length < _hashedLength + bytes.Length)
        {
            Array.Resize(ref _hashed, (_hashedLength + bytes.Length) * 2);
        }

        bytes.CopyTo(_hashed.AsSpan(_hashedLength));
        _hashedLength += bytes.Length;
    }

    private uint Note(IReadOnlyList<(ushort First, ushort Last)> ports)
    {
        _usesPortSet = true;
        foreach ((ushort first, ushort last) in ports)
        {
            Note([(byte)(first >> 8), (byte)first, (byte)(last >> 8), (byte)last]);
        }

        return 1;
    }

    // ---- criteria

    /// <summary>Every combination of the alternatives of all criteria. For an action that must not happen twice they exclude one another.</summary>
    private IEnumerable<Alternative[]> Combinations(Rule rule)
    {
        bool once = rule.Action is LogAction or NflogAction;
        IEnumerable<Alternative[]> all = [[]];
        foreach (Criterion criterion in rule.Match.Criteria)
        {
            Alternative[] ways = Ways(criterion, once);
            all = ways.Length == 1 ? all.Select(before => (Alternative[])[.. before, ways[0]]) : all.SelectMany(before => ways.Select(way => (Alternative[])[.. before, way]));
        }

        return all;
    }

    private Alternative[] Ways(Criterion criterion, bool exclusive) => criterion switch
    {
        MarkCriterion m => [(e, _) => e.Mark(m.Mark, m.Mask, Sense(m.Negated))],
        InterfaceCriterion i => [(e, _) => Interface(e, i)],
        ReversePathFailsCriterion => [static (e, _) => e.ReversePathFails()],
        LocalAddressCriterion a => [(e, _) => e.LocalAddress(End(a.End), a.LimitToOutInterface ? NfInterface.Out : null, Sense(a.Negated))],
        ConntrackCriterion c => ConntrackWays(c),
        ProtocolCriterion p => [(e, _) => e.Protocol(p.Number, Sense(p.Negated))],
        NetCriterion { Net.IsDefault: true, Negated: false } => [static (_, _) => { }],
        NetCriterion n => [(e, _) => e.Address(End(n.End), n.Net, Sense(n.Negated))],
        SetCriterion s => SetWays(s, exclusive),
        PortsCriterion p => [(e, portSet) => Ports(e, p, portSet)],
        IcmpCriterion i => [(e, _) => e.Icmp((byte)i.Type, (byte?)i.Code, Sense(i.Negated))],
        LimitCriterion l => [(e, _) => e.Limit((ulong)l.Packets, Span(l.Unit), l.Burst == 0 ? 5u : (uint)l.Burst)],
        _ => throw new ArgumentOutOfRangeException(nameof(criterion), criterion, "nf_tables has no such match"),
    };

    private static NfSense Sense(bool negated) => negated ? NfSense.IsNot : NfSense.Is;

    private static NfEnd End(PacketEnd end) => end == PacketEnd.Source ? NfEnd.Source : NfEnd.Destination;

    private static TimeSpan Span(RateUnit unit) => unit switch
    {
        RateUnit.Minute => TimeSpan.FromMinutes(1),
        RateUnit.Hour => TimeSpan.FromHours(1),
        RateUnit.Day => TimeSpan.FromDays(1),
        _ => TimeSpan.FromSeconds(1),
    };

    private static void Interface(NfExpressions target, InterfaceCriterion criterion)
    {
        NfInterface which = criterion.Way == InterfaceWay.In ? NfInterface.In : NfInterface.Out;
        if (!criterion.IsPrefix)
        {
            target.InterfaceName(which, criterion.Name);
        }
        else if (criterion.Name.Length > 1)
        {
            target.InterfacePrefix(which, criterion.Name[..^1]);
        }
    }

    /// <summary>
    /// "Not translated" holds for packets without a connection too, of which the kernel cannot be asked: those are the invalid and the untracked.
    /// </summary>
    private static Alternative[] ConntrackWays(ConntrackCriterion criterion)
    {
        if (criterion.States == ConntrackStates.Dnat)
        {
            return criterion.Negated
                ?
                [
                    static (e, _) => e.DestinationTranslated(NfSense.IsNot),
                    static (e, _) => e.ConntrackState(NfConntrackStates.Invalid | NfConntrackStates.Untracked, NfSense.Is),
                ]
                : [static (e, _) => e.DestinationTranslated(NfSense.Is)];
        }

        NfConntrackStates states = 0;
        states |= criterion.States.HasFlag(ConntrackStates.Established) ? NfConntrackStates.Established : 0;
        states |= criterion.States.HasFlag(ConntrackStates.Related) ? NfConntrackStates.Related : 0;
        states |= criterion.States.HasFlag(ConntrackStates.New) ? NfConntrackStates.New : 0;
        states |= criterion.States.HasFlag(ConntrackStates.Invalid) ? NfConntrackStates.Invalid : 0;
        return criterion.States.HasFlag(ConntrackStates.Dnat)
            ? throw new ArgumentOutOfRangeException(nameof(criterion), criterion, "a translation beside states has no match of its own")
            : [(e, _) => e.ConntrackState(states, Sense(criterion.Negated))];
    }

    private Alternative[] SetWays(SetCriterion criterion, bool exclusive)
    {
        NfEnd end = End(criterion.End);
        if (criterion.Key == SetKey.AddressAndPort)
        {
            return [(e, _) => e.AddressAndPortInSet(end, criterion.Set, Sense(criterion.Negated))];
        }

        NfSetState set = _sets.Find(criterion.Set);
        int[] lengths = [.. set.Lengths];
        if (criterion.Negated)
        {
            return [(e, _) => NotIn(e, lengths)];
        }

        return
        [
            .. lengths.Select((length, i) => (Alternative)((e, _) =>
            {
                if (exclusive)
                {
                    NotIn(e, lengths[..i]);
                }

                e.AddressInSet(end, length, set.PartName(length), NfSense.Is);
            })),
        ];

        void NotIn(NfExpressions target, int[] parts)
        {
            foreach (int length in parts)
            {
                target.AddressInSet(end, length, set.PartName(length), NfSense.IsNot);
            }
        }
    }

    private static void Ports(NfExpressions target, PortsCriterion criterion, PortSet portSet)
    {
        NfEnd end = End(criterion.End);
        if (criterion.Negated)
        {
            foreach ((ushort first, ushort last) in criterion.Ports)
            {
                target.PortOutside(end, first, last);
            }
        }
        else if (criterion.Ports.Count == 1)
        {
            target.Port(end, criterion.Ports[0].First, criterion.Ports[0].Last);
        }
        else
        {
            target.PortInSet(end, portSet(criterion.Ports));
        }
    }

    // ---- actions

    private void Act(RuleAction action)
    {
        switch (action)
        {
            case VerdictAction { Verdict: Verdict.Accept }: _expressions.Accept(); break;
            case VerdictAction { Verdict: Verdict.Drop }: _expressions.Drop(); break;
            case VerdictAction { Verdict: Verdict.Return }: _expressions.Return(); break;
            case VerdictAction: break; // The counter is all there is.
            case RejectAction { WithTcpReset: true }: _expressions.RejectWithTcpReset(); break;
            case RejectAction: _expressions.Reject(); break;
            case NoTrackAction: _expressions.NoTrack(); break;
            case JumpAction { ComesBack: true } j: _expressions.Jump(j.Chain); break;
            case JumpAction j: _expressions.Goto(j.Chain); break;
            case MarkAction m: _expressions.SetMark(m.Mark, m.Mask); break;
            case ClearMarkAction c: _expressions.SetMark(0, c.Bits); break;
            case DnatAction d: _expressions.Dnat(IpAddress.Parse(d.Address), (ushort)d.Port); break;
            case SnatAction { Address: null } s: _expressions.Masquerade(Ports(s.Ports)); break;
            case SnatAction s: _expressions.Snat(IpAddress.Parse(s.Address), Ports(s.Ports)); break;
            case NflogAction n: _expressions.Nflog((ushort)n.Group, n.Prefix, NflogBytes); break;
            case LogAction l: _expressions.Log($"{l.Prefix}: "); break;
            case DscpAction d: _expressions.SetDscp((byte)d.Value); break;
            default: throw new ArgumentOutOfRangeException(nameof(action), action, "nf_tables has no such action");
        }
    }

    private static (ushort First, ushort Last)? Ports(PortSpan? ports) => ports is { } span ? (span.First, span.Last) : null;
}
