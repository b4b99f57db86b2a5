using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Linux.Namespaces;
using Weft.Linux.Native;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;
using static Weft.Linux.Native.NfTablesConstants;

namespace Weft.Linux.Netfilter;

/// <summary>A table in the kernel.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Sleeps">Somebody put it to sleep: its chains see no packets.</param>
public sealed record KernelTable(string Name, bool Sleeps);

/// <summary>A chain in the kernel.</summary>
/// <param name="Table">Of which table.</param>
/// <param name="Name">Its name.</param>
/// <param name="Base">Null for a chain that only other chains lead to.</param>
/// <param name="DropsByPolicy">What its end does with packets.</param>
public sealed record KernelChain(string Table, string Name, NfBaseChain? Base, bool DropsByPolicy);

/// <summary>A rule in the kernel, known by the data its owner left in it.</summary>
public sealed record KernelRule(string Chain, byte[] UserData);

/// <summary>What a rule has counted.</summary>
public readonly record struct RuleCounter(long Packets, long Bytes);

/// <summary>A set in the kernel, without its elements.</summary>
public sealed record KernelSet(string Name, int KeyLength, bool IsVerdictMap, bool IsNameless);

/// <summary>
/// nf_tables of one family, spoken to directly. Reading is in pieces; <see cref="Generation"/> before and after tells whether they belong together.
/// Used by one thread at a time.
/// </summary>
public sealed class NfTablesSocket : IDisposable
{
    private readonly INetlink _netlink;
    private readonly IpFamily _family;

    /// <param name="netlink">A socket of the netfilter family; owned from now on.</param>
    /// <param name="family">Whose tables.</param>
    public NfTablesSocket(INetlink netlink, IpFamily family)
    {
        (_netlink, _family) = (netlink, family);
    }

    /// <param name="family">Whose tables.</param>
    /// <param name="space">Null for the namespace of the calling thread.</param>
    /// <exception cref="KernelException">The kernel refused.</exception>
    public static NfTablesSocket Open(IpFamily family, NetNamespace? space = null) => new(OpenNetlink(space), family);

    /// <summary>A socket of the netfilter family.</summary>
    /// <exception cref="KernelException">The kernel refused.</exception>
    public static INetlink OpenNetlink(NetNamespace? space = null) => NetlinkSocket.OpenNetfilter(space);

    /// <summary>Carries out all of the batch or nothing.</summary>
    /// <param name="batch">Finished by this call; to be cleared before it is filled again.</param>
    /// <param name="failed">Place of the request that was refused, from 0; -1 when it is not one of them.</param>
    public NetlinkResult Commit(NfTablesBatch batch, out int failed)
    {
        NetlinkResult result = _netlink.Transact(batch.Finish(), out int message);
        failed = message - 1; // The first message opens the batch.
        return result;
    }

    /// <summary>Says whether the kernel would carry out the batch; nothing is carried out.</summary>
    public NetlinkResult Try(NfTablesBatch batch) => _netlink.Transact(batch.FinishAsTrial(), out _);

    /// <summary>A number that changes with every transaction of anybody in this namespace.</summary>
    public NetlinkResult Generation(out uint generation)
    {
        NetlinkRequest request = Begin(stackalloc byte[64], NFT_MSG_GETGEN, NetlinkConstants.NLM_F_ACK);
        GenerationSink sink = default;
        NetlinkResult result = _netlink.Dump(request.Finish(), ref sink);
        generation = sink.Generation;
        return result;
    }

