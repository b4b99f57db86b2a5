using Weft.Model.Keys;
using Weft.Model.Kubernetes;
using Weft.Model.Resources;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Conversion;

/// <summary>What one slice brings to the sets of its service.</summary>
/// <param name="Service">"namespace/name".</param>
/// <param name="Addresses">Of its endpoints.</param>
/// <param name="Ports">Every address with every port.</param>
internal sealed record ServiceSlice(string Service, IReadOnlyList<IpSetMember> Addresses, IReadOnlyList<IpSetMember> Ports);

/// <summary>EndpointSlices to members of sets.</summary>
internal static class SliceConversion
{
    /// <summary>Null for a slice of no service. Endpoints that are not ready count too: connections to them end by themselves, not by policy.</summary>
    public static ServiceSlice? Convert(ResourceKey key, EndpointSlice slice)
    {
        if (slice.Metadata.Labels?.GetValueOrDefault(EndpointSlice.ServiceLabel) is not { Length: > 0 } service)
        {
            return null;
        }

        List<IpSetMember> addresses = [];
        List<IpSetMember> ports = [];
        foreach (string text in (slice.Endpoints ?? []).SelectMany(e => e.Addresses ?? []))
        {
            // Addresses of type FQDN are names.
            if (!IpAddress.TryParse(text, out IpAddress address))
            {
                continue;
            }

            addresses.Add(new IpSetMember(address.ToPrefix()));
            foreach (SlicePort port in slice.Ports ?? [])
            {
                Protocol protocol = port.Protocol is null ? Protocol.Tcp : Protocol.FromText(port.Protocol);
                if (port.Port is > 0 and <= ushort.MaxValue && protocol.SupportsPorts)
                {
                    ports.Add(new IpSetMember(address.ToPrefix(), protocol.Number, (ushort)port.Port));
                }
            }
        }

        return new ServiceSlice($"{key.Namespace}/{service}", [.. addresses.Distinct()], [.. ports.Distinct()]);
    }
}
