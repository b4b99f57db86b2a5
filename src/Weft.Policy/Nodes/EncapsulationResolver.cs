using Weft.Policy.Conversion;
using Weft.Policy.Output;

namespace Weft.Policy.Nodes;

/// <summary>Which overlays the pools ask for, unless FelixConfiguration decides (felix/calc/encapsulation_resolver.go).</summary>
internal sealed class EncapsulationResolver(UpdateSequencer output)
{
    private IReadOnlyCollection<IpamPoolUpdate> _pools = [];
    private FelixFacts _facts = FelixFacts.Default;

    public void SetPools(IReadOnlyCollection<IpamPoolUpdate> pools)
    {
        _pools = pools;
        Resolve();
    }

    public void SetFacts(FelixFacts facts)
    {
        _facts = facts;
        Resolve();
    }

    private void Resolve()
    {
        Encapsulations pools = Encapsulations.None;
        foreach (IpamPoolUpdate pool in _pools)
        {
            bool plain = pool is { Ipip: EncapMode.Never, Vxlan: EncapMode.Never };
            pools |= plain ? Encapsulations.NoEncap : 0;
            pools |= pool.Ipip != EncapMode.Never && pool.Cidr.IsIPv4 ? Encapsulations.Ipip : 0;
            pools |= pool.Vxlan == EncapMode.Never ? 0 : pool.Cidr.IsIPv4 ? Encapsulations.Vxlan : Encapsulations.VxlanV6;
        }

        Encapsulations needed = pools & Encapsulations.VxlanV6;
        needed |= _facts.Ipip ?? pools.HasFlag(Encapsulations.Ipip) ? Encapsulations.Ipip : 0;
        needed |= _facts.Vxlan ?? pools.HasFlag(Encapsulations.Vxlan) ? Encapsulations.Vxlan : 0;
        needed |= _facts.ProgramsNoEncapRoutes ? pools & Encapsulations.NoEncap : 0;
        output.OnEncapsulation(new EncapsulationUpdate(needed));
    }
}
