using System.Diagnostics.CodeAnalysis;

namespace Weft.Model.Selectors;

/// <summary>What a selector is evaluated on. Implemented by structs so that evaluation allocates nothing.</summary>
public interface ILabels
{
    bool TryGet(string name, [NotNullWhen(true)] out string? value);
}

/// <summary>Own labels, then those of the profiles in the order of the endpoint's list: the first that has the label decides.</summary>
/// <param name="Own">Null for none.</param>
/// <param name="Parents">Labels of each profile; null for none.</param>
public readonly record struct InheritedLabels(IReadOnlyDictionary<string, string>? Own, IReadOnlyList<IReadOnlyDictionary<string, string>>? Parents = null) : ILabels
{
    public bool TryGet(string name, [NotNullWhen(true)] out string? value)
    {
        if (Own is not null && Own.TryGetValue(name, out value))
        {
            return true;
        }

        for (int i = 0; i < (Parents?.Count ?? 0); i++)
        {
            if (Parents![i].TryGetValue(name, out value))
            {
                return true;
            }
        }

        value = null;
        return false;
    }
}
