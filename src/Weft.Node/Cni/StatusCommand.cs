using Weft.Datastore;
using Weft.Model.Keys;
using Weft.Model.Resources;
using Weft.Primitives.Net;

namespace Weft.Node.Cni;

/// <summary>STATUS (specification 1.1.0): would an ADD of this network succeed now? Codes 50 and 51 say why not.</summary>
internal sealed class StatusCommand(CniServices services)
{
    public async ValueTask RunAsync(CniRequest request, CancellationToken stop)
    {
        if (services.Readiness.Trouble is var (code, reason))
        {
            throw new CniException(code, reason);
        }

        try
        {
            if (await ClusterReadiness.ReasonAsync(services.Datastore, stop) is { } notReady)
            {
                throw new CniException(CniErrorCode.NotAvailable, notReady);
            }

            await RequirePoolsAsync(request.Config.Ipam, stop);
        }
        catch (DatastoreException e)
        {
            throw new CniException(CniErrorCode.NotAvailable, $"the datastore cannot be asked: {e.Message}");
        }
    }

    private async ValueTask RequirePoolsAsync(IpamConfig ipam, CancellationToken stop)
    {
        ListResult pools = await services.Datastore.ListAsync(ModelPrefix.Of(ResourceKind.IPPool), stop);
        List<IpFamily> families = [.. pools.Items.Select(p => p.Value).OfType<IPPool>().Where(p => p.Spec.Disabled != true)
            .Select(p => IpPrefix.TryParse(p.Spec.Cidr, out IpPrefix cidr) ? cidr.Family : IpFamily.None)];
        foreach ((bool asked, IpFamily family) in (ReadOnlySpan<(bool, IpFamily)>)[(ipam.AssignIPv4, IpFamily.IPv4), (ipam.AssignIPv6, IpFamily.IPv6)])
        {
            if (asked && !families.Contains(family))
            {
                throw new CniException(CniErrorCode.NotAvailable, $"there is no enabled IPPool for {family}");
            }
        }
    }
}
