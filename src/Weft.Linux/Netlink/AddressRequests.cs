using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Linux.Native;
using Weft.Primitives.Net;
using static Weft.Linux.Native.NetlinkConstants;
using static Weft.Linux.Native.RouteConstants;

namespace Weft.Linux.Netlink;

/// <summary>An address of an interface as the kernel describes it.</summary>
/// <param name="LinkIndex">The interface.</param>
/// <param name="Address">The local address with its subnet length.</param>
/// <param name="Scope">What the address may be used for.</param>
/// <param name="IsUsable">False while duplicate address detection runs, and after it failed.</param>
/// <param name="IsPermanent">False for addresses with a lifetime (router advertisements, DHCP).</param>
public readonly record struct AddressInfo(int LinkIndex, InterfaceAddress Address, RouteScope Scope, bool IsUsable, bool IsPermanent);

[Flags]
public enum AddressOptions
{
    None = 0,

    /// <summary>IPv6: usable at once, no duplicate address detection.</summary>
    NoDuplicateDetection = 1,
}

/// <summary>Interface addresses: add, delete, read.</summary>
public sealed class AddressRequests
{
    private readonly INetlink _netlink;

    internal AddressRequests(INetlink netlink)
    {
        _netlink = netlink;
    }

    /// <summary>EEXIST when the link has it already.</summary>
    public NetlinkResult Add(int linkIndex, InterfaceAddress address, AddressOptions options = AddressOptions.None) =>
        Write(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, linkIndex, address, options);

    /// <summary>Adds it, or does nothing when the link has it already.</summary>
    public NetlinkResult Replace(int linkIndex, InterfaceAddress address, AddressOptions options = AddressOptions.None) =>
        Write(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, linkIndex, address, options);

    /// <summary>EADDRNOTAVAIL when the link does not have it.</summary>
    public NetlinkResult Delete(int linkIndex, InterfaceAddress address) => Write(RTM_DELADDR, 0, linkIndex, address, AddressOptions.None);

    /// <param name="addresses">Receives the result.</param>
    /// <param name="family">None for both.</param>
    /// <param name="linkIndex">0 for all links.</param>
    public NetlinkResult List(List<AddressInfo> addresses, IpFamily family = IpFamily.None, int linkIndex = 0)
    {
        NetlinkRequest request = new(stackalloc byte[64], RTM_GETADDR, NLM_F_DUMP);
        request.Header(new IfAddrMsg { Family = Family.ToKernel(family), Index = (uint)linkIndex });
        Sink sink = new(addresses, linkIndex);
        return _netlink.Dump(request.Finish(), ref sink);
    }

    /// <inheritdoc cref="List(List{AddressInfo}, IpFamily, int)"/>
    /// <exception cref="KernelException">The dump failed.</exception>
    public List<AddressInfo> List(IpFamily family = IpFamily.None, int linkIndex = 0)
    {
        List<AddressInfo> addresses = [];
        List(addresses, family, linkIndex).ThrowIfFailed("list addresses");
        return addresses;
    }

    internal static bool TryParse(ReadOnlySpan<byte> payload, out AddressInfo info)
    {
        info = default;
        int size = Unsafe.SizeOf<IfAddrMsg>();
        if (payload.Length < size)
        {
            return false;
        }

        IfAddrMsg header = MemoryMarshal.Read<IfAddrMsg>(payload);
        uint flags = header.Flags;
        IpAddress address = default, local = default;
        AttributeReader attributes = new(payload[size..]);
        while (attributes.Next(out ushort attribute, out ReadOnlySpan<byte> value))
        {
            switch (attribute)
            {
                case IFA_ADDRESS when value.Length is 4 or 16: address = IpAddress.FromBytes(value); break;
                case IFA_LOCAL when value.Length is 4 or 16: local = IpAddress.FromBytes(value); break;
                case IFA_FLAGS: flags = AttributeReader.U32(value); break;
            }
        }

        // IFA_LOCAL is the own end; on point-to-point links IFA_ADDRESS is the other one. IPv6 without a peer sends only IFA_ADDRESS.
        IpAddress own = local.Family != IpFamily.None ? local : address;
        info = new AddressInfo(
            (int)header.Index,
            new InterfaceAddress(own, header.PrefixLength),
            (RouteScope)header.Scope,
            IsUsable: (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0,
            IsPermanent: (flags & IFA_F_PERMANENT) != 0);
        return own.Family != IpFamily.None;
    }

    private NetlinkResult Write(ushort type, int flags, int linkIndex, InterfaceAddress address, AddressOptions options)
    {
        NetlinkRequest request = new(stackalloc byte[128], type, flags);
        RouteScope scope = address.Address.IsLoopback ? RouteScope.Host : address.Address.IsLinkLocal && address.Address.IsIPv6 ? RouteScope.Link : RouteScope.Universe;
        request.Header(new IfAddrMsg
        {
            Family = Family.ToKernel(address.Address.Family),
            PrefixLength = (byte)address.Length,
            Scope = (byte)scope,
            Index = (uint)linkIndex,
        });
        request.Put(IFA_LOCAL, address.Address);
        request.Put(IFA_ADDRESS, address.Address);
        if (options.HasFlag(AddressOptions.NoDuplicateDetection) && address.Address.IsIPv6)
        {
            request.Put(IFA_FLAGS, IFA_F_NODAD);
        }

        return _netlink.Execute(request.Finish());
    }

    private readonly struct Sink(List<AddressInfo> addresses, int linkIndex) : INetlinkSink
    {
        public void Restart() => addresses.Clear();

        public void OnMessage(ushort type, scoped ReadOnlySpan<byte> payload)
        {
            if (type == RTM_NEWADDR && TryParse(payload, out AddressInfo address) && (linkIndex == 0 || linkIndex == address.LinkIndex))
            {
                addresses.Add(address);
            }
        }
    }
}
