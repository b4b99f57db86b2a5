using System.Text;

namespace Weft.Lab;

/// <summary>The rack as a drawing for the terminal, at most 100 columns wide.</summary>
internal static class TopologyDrawing
{
    private const int NodesShownPerRack = 6;

    public static string Draw(Topology topology)
    {
        StringBuilder text = new();
        string store = topology.Options.Store == StoreKind.Etcd ? "etcd" : "weft store";
        text.Append($"  {store} ({topology.StoreEndpoint}), reached by every node over a management network\n\n");
        foreach (LabSwitch rack in topology.Switches)
        {
            string kind = rack.IsBird ? "BIRD" : "weft router";
            string trunks = string.Join(", ", topology.TrunksOf(rack).Select(t => $"{t.Other(rack).Name} {t.AddressOf(rack)}"));
            text.Append($"  {rack.Name}  {kind}, AS {rack.As}, {rack.RackAddress}{(trunks.Length > 0 ? $", trunk to {trunks}" : string.Empty)}\n");
            List<LabNode> nodes = [.. topology.NodesOf(rack)];
            for (int i = 0; i < nodes.Count && i < NodesShownPerRack; i++)
            {
                bool last = i == nodes.Count - 1;
                string pods = string.Join(", ", topology.Pods.Where(p => p.Node == nodes[i]).Take(4).Select(p => p.Name));
                string more = topology.Options.Pods > 4 ? $", ... ({topology.Options.Pods})" : string.Empty;
                text.Append($"   {(last ? "└─" : "├─")} {nodes[i].Name}  AS {nodes[i].As}, {nodes[i].RackAddress}, pods {pods}{more}\n");
            }

            if (nodes.Count > NodesShownPerRack)
            {
                text.Append($"   └─ ... and {nodes.Count - NodesShownPerRack} more nodes\n");
            }
        }

        return text.ToString();
    }
}
