using System.Text;
using Weft.Policy.Output;
using Weft.Primitives.Net;

namespace Weft.Policy.Tests;

/// <summary>A dataplane that only remembers, and fails the test when an update breaks the promises on order.</summary>
internal sealed class Replay : IDataplaneSink
{
    public Dictionary<string, HashSet<IpSetMember>> Sets { get; } = [];

    public Dictionary<PolicyId, ActivePolicyUpdate> Policies { get; } = [];

    public Dictionary<string, ActiveProfileUpdate> Profiles { get; } = [];

    public Dictionary<WorkloadEndpointId, WorkloadEndpointUpdate> Workloads { get; } = [];

    public Dictionary<string, HostEndpointUpdate> HostEndpoints { get; } = [];

    public Dictionary<string, HostMetadataUpdate> Hosts { get; } = [];

    public Dictionary<IpPrefix, IpamPoolUpdate> Pools { get; } = [];

    public Dictionary<IpPrefix, RouteUpdate> Routes { get; } = [];

    public Dictionary<string, VXLANTunnelEndpointUpdate> Vteps { get; } = [];

    public Encapsulations Encapsulation { get; private set; }

    public ConfigUpdate? Config { get; private set; }

    public IReadOnlyList<IpPrefix> ServiceCidrs { get; private set; } = [];

    public int InSyncs { get; private set; }

    public int Count { get; private set; }

    public WorkloadEndpointUpdate Workload(string pod) => Workloads.Values.Single(w => w.ResourceName.EndsWith("/" + pod, StringComparison.Ordinal));

    public void Emit(DataplaneUpdate update)
    {
        Count++;
        switch (update)
        {
            case InSync:
                InSyncs++;
                break;
            case IpSetUpdate set:
                Sets[set.Id] = [.. set.Members];
                break;
            case IpSetDeltaUpdate delta:
                Assert.True(Sets.ContainsKey(delta.Id), $"delta for unknown set {delta.Id}");
                Assert.NotEqual(0, delta.Added.Count + delta.Removed.Count);
                Assert.All(delta.Added, m => Assert.True(Sets[delta.Id].Add(m), $"{m} is already in {delta.Id}"));
                Assert.All(delta.Removed, m => Assert.True(Sets[delta.Id].Remove(m), $"{m} is not in {delta.Id}"));
                break;
            case IpSetRemove remove:
                Assert.DoesNotContain(Rules(), r => r.IpSetIds.Contains(remove.Id));
                Assert.True(Sets.Remove(remove.Id));
                break;
            case ActivePolicyUpdate policy:
                CheckSets(policy.InboundRules.Concat(policy.OutboundRules));
                Policies[policy.Id] = policy;
                break;
            case ActivePolicyRemove remove:
                Assert.DoesNotContain(PolicyUses(), id => id == remove.Id);
                Assert.True(Policies.Remove(remove.Id));
                break;
            case ActiveProfileUpdate profile:
                CheckSets(profile.InboundRules.Concat(profile.OutboundRules));
                Profiles[profile.Name] = profile;
                break;
            case ActiveProfileRemove remove:
                Assert.DoesNotContain(Workloads.Values.SelectMany(w => w.ProfileIds).Concat(HostEndpoints.Values.SelectMany(h => h.ProfileIds)), name => name == remove.Name);
                Assert.True(Profiles.Remove(remove.Name));
                break;
            case WorkloadEndpointUpdate workload:
                Workloads[workload.Id] = workload;
                Assert.All(PolicyUses(), id => Assert.True(Policies.ContainsKey(id), $"{workload.Id} refers to {id}"));
                Assert.All(workload.ProfileIds, name => Assert.True(Profiles.ContainsKey(name), $"{workload.Id} refers to profile {name}"));
                break;
            case WorkloadEndpointRemove remove:
                Assert.True(Workloads.Remove(remove.Id));
                break;
            case HostEndpointUpdate host:
                HostEndpoints[host.Name] = host;
                Assert.All(PolicyUses(), id => Assert.True(Policies.ContainsKey(id), $"{host.Name} refers to {id}"));
                break;
            case HostEndpointRemove remove:
                Assert.True(HostEndpoints.Remove(remove.Name));
                break;
            case HostMetadataUpdate host:
                Hosts[host.Node] = host;
                break;
            case HostMetadataRemove remove:
                Assert.True(Hosts.Remove(remove.Node));
                break;
            case IpamPoolUpdate pool:
                Pools[pool.Cidr] = pool;
                break;
            case IpamPoolRemove remove:
                Assert.True(Pools.Remove(remove.Cidr));
                break;
            case RouteUpdate route:
                Routes[route.Destination] = route;
                break;
            case RouteRemove remove:
                Assert.True(Routes.Remove(remove.Destination));
                break;
            case VXLANTunnelEndpointUpdate vtep:
                Assert.True(Vteps.TryAdd(vtep.Node, vtep), $"tunnel end of {vtep.Node} changed without a removal");
                break;
            case VXLANTunnelEndpointRemove remove:
                Assert.True(Vteps.Remove(remove.Node));
                break;
            case EncapsulationUpdate encapsulation:
                Encapsulation = encapsulation.Needed;
                break;
            case ConfigUpdate config:
                Config = config;
                break;
            case ServiceCidrsUpdate services:
                ServiceCidrs = services.Cidrs;
                break;
            default:
                Assert.Fail($"unknown update {update}");
                break;
        }
    }

