using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Linux.Native;
using static Weft.Linux.Native.NetlinkConstants;
using static Weft.Linux.Native.TrafficConstants;

namespace Weft.Linux.Netlink;

/// <summary>A token bucket (tbf): what leaves a link is delayed until the bucket has tokens for it, and dropped when too much waits.</summary>
/// <param name="BytesPerSecond">The rate at which tokens come.</param>
/// <param name="BurstBytes">Size of the bucket.</param>
/// <param name="LimitBytes">How much may wait.</param>
/// <param name="PeakBytesPerSecond">The rate at which a burst leaves; 0 for no limit.</param>
/// <param name="PeakBurstBytes">Bucket of the peak: at least one packet.</param>
public readonly record struct TokenBucket(ulong BytesPerSecond, uint BurstBytes, uint LimitBytes, ulong PeakBytesPerSecond = 0, uint PeakBurstBytes = 0);

/// <summary>What sits on a link: its kind and, for a token bucket, its rate in bytes per second.</summary>
public readonly record struct QdiscInfo(int LinkIndex, string Kind, ulong BytesPerSecond, uint Parent)
{
    public bool IsRoot => Parent == TC_H_ROOT;
}

/// <summary>Queueing disciplines of links: only those that limit a rate.</summary>
public sealed class QdiscRequests
{
    private readonly INetlink _netlink;

    internal QdiscRequests(INetlink netlink)
    {
        _netlink = netlink;
    }

    /// <summary>Puts a token bucket in place of whatever is at the root of the link.</summary>
    public NetlinkResult ReplaceRoot(int linkIndex, in TokenBucket bucket)
    {
        NetlinkRequest request = new(stackalloc byte[256], RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
        request.Header(new TcMsg { Index = linkIndex, Handle = 1 << 16, Parent = TC_H_ROOT });
        request.Put(TCA_KIND, "tbf");
        int options = request.BeginNested(TCA_OPTIONS);

        // A link layer that is told spares the kernel the rate tables of old; from 2^32 bytes per second on only the 64-bit attribute can say the rate.
        TcTbfQopt parameters = new() { Rate = Spec(bucket.BytesPerSecond), PeakRate = Spec(bucket.PeakBytesPerSecond), Limit = bucket.LimitBytes };
        request.Put(TCA_TBF_PARMS, MemoryMarshal.AsBytes(new ReadOnlySpan<TcTbfQopt>(in parameters)));
        request.Put(TCA_TBF_BURST, bucket.BurstBytes);
        PutRate64(ref request, TCA_TBF_RATE64, bucket.BytesPerSecond);
        if (bucket.PeakBytesPerSecond > 0)
        {
            request.Put(TCA_TBF_PBURST, bucket.PeakBurstBytes);
            PutRate64(ref request, TCA_TBF_PRATE64, bucket.PeakBytesPerSecond);
        }

        request.EndNested(options);
        return _netlink.Execute(request.Finish());
    }

    /// <summary>Hands everything that arrives at one link to another, as if it left there.</summary>
    public NetlinkResult RedirectArrivals(int linkIndex, int toIndex)
    {
        NetlinkRequest request = new(stackalloc byte[128], RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
        request.Header(new TcMsg { Index = linkIndex, Handle = 0xffff0000, Parent = TC_H_INGRESS });
        request.Put(TCA_KIND, "ingress");
        NetlinkResult made = _netlink.Execute(request.Finish());
        return made.IsSuccess ? AddRedirect(linkIndex, toIndex) : made;
    }

    public NetlinkResult List(List<QdiscInfo> found, int linkIndex)
    {
        NetlinkRequest request = new(stackalloc byte[64], RTM_GETQDISC, NLM_F_DUMP);
        request.Header(new TcMsg { Index = linkIndex });
        Sink sink = new(found, linkIndex);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    /// <summary>"u32 match u32 0 0 action mirred egress redirect": one key with an empty mask matches every packet of every protocol.</summary>
    private NetlinkResult AddRedirect(int linkIndex, int toIndex)
    {
        const uint Priority = 1;
        NetlinkRequest request = new(stackalloc byte[256], RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
        request.Header(new TcMsg { Index = linkIndex, Parent = 0xffff0000, Info = (Priority << 16) | BinaryPrimitives.ReverseEndianness(ETH_P_ALL) });
        request.Put(TCA_KIND, "u32");
        int options = request.BeginNested(TCA_OPTIONS);
        TcU32SelOne everything = new() { Flags = TC_U32_TERMINAL, Keys = 1 };
        request.Put(TCA_U32_SEL, MemoryMarshal.AsBytes(new ReadOnlySpan<TcU32SelOne>(in everything)));
        int actions = request.BeginNested(TCA_U32_ACT);
        int first = request.BeginNested(1);
        request.Put(TCA_ACT_KIND, "mirred");
        int actionOptions = request.BeginNested(TCA_ACT_OPTIONS);
        TcMirred redirect = new() { Action = TC_ACT_STOLEN, MirrorAction = TCA_EGRESS_REDIR, InterfaceIndex = (uint)toIndex };
        request.Put(TCA_MIRRED_PARMS, MemoryMarshal.AsBytes(new ReadOnlySpan<TcMirred>(in redirect)));
        request.EndNested(actionOptions);
        request.EndNested(first);
        request.EndNested(actions);
        request.EndNested(options);
        return _netlink.Execute(request.Finish());
    }

    private static TcRateSpec Spec(ulong rate) => new() { LinkLayer = TC_LINKLAYER_ETHERNET, Rate = (uint)Math.Min(rate, uint.MaxValue) };

    private static void PutRate64(ref NetlinkRequest request, ushort type, ulong rate)
    {
        if (rate > uint.MaxValue)
        {
            request.Put(type, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in rate)));
        }
    }

    private readonly struct Sink(List<QdiscInfo> found, int linkIndex) : INetlinkSink
    {
        public void Restart() => found.Clear();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            int size = Unsafe.SizeOf<TcMsg>();
            if (type != RTM_NEWQDISC || payload.Length < size || MemoryMarshal.Read<TcMsg>(payload) is var header && header.Index != linkIndex)
            {
                return;
            }

            string kind = string.Empty;
            ulong rate = 0;
            AttributeReader attributes = new(payload[size..]);
            while (attributes.Next(out ushort attribute, out ReadOnlySpan<byte> value))
            {
                // The kernel writes the kind before the options.
                if (attribute == TCA_KIND)
                {
                    kind = AttributeReader.Text(value);
                }
                else if (attribute == TCA_OPTIONS && kind == "tbf")
                {
                    rate = Rate(value);
                }
            }

            found.Add(new QdiscInfo(header.Index, kind, rate, header.Parent));
        }

        private static ulong Rate(ReadOnlySpan<byte> options)
        {
            ulong rate = 0;
            AttributeReader attributes = new(options);
            while (attributes.Next(out ushort attribute, out ReadOnlySpan<byte> value))
            {
                rate = attribute switch
                {
                    TCA_TBF_PARMS when rate == 0 && value.Length >= Unsafe.SizeOf<TcTbfQopt>() => MemoryMarshal.Read<TcTbfQopt>(value).Rate.Rate,
                    TCA_TBF_RATE64 when value.Length == 8 => MemoryMarshal.Read<ulong>(value),
                    _ => rate,
                };
            }

            return rate;
        }
    }
}
