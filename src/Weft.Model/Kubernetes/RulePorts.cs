using Weft.Model.Resources;

namespace Weft.Model.Kubernetes;

/// <summary>The ports of one rule by protocol: Calico has one protocol a rule.</summary>
internal sealed class RulePorts
{
    // By Calico's spelling; the empty name stands for any protocol. An empty list is every port of the protocol.
    private readonly SortedDictionary<string, List<Port>> _ports = new(StringComparer.Ordinal);
    private readonly HashSet<string> _all = new(StringComparer.Ordinal);

    public IEnumerable<(Protocol? Protocol, List<Port> Ports)> Groups => _ports.Count == 0
        ? [(null, [])]
        : _ports.Select(g => (g.Key.Length == 0 ? (Protocol?)null : Protocol.FromText(g.Key), _all.Contains(g.Key) ? [] : PortList.Simplify(g.Value)));

    public void AddAll(string protocol)
    {
        _all.Add(protocol);
        _ports.TryAdd(protocol, []);
    }

    public void Add(string protocol, Port port)
    {
        if (_ports.TryGetValue(protocol, out List<Port>? ports))
        {
            ports.Add(port);
        }
        else
        {
            _ports.Add(protocol, [port]);
        }
    }
}
