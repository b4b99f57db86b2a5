using Weft.Linux.Native;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;
using static Weft.Linux.Native.NfTablesConstants;

namespace Weft.Linux.Netfilter;

/// <summary>Where a base chain hangs in the packet's way.</summary>
public enum NfHook : byte
{
    PreRouting = NF_INET_PRE_ROUTING,
    Input = NF_INET_LOCAL_IN,
    Forward = NF_INET_FORWARD,
    Output = NF_INET_LOCAL_OUT,
    PostRouting = NF_INET_POST_ROUTING,
}

/// <summary>A base chain: what makes the kernel send packets into a table.</summary>
/// <param name="Type">"filter", "nat", "route".</param>
/// <param name="Hook">Where.</param>
/// <param name="Priority">Lower comes first.</param>
public sealed record NfBaseChain(string Type, NfHook Hook, int Priority);

/// <summary>A set or a map of verdicts.</summary>
/// <param name="Name">Of letters, digits, "-", "_", "." and "/".</param>
/// <param name="KeyLength">Bytes.</param>
/// <param name="KeyType">nft's own number of the type, kept by the kernel so that nft can print it; means nothing to the kernel.</param>
/// <param name="IsVerdictMap">Elements carry a verdict.</param>
public sealed record NfSet(string Name, int KeyLength, uint KeyType, bool IsVerdictMap = false);

/// <summary>
/// One transaction on the nf_tables of one family, written as messages one behind the other:
/// <code>
///   BATCH_BEGIN  NEWTABLE  NEWCHAIN ...  NEWSET  NEWSETELEM ...  DELRULE  NEWRULE ...  DELCHAIN  BATCH_END
/// </code>
/// The kernel carries out the messages in order, and all of them or none.
/// </summary>
public sealed class NfTablesBatch
{
    /// <summary>Of the key of a map of interfaces: their names, padded.</summary>
    public const int InterfaceKeyLength = 16;

    internal const string NamelessSet = "__set%d";

    // An attribute's length has 16 bits, and a list of elements is one attribute.
    private const int LongestElements = 56 * 1024;
    private const int LargestElement = 512;
    private const int Room = 80 * 1024;

    private readonly IpFamily _family;
    private byte[] _buffer = new byte[Room * 2];
    private uint _nextSetId = 1;

    public NfTablesBatch(IpFamily family)
    {
        _family = family;
        Clear();
    }

    /// <summary>Bytes so far.</summary>
    public int Length { get; private set; }

    /// <summary>Requests so far, without begin and end.</summary>
    public int Count { get; private set; }

    public void Clear()
    {
        (Length, Count, _nextSetId) = (0, 0, 1);
        Bracket(NFNL_MSG_BATCH_BEGIN);
    }

    /// <summary>Creates the table unless it is there, and wakes it if it sleeps.</summary>
    public void AddTable(string table)
    {
        NetlinkRequest request = Begin(NFT_MSG_NEWTABLE, NetlinkConstants.NLM_F_CREATE);
        request.Put(NFTA_TABLE_NAME, table);
        request.PutBigEndian(NFTA_TABLE_FLAGS, 0u);
        End(ref request);
    }

    /// <summary>With everything in it; the table must be there.</summary>
    public void DeleteTable(string table)
    {
        NetlinkRequest request = Begin(NFT_MSG_DELTABLE, 0);
        request.Put(NFTA_TABLE_NAME, table);
        End(ref request);
    }

    /// <summary>Creates the chain unless it is there.</summary>
    /// <param name="table">Of which table.</param>
    /// <param name="chain">Its name.</param>
    /// <param name="hook">Null for a chain that only other chains lead to.</param>
    public void AddChain(string table, string chain, NfBaseChain? hook = null)
    {
        NetlinkRequest request = Begin(NFT_MSG_NEWCHAIN, NetlinkConstants.NLM_F_CREATE);
        request.Put(NFTA_CHAIN_TABLE, table);
        request.Put(NFTA_CHAIN_NAME, chain);
        if (hook is not null)
        {
            int nested = request.BeginNested(NFTA_CHAIN_HOOK);
            request.PutBigEndian(NFTA_HOOK_HOOKNUM, (uint)hook.Hook);
            request.PutBigEndian(NFTA_HOOK_PRIORITY, (uint)hook.Priority);
            request.EndNested(nested);
            request.PutBigEndian(NFTA_CHAIN_POLICY, (uint)NF_ACCEPT);
            request.Put(NFTA_CHAIN_TYPE, hook.Type);
        }

        End(ref request);
    }

    /// <summary>No rule may lead to it any more.</summary>
    public void DeleteChain(string table, string chain)
    {
        NetlinkRequest request = Begin(NFT_MSG_DELCHAIN, 0);
        request.Put(NFTA_CHAIN_TABLE, table);
        request.Put(NFTA_CHAIN_NAME, chain);
        End(ref request);
    }

    /// <summary>Takes all rules out of a chain.</summary>
    public void FlushChain(string table, string chain)
    {
        NetlinkRequest request = Begin(NFT_MSG_DELRULE, 0);
        request.Put(NFTA_RULE_TABLE, table);
        request.Put(NFTA_RULE_CHAIN, chain);
        End(ref request);
    }

