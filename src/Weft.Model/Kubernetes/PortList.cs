using Weft.Model.Resources;

namespace Weft.Model.Kubernetes;

/// <summary>Lists of ports as short as they can be.</summary>
public static class PortList
{
    /// <summary>
    /// Names first, in the order given, then numbers sorted, with neighbours and duplicates joined into ranges. A list with no more than one number stays as
    /// it is.
    /// </summary>
    public static List<Port> Simplify(IReadOnlyList<Port> ports)
    {
        List<Port> numbers = [.. ports.Where(p => !p.IsNamed).OrderBy(p => p.Min).ThenBy(p => p.Max)];
        if (numbers.Count <= 1)
        {
            return [.. ports];
        }

        List<Port> simple = [.. ports.Where(p => p.IsNamed)];
        Port current = numbers[0];
        foreach (Port next in numbers.Skip(1))
        {
            if (next.Min <= current.Max + 1)
            {
                current = new Port(current.Min, Math.Max(current.Max, next.Max));
            }
            else
            {
                simple.Add(current);
                current = next;
            }
        }

        simple.Add(current);
        return simple;
    }
}