    public NetlinkResult ReadTables(List<KernelTable> tables)
    {
        NetlinkRequest request = Begin(stackalloc byte[64], NFT_MSG_GETTABLE, NetlinkConstants.NLM_F_DUMP);
        ListSink<KernelTable> sink = new(tables, ParseTable);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    /// <summary>The chains of all tables of the family.</summary>
    public NetlinkResult ReadChains(List<KernelChain> chains)
    {
        NetlinkRequest request = Begin(stackalloc byte[64], NFT_MSG_GETCHAIN, NetlinkConstants.NLM_F_DUMP);
        ListSink<KernelChain> sink = new(chains, ParseChain);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    /// <summary>The rules of a table, chain by chain in their order.</summary>
    public NetlinkResult ReadRules(string table, List<KernelRule> rules)
    {
        NetlinkRequest request = Begin(stackalloc byte[512], NFT_MSG_GETRULE, NetlinkConstants.NLM_F_DUMP);
        request.Put(NFTA_RULE_TABLE, table);
        ListSink<KernelRule> sink = new(rules, ParseRule);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    /// <summary>What the rules of a table have counted, by chain and in their order; zeros for rules without a counter.</summary>
    public NetlinkResult ReadCounters(string table, Dictionary<string, List<RuleCounter>> counters)
    {
        NetlinkRequest request = Begin(stackalloc byte[512], NFT_MSG_GETRULE, NetlinkConstants.NLM_F_DUMP);
        request.Put(NFTA_RULE_TABLE, table);
        List<(string Chain, RuleCounter Counter)> found = [];
        ListSink<(string, RuleCounter)> sink = new(found, ParseCounter);
        NetlinkResult result = _netlink.Dump(request.Finish(), ref sink);
        foreach ((string chain, RuleCounter counter) in found)
        {
            if (!counters.TryGetValue(chain, out List<RuleCounter>? list))
            {
                counters[chain] = list = [];
            }

            list.Add(counter);
        }

        return result;
    }

    public NetlinkResult ReadSets(string table, List<KernelSet> sets)
    {
        NetlinkRequest request = Begin(stackalloc byte[512], NFT_MSG_GETSET, NetlinkConstants.NLM_F_DUMP);
        request.Put(NFTA_SET_TABLE, table);
        ListSink<KernelSet> sink = new(sets, ParseSet);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    /// <summary>The keys of a set, one behind the other, and for a map of verdicts the chains they lead to.</summary>
    public NetlinkResult ReadElements(string table, string set, List<(byte[] Key, string? Chain)> elements)
    {
        NetlinkRequest request = Begin(stackalloc byte[1024], NFT_MSG_GETSETELEM, NetlinkConstants.NLM_F_DUMP);
        request.Put(NFTA_SET_ELEM_LIST_TABLE, table);
        request.Put(NFTA_SET_ELEM_LIST_SET, set);
        ElementSink sink = new(elements);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    public void Dispose() => _netlink.Dispose();

    private NetlinkRequest Begin(Span<byte> buffer, int message, int flags)
    {
        NetlinkRequest request = new(buffer, (ushort)(NFNL_SUBSYS_NFTABLES << 8 | message), flags);
        request.Header(new NfGenMsg { Family = message == NFT_MSG_GETGEN ? (byte)NetlinkConstants.AF_UNSPEC : Family.ToKernel(_family) });
        return request;
    }

    private static uint U32(ReadOnlySpan<byte> value) => value.Length >= 4 ? BinaryPrimitives.ReadUInt32BigEndian(value) : 0;

    private static long I64(ReadOnlySpan<byte> value) => value.Length >= 8 ? BinaryPrimitives.ReadInt64BigEndian(value) : 0;

    private static KernelTable ParseTable(AttributeReader attributes)
    {
        string name = string.Empty;
        bool sleeps = false;
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            switch (type)
            {
                case NFTA_TABLE_NAME: name = AttributeReader.Text(value); break;
                case NFTA_TABLE_FLAGS: sleeps = (U32(value) & NFT_TABLE_F_DORMANT) != 0; break;
            }
        }

        return new KernelTable(name, sleeps);
    }

    private static KernelChain ParseChain(AttributeReader attributes)
    {
        string table = string.Empty, name = string.Empty, kind = string.Empty;
        (NfHook Hook, int Priority)? hook = null;
        bool drops = false;
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            switch (type)
            {
                case NFTA_CHAIN_TABLE: table = AttributeReader.Text(value); break;
                case NFTA_CHAIN_NAME: name = AttributeReader.Text(value); break;
                case NFTA_CHAIN_TYPE: kind = AttributeReader.Text(value); break;
                case NFTA_CHAIN_POLICY: drops = U32(value) == NF_DROP; break;
                case NFTA_CHAIN_HOOK: hook = ParseHook(value); break;
            }
        }

        return new KernelChain(table, name, hook is { } h ? new NfBaseChain(kind, h.Hook, h.Priority) : null, hook is not null && drops);
    }

    private static (NfHook Hook, int Priority) ParseHook(ReadOnlySpan<byte> value)
    {
        AttributeReader attributes = new(value);
        uint number = 0, priority = 0;
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> part))
        {
            switch (type)
            {
                case NFTA_HOOK_HOOKNUM: number = U32(part); break;
                case NFTA_HOOK_PRIORITY: priority = U32(part); break;
            }
        }

        return ((NfHook)number, (int)priority);
    }

    private static KernelRule ParseRule(AttributeReader attributes)
    {
        string chain = string.Empty;
        byte[] userData = [];
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            switch (type)
            {
                case NFTA_RULE_CHAIN: chain = AttributeReader.Text(value); break;
                case NFTA_RULE_USERDATA: userData = value.ToArray(); break;
            }
        }

        return new KernelRule(chain, userData);
    }