    /// <summary>Appends a rule.</summary>
    /// <param name="table">Of which table.</param>
    /// <param name="chain">Of which chain.</param>
    /// <param name="expressions">As <see cref="NfExpressions"/> wrote them.</param>
    /// <param name="userData">Kept by the kernel and shown again; at most 256 bytes.</param>
    public void AddRule(string table, string chain, ReadOnlySpan<byte> expressions, ReadOnlySpan<byte> userData)
    {
        NetlinkRequest request = Begin(NFT_MSG_NEWRULE, NetlinkConstants.NLM_F_CREATE | NetlinkConstants.NLM_F_APPEND);
        request.Put(NFTA_RULE_TABLE, table);
        request.Put(NFTA_RULE_CHAIN, chain);
        request.Put(NFTA_RULE_EXPRESSIONS | NetlinkConstants.NLA_F_NESTED, expressions);
        request.Put(NFTA_RULE_USERDATA, userData);
        End(ref request);
    }

    /// <summary>Creates a set; one of the same name must have the same shape.</summary>
    public void AddSet(string table, NfSet set) => AddSet(table, set.Name, NewSetId(), set.IsVerdictMap ? NFT_SET_MAP : 0, set.KeyLength, set.KeyType, set.IsVerdictMap);

    /// <summary>No rule may use it any more.</summary>
    public void DeleteSet(string table, string set)
    {
        NetlinkRequest request = Begin(NFT_MSG_DELSET, 0);
        request.Put(NFTA_SET_TABLE, table);
        request.Put(NFTA_SET_NAME, set);
        End(ref request);
    }

    /// <summary>The keys one behind the other, all of one length.</summary>
    public void AddElements(string table, string set, int keyLength, ReadOnlySpan<byte> keys) => Elements(NFT_MSG_NEWSETELEM, table, set, keyLength, keys);

    /// <summary>Each must be in the set.</summary>
    public void DeleteElements(string table, string set, int keyLength, ReadOnlySpan<byte> keys) => Elements(NFT_MSG_DELSETELEM, table, set, keyLength, keys);

    /// <summary>Interfaces of a verdict map, each leading to its chain.</summary>
    public void AddInterfaces(string table, string map, IEnumerable<(string Interface, string Chain)> targets)
    {
        using IEnumerator<(string Interface, string Chain)> each = targets.GetEnumerator();
        for (bool more = each.MoveNext(); more;)
        {
            NetlinkRequest request = BeginElements(NFT_MSG_NEWSETELEM, table, map, 0, out int list);
            for (; more && request.Length < LongestElements; more = each.MoveNext())
            {
                int element = request.BeginNested(NFTA_LIST_ELEM);
                NfExpressions.PutData(ref request, NFTA_SET_ELEM_KEY, NfExpressions.NameKey(each.Current.Interface));
                NfExpressions.PutVerdict(ref request, NFTA_SET_ELEM_DATA, NFT_GOTO, each.Current.Chain);
                request.EndNested(element);
            }

            request.EndNested(list);
            End(ref request);
        }
    }

    public void DeleteInterfaces(string table, string map, IEnumerable<string> interfaces) =>
        Elements(NFT_MSG_DELSETELEM, table, map, InterfaceKeyLength, [.. interfaces.SelectMany(NfExpressions.NameKey)]);

    /// <summary>A set of port ranges that lives and dies with the rule that names it by the number returned.</summary>
    public uint AddPortSet(string table, IReadOnlyList<(ushort First, ushort Last)> ports)
    {
        const uint ServiceType = 13; // nft's TYPE_INET_SERVICE
        uint id = NewSetId();
        AddSet(table, NamelessSet, id, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL, sizeof(ushort), ServiceType, isMap: false);
        NetlinkRequest request = BeginElements(NFT_MSG_NEWSETELEM, table, NamelessSet, id, out int list);
        int end = -1;
        foreach ((int first, int last) in Disjoint(ports))
        {
            // A half-open interval: its first port, and the first behind it, which the next interval may begin with.
            if (end >= 0 && end != first)
            {
                PutPort(ref request, end, NFT_SET_ELEM_INTERVAL_END);
            }

            PutPort(ref request, first, 0);
            end = last + 1;
        }

        if (end <= ushort.MaxValue)
        {
            PutPort(ref request, end, NFT_SET_ELEM_INTERVAL_END);
        }

        request.EndNested(list);
        End(ref request);
        return id;
    }

    /// <summary>A request for people: "request 12 of type 6: weft-filter cali-fw-cali1".</summary>
    /// <param name="request">Its place, from 0.</param>
    public string Describe(int request)
    {
        ReadOnlySpan<byte> rest = _buffer.AsSpan(0, Length);
        for (int i = -1; NetlinkSocket.NextMessage(ref rest, out NlMsgHdr header, out ReadOnlySpan<byte> payload); i++)
        {
            if (i == request)
            {
                // Table and name come first in every request, as strings.
                AttributeReader attributes = new(payload[System.Runtime.CompilerServices.Unsafe.SizeOf<NfGenMsg>()..]);
                string table = attributes.Next(out _, out ReadOnlySpan<byte> first) ? AttributeReader.Text(first) : string.Empty;
                string name = attributes.Next(out _, out ReadOnlySpan<byte> second) ? AttributeReader.Text(second) : string.Empty;
                return $"request {request} of type {header.Type & 0xff}: {table} {name}";
            }
        }

        return $"request {request}";
    }

