using Weft.Dataplane.Rules.Model;

namespace Weft.Dataplane.Rules;

/// <summary>Rates as FelixConfiguration writes them: "10/second".</summary>
internal static class Rates
{
    public static bool TryParse(string text, out int packets, out RateUnit unit)
    {
        unit = default;
        int slash = text.IndexOf('/');
        packets = 0;
        return slash > 0 && int.TryParse(text.AsSpan(0, slash), out packets) && packets is > 0 and < 10_000
            && Enum.TryParse(text.AsSpan(slash + 1), ignoreCase: true, out unit) && Enum.IsDefined(unit);
    }
}