    private static (string Chain, RuleCounter Counter) ParseCounter(AttributeReader attributes)
    {
        string chain = string.Empty;
        RuleCounter counter = default;
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            switch (type)
            {
                case NFTA_RULE_CHAIN: chain = AttributeReader.Text(value); break;
                case NFTA_RULE_EXPRESSIONS: counter = CounterIn(value); break;
            }
        }

        return (chain, counter);
    }

    private static RuleCounter CounterIn(ReadOnlySpan<byte> expressions)
    {
        AttributeReader list = new(expressions);
        while (list.Next(out _, out ReadOnlySpan<byte> expression))
        {
            if (AttributeReader.Text(Inner(expression, NFTA_EXPR_NAME)) == "counter")
            {
                ReadOnlySpan<byte> counter = Inner(expression, NFTA_EXPR_DATA);
                return new RuleCounter(I64(Inner(counter, NFTA_COUNTER_PACKETS)), I64(Inner(counter, NFTA_COUNTER_BYTES)));
            }
        }

        return default;
    }

    /// <summary>The value of an attribute among others; nothing when it is not there.</summary>
    private static ReadOnlySpan<byte> Inner(ReadOnlySpan<byte> attributes, ushort wanted)
    {
        AttributeReader reader = new(attributes);
        while (reader.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            if (type == wanted)
            {
                return value;
            }
        }

        return default;
    }

    private static KernelSet ParseSet(AttributeReader attributes)
    {
        string name = string.Empty;
        uint flags = 0, length = 0;
        while (attributes.Next(out ushort type, out ReadOnlySpan<byte> value))
        {
            switch (type)
            {
                case NFTA_SET_NAME: name = AttributeReader.Text(value); break;
                case NFTA_SET_FLAGS: flags = U32(value); break;
                case NFTA_SET_KEY_LEN: length = U32(value); break;
            }
        }

        return new KernelSet(name, (int)length, (flags & NFT_SET_MAP) != 0, (flags & NFT_SET_ANONYMOUS) != 0);
    }

    private delegate T Parser<T>(AttributeReader attributes);

    private readonly struct ListSink<T>(List<T> list, Parser<T> parse) : INetlinkSink
    {
        public void Restart() => list.Clear();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            int size = Unsafe.SizeOf<NfGenMsg>();
            if (payload.Length >= size)
            {
                list.Add(parse(new AttributeReader(payload[size..])));
            }
        }
    }

    private struct GenerationSink : INetlinkSink
    {
        public uint Generation { get; private set; }

        public readonly void Restart()
        {
        }

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            AttributeReader attributes = new(payload[Math.Min(Unsafe.SizeOf<NfGenMsg>(), payload.Length)..]);
            while (attributes.Next(out ushort attribute, out ReadOnlySpan<byte> value))
            {
                Generation = attribute == NFTA_GEN_ID ? U32(value) : Generation;
            }
        }
    }

    private readonly struct ElementSink(List<(byte[] Key, string? Chain)> elements) : INetlinkSink
    {
        public void Restart() => elements.Clear();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            AttributeReader attributes = new(payload[Math.Min(Unsafe.SizeOf<NfGenMsg>(), payload.Length)..]);
            while (attributes.Next(out ushort attribute, out ReadOnlySpan<byte> list))
            {
                if (attribute != NFTA_SET_ELEM_LIST_ELEMENTS)
                {
                    continue;
                }

                AttributeReader items = new(list);
                while (items.Next(out _, out ReadOnlySpan<byte> item))
                {
                    elements.Add(Parse(item));
                }
            }
        }

        private static (byte[] Key, string? Chain) Parse(ReadOnlySpan<byte> item)
        {
            byte[] key = [];
            string? chain = null;
            AttributeReader parts = new(item);
            while (parts.Next(out ushort part, out ReadOnlySpan<byte> value))
            {
                switch (part)
                {
                    case NFTA_SET_ELEM_KEY: key = Inner(value, NFTA_DATA_VALUE).ToArray(); break;
                    case NFTA_SET_ELEM_DATA: chain = AttributeReader.Text(Inner(Inner(value, NFTA_DATA_VERDICT), NFTA_VERDICT_CHAIN)); break;
                }
            }

            return (key, chain);
        }
    }
}
