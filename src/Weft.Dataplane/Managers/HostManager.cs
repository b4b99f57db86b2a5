using Weft.Dataplane.Drivers.Sysctls;
using Weft.Dataplane.Rules;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Managers;

/// <summary>What a node needs whatever runs on it: the static chains and the settings that make it forward.</summary>
internal sealed class HostManager(IReadOnlyList<FamilyDrivers> families, SysctlTable sysctls, DataplaneSettings settings) : IDataplaneManager
{
    private RuleSettings _settings = settings.Rules;
    private IReadOnlyList<IpPrefix> _serviceCidrs = [];
    private bool _dirty = true;

    public void OnUpdate(DataplaneUpdate update)
    {
        if (update is ServiceCidrsUpdate services)
        {
            _serviceCidrs = services.Cidrs;
            _dirty = true;
        }
    }

    public void OnSettings(RuleSettings rules) => (_settings, _dirty) = (rules, true);

    public void Apply()
    {
        if (!_dirty)
        {
            return;
        }

        _dirty = false;
        List<SysctlValue> values = [];
        foreach (FamilyDrivers family in families)
        {
            StaticRenderer renderer = new(_settings, family.Family, family.Sets.NameOf);
            renderer.RenderRaw(family.Raw);
            renderer.RenderMangle(family.Mangle);
            renderer.RenderNat(family.Nat);
            renderer.RenderFilter(family.Filter);
            family.Filter.SetChain(renderer.CidrBlock(_serviceCidrs));
            values.Add(family.Family == IpFamily.IPv4 ? new SysctlValue("net/ipv4/ip_forward", "1") : new SysctlValue("net/ipv6/conf/all/forwarding", "1"));
        }

        if (settings is { Networking: NodeNetworking.Routed, Forwarding: HostForwarding.Enabled })
        {
            sysctls.Set(string.Empty, [.. values]);
        }
    }
}