    /// <summary>The batch as it is sent.</summary>
    internal Span<byte> Finish()
    {
        Bracket(NFNL_MSG_BATCH_END);
        return _buffer.AsSpan(0, Length);
    }

    /// <summary>Without its end: the kernel tries everything and carries out nothing.</summary>
    internal Span<byte> FinishAsTrial() => _buffer.AsSpan(0, Length);

    private static void PutPort(ref NetlinkRequest request, int port, uint flags)
    {
        int element = request.BeginNested(NFTA_LIST_ELEM);
        NfExpressions.PutData(ref request, NFTA_SET_ELEM_KEY, [(byte)(port >> 8), (byte)port]);
        if (flags != 0)
        {
            request.PutBigEndian(NFTA_SET_ELEM_FLAGS, flags);
        }

        request.EndNested(element);
    }

    /// <summary>Sorted, overlapping and touching ranges made one.</summary>
    private static List<(int First, int Last)> Disjoint(IReadOnlyList<(ushort First, ushort Last)> ports)
    {
        List<(int First, int Last)> ranges = [];
        foreach ((ushort first, ushort last) in ports.Order())
        {
            if (ranges.Count > 0 && first <= ranges[^1].Last + 1)
            {
                ranges[^1] = (ranges[^1].First, Math.Max(ranges[^1].Last, last));
            }
            else
            {
                ranges.Add((first, last));
            }
        }

        return ranges;
    }

    private uint NewSetId() => _nextSetId++;

    private void AddSet(string table, string name, uint id, uint flags, int keyLength, uint keyType, bool isMap)
    {
        NetlinkRequest request = Begin(NFT_MSG_NEWSET, NetlinkConstants.NLM_F_CREATE);
        request.Put(NFTA_SET_TABLE, table);
        request.Put(NFTA_SET_NAME, name);
        request.PutBigEndian(NFTA_SET_FLAGS, flags);
        request.PutBigEndian(NFTA_SET_KEY_TYPE, keyType);
        request.PutBigEndian(NFTA_SET_KEY_LEN, (uint)keyLength);
        request.PutBigEndian(NFTA_SET_ID, id);
        if (isMap)
        {
            request.PutBigEndian(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
            request.PutBigEndian(NFTA_SET_DATA_LEN, 0u);

            // For nft alone: the key is text, or it prints the names from right to left.
            request.Put(NFTA_SET_USERDATA, [0, 4, 1, 0, 0, 0]);
        }

        End(ref request);
    }

    private void Elements(int message, string table, string set, int keyLength, ReadOnlySpan<byte> keys)
    {
        for (int at = 0; at < keys.Length;)
        {
            NetlinkRequest request = BeginElements(message, table, set, 0, out int list);
            for (; at < keys.Length && request.Length < LongestElements; at += keyLength)
            {
                int element = request.BeginNested(NFTA_LIST_ELEM);
                NfExpressions.PutData(ref request, NFTA_SET_ELEM_KEY, keys.Slice(at, keyLength));
                request.EndNested(element);
            }

            request.EndNested(list);
            End(ref request);
        }
    }

    private NetlinkRequest BeginElements(int message, string table, string set, uint id, out int list)
    {
        NetlinkRequest request = Begin(message, message == NFT_MSG_NEWSETELEM ? NetlinkConstants.NLM_F_CREATE : 0);
        request.Put(NFTA_SET_ELEM_LIST_TABLE, table);
        request.Put(NFTA_SET_ELEM_LIST_SET, set);
        if (id != 0)
        {
            request.PutBigEndian(NFTA_SET_ELEM_LIST_SET_ID, id);
        }

        list = request.BeginNested(NFTA_SET_ELEM_LIST_ELEMENTS);
        return request;
    }

    private void Bracket(int type)
    {
        Reserve();
        NetlinkRequest request = new(_buffer.AsSpan(Length), (ushort)type, 0);
        request.Header(new NfGenMsg { ResourceId = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((ushort)NFNL_SUBSYS_NFTABLES) });
        Length += request.Finish().Length;
    }

    private NetlinkRequest Begin(int message, int flags)
    {
        Reserve();
        NetlinkRequest request = new(_buffer.AsSpan(Length), (ushort)(NFNL_SUBSYS_NFTABLES << 8 | message), flags);
        request.Header(new NfGenMsg { Family = Family.ToKernel(_family) });
        return request;
    }

    private void End(ref NetlinkRequest request)
    {
        Length += request.Finish().Length;
        Count++;
    }

    private void Reserve()
    {
        if (_buffer.Length - Length < Room + LargestElement)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
    }
}