    /// <summary>Everything, in an order of its own: equal states have equal text.</summary>
    public string Dump()
    {
        StringBuilder text = new();
        foreach ((string id, HashSet<IpSetMember> members) in Sets.OrderBy(s => s.Key, StringComparer.Ordinal))
        {
            text.AppendLine($"set {id}: {string.Join(' ', members.Select(m => m.ToString()).Order(StringComparer.Ordinal))}");
        }

        foreach (ActivePolicyUpdate policy in Policies.Values.OrderBy(p => p.Id.ToString(), StringComparer.Ordinal))
        {
            text.AppendLine($"policy {policy.Id} tier {policy.Tier} {policy.Traits} {policy.OriginalSelector} in {Text(policy.InboundRules)} out {Text(policy.OutboundRules)}");
        }

        foreach (ActiveProfileUpdate profile in Profiles.Values.OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            text.AppendLine($"profile {profile.Name} in {Text(profile.InboundRules)} out {Text(profile.OutboundRules)}");
        }

        foreach (WorkloadEndpointUpdate w in Workloads.Values.OrderBy(w => w.Id.ToString(), StringComparer.Ordinal))
        {
            text.AppendLine(
                $"workload {w.Id} {w.InterfaceName} {string.Join(' ', w.Networks)} profiles {string.Join(' ', w.ProfileIds)} tiers {Text(w.Tiers)} revision {w.Revision} problem {w.Problem}");
        }

        foreach (HostEndpointUpdate h in HostEndpoints.Values.OrderBy(h => h.Name, StringComparer.Ordinal))
        {
            text.AppendLine($"host {h.Name} {h.InterfaceName} {Text(h.Tiers)} untracked {Text(h.UntrackedTiers)} prednat {Text(h.PreDnatTiers)} forward {Text(h.ForwardTiers)} profiles {string.Join(' ', h.ProfileIds)} problem {h.Problem} {h.ClosesForwarded}");
        }

        foreach (object other in Hosts.Values.OrderBy(h => h.Node, StringComparer.Ordinal).Cast<object>()
            .Concat(Pools.Values.OrderBy(p => p.Cidr).Select(p => $"{p.Cidr} {p.Masquerade} {p.Ipip} {p.Vxlan} {string.Join(' ', p.AllowedUses)}"))
            .Concat(Routes.Values.OrderBy(r => r.Destination))
            .Concat(Vteps.Values.OrderBy(v => v.Node, StringComparer.Ordinal)))
        {
            text.AppendLine(other.ToString());
        }

        foreach ((string name, IReadOnlyDictionary<string, string> fields) in new[] { ("global", Config!.Global), ("selected", Config.Selected), ("node", Config.PerNode) })
        {
            text.Append(string.Concat(fields.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => $"{name} {f.Key}={f.Value}\n")));
        }

        text.Append(string.Concat(ServiceCidrs.Select(c => $"services {c}\n")));
        if (Encapsulation != Encapsulations.None)
        {
            text.AppendLine(Encapsulation.ToString());
        }

        return text.ToString();
    }

    public static string Text(IReadOnlyList<TierPolicies> tiers) =>
        string.Join("; ", tiers.Select(t => $"{t.Name}{(t.DefaultIsPass ? "(pass)" : "")} in[{string.Join(',', t.Ingress)}] out[{string.Join(',', t.Egress)}]"));

    private static string Text(IReadOnlyList<DataplaneRule> rules) => string.Join(
        " | ",
        rules.Select(r => $"{r.Action} v{r.IpVersion} p{r.Protocol} src[{string.Join(',', r.SrcNets)}] sets[{string.Join(',', r.SrcIpSetIds)}] not[{string.Join(',', r.NotSrcIpSetIds)}]"
            + $" dst[{string.Join(',', r.DstNets)}] sets[{string.Join(',', r.DstIpSetIds)}] ports[{string.Join(',', r.DstPorts)}] named[{string.Join(',', r.DstNamedPortIpSetIds)}]"));

    private void CheckSets(IEnumerable<DataplaneRule> rules) =>
        Assert.All(rules.SelectMany(r => r.IpSetIds), id => Assert.True(Sets.ContainsKey(id), $"rule refers to unknown set {id}"));

    private IEnumerable<DataplaneRule> Rules() =>
        Policies.Values.SelectMany(p => p.InboundRules.Concat(p.OutboundRules)).Concat(Profiles.Values.SelectMany(p => p.InboundRules.Concat(p.OutboundRules)));

    private IEnumerable<PolicyId> PolicyUses() => Workloads.Values.SelectMany(w => w.Tiers)
        .Concat(HostEndpoints.Values.SelectMany(h => h.Tiers.Concat(h.UntrackedTiers).Concat(h.PreDnatTiers).Concat(h.ForwardTiers)))
        .SelectMany(t => t.Ingress.Concat(t.Egress));
}
