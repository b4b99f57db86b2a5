using Weft.Policy.Output;

namespace Weft.Dataplane.Rules;

/// <summary>Lists of ports cut to what one multiport match holds.</summary>
internal static class PortSplits
{
    private const int Slots = 15;

    /// <summary>A single port takes one slot, a range two; a range is never cut.</summary>
    public static List<(ushort First, ushort Last)[]> Of(IReadOnlyList<PortRange> ports)
    {
        List<(ushort, ushort)[]> splits = [];
        List<(ushort, ushort)> current = [];
        int used = 0;
        foreach (PortRange port in ports)
        {
            int needed = port.Min == port.Max ? 1 : 2;
            if (used + needed > Slots)
            {
                splits.Add([.. current]);
                current.Clear();
                used = 0;
            }

            current.Add((port.Min, port.Max));
            used += needed;
        }

        if (current.Count > 0)
        {
            splits.Add([.. current]);
        }

        return splits;
    }
}
