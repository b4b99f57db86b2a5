using Weft.Dataplane.Rules.Model;
using Weft.Policy.Output;
using Weft.Primitives.Net;
using RuleAction = Weft.Dataplane.Rules.Model.RuleAction;

namespace Weft.Dataplane.Rules;

/// <summary>
/// The rules of overlays in the static chains: encapsulated packets are let through between nodes of the cluster and dropped from anybody else, who could
/// otherwise speak to any pod past its policy (reference: policy-dataplane 5.4).
/// </summary>
internal sealed class TunnelRenderer(RuleSettings settings, IpFamily family, Func<string, string> setName)
{
    /// <summary>The set of the addresses that VXLAN packets of this cluster come from.</summary>
    public const string AllVxlan = "all-vxlan-net";

    public const string VxlanDevice = "vxlan.calico";
    public const string VxlanV6Device = "vxlan-v6.calico";
    public const string IpipDevice = "tunl0";

    private readonly bool _vxlan = settings.Encapsulation.HasFlag(family == IpFamily.IPv4 ? Encapsulations.Vxlan : Encapsulations.VxlanV6);
    private readonly bool _ipip = family == IpFamily.IPv4 && settings.Encapsulation.HasFlag(Encapsulations.Ipip);

    private Match VxlanPackets => Match.All.Protocol(IpProtocol.Udp).DestinationPorts([(settings.VxlanPort, settings.VxlanPort)]);

    private Match IpipPackets => Match.All.Protocol(IpProtocol.IpInIp);

    private string FamilyName => family == IpFamily.IPv4 ? "IPv4" : "IPv6";

    /// <summary>The device of a family's VXLAN overlay.</summary>
    public static string DeviceOf(IpFamily family) => family == IpFamily.IPv4 ? VxlanDevice : VxlanV6Device;

    /// <summary>Tracking the outer packets would cost an entry per pair of nodes and port, and say nothing that the inner ones do not.</summary>
    public IEnumerable<Rule> NoTracking() => _vxlan ? [new Rule(VxlanPackets, RuleAction.NoTrack)] : [];

    public IEnumerable<Rule> Input()
    {
        if (_ipip)
        {
            yield return new Rule(
                IpipPackets.SourceIpSet(setName(NatRenderer.AllHosts)).DestinationIsLocal(), settings.FilterAllowTarget, "Allow IPIP packets from Calico hosts");
            yield return new Rule(IpipPackets, settings.DenyTarget, "Drop IPIP packets from non-Calico hosts");
        }

        if (_vxlan)
        {
            yield return new Rule(
                VxlanPackets.SourceIpSet(setName(AllVxlan)).DestinationIsLocal(), settings.FilterAllowTarget, $"Allow {FamilyName} VXLAN packets from allowed hosts");
            yield return new Rule(
                VxlanPackets.DestinationIsLocal(), family == IpFamily.IPv4 ? RuleAction.Drop : settings.DenyTarget,
                $"Drop {FamilyName} VXLAN packets from non-allowed hosts");
        }
    }

    public IEnumerable<Rule> Output()
    {
        if (_ipip)
        {
            yield return new Rule(
                IpipPackets.DestinationIpSet(setName(NatRenderer.AllHosts)).SourceIsLocal(), settings.FilterAllowTarget, "Allow IPIP packets to other Calico hosts");
        }

        if (_vxlan)
        {
            yield return new Rule(
                VxlanPackets.SourceIsLocal().DestinationIpSet(setName(AllVxlan)), settings.FilterAllowTarget, $"Allow {FamilyName} VXLAN packets to other allowed hosts");
        }
    }

    /// <summary>
    /// What the host sends into the tunnel gets the tunnel's address, so that the answer comes back through it. With VXLAN the ports of UDP keep to the
    /// wider side of the overlay's own, which would otherwise be taken for encapsulated packets on their way back.
    /// </summary>
    public IEnumerable<Rule> Masquerade()
    {
        foreach (string device in Devices())
        {
            Match match = Match.All.OutInterface(device).SourceIsNotLocal(limitToOutInterface: true).SourceIsLocal();
            if (_vxlan)
            {
                yield return new Rule(Match.All.Protocol(IpProtocol.Udp).And(match), RuleAction.Masquerade(WiderSide(settings.VxlanPort)));
            }

            yield return new Rule(match, RuleAction.Masquerade());
        }
    }

    internal static PortSpan WiderSide(ushort port) =>
        65535 - port >= port - 1024 ? new PortSpan((ushort)(port + 1), 65535) : new PortSpan(1024, (ushort)(port - 1));

    private IEnumerable<string> Devices()
    {
        if (_ipip)
        {
            yield return IpipDevice;
        }

        if (_vxlan)
        {
            yield return DeviceOf(family);
        }
    }
}
