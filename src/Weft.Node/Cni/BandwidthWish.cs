using System.Globalization;
using Weft.Model.Resources;

namespace Weft.Node.Cni;

/// <summary>
/// Limits on what a pod may send and receive, from annotations (Calico's, or Kubernetes' own two) or from the bandwidth capability. What is out of range is
/// brought to the nearest bound, as Calico does: a limit must not keep a pod from starting.
/// </summary>
internal static class BandwidthWish
{
    private const string Prefix = "qos.projectcalico.org/";

    // Bounds and defaults of Calico, in bits and bits per second; a bucket of a peak in bytes.
    private const long MinRate = 1_000;
    private const long MaxRate = 1_000_000_000_000_000;
    private const long MaxBurst = 34_359_738_360;
    private const long DefaultBurst = 4_294_967_296;
    private const long MinPeak = 1_010;
    private const long MaxPeak = 1_010_000_000_000_000;
    private const long MaxPeakBurst = 100_000_000;

    /// <summary>Null when nothing is limited.</summary>
    public static QosControls? Parse(IReadOnlyDictionary<string, string> annotations, ConfigReader capability)
    {
        (long? ingress, long? ingressBurst, long? ingressPeak, long? ingressPeakBurst) = Read("ingress");
        (long? egress, long? egressBurst, long? egressPeak, long? egressPeakBurst) = Read("egress");
        QosControls controls = new()
        {
            IngressBandwidth = ingress, IngressBurst = ingressBurst, IngressPeakrate = ingressPeak, IngressMinburst = ingressPeakBurst,
            EgressBandwidth = egress, EgressBurst = egressBurst, EgressPeakrate = egressPeak, EgressMinburst = egressPeakBurst,
            IngressPacketRate = Amount("ingressPacketRate", 1, 10_000), EgressPacketRate = Amount("egressPacketRate", 1, 10_000),
            IngressMaxConnections = Amount("ingressMaxConnections", 1, uint.MaxValue), EgressMaxConnections = Amount("egressMaxConnections", 1, uint.MaxValue),
        };
        return controls is
        {
            IngressBandwidth: null, EgressBandwidth: null, IngressPacketRate: null, EgressPacketRate: null, IngressMaxConnections: null, EgressMaxConnections: null,
        }
            ? null
            : controls;

        (long? Rate, long? Burst, long? Peak, long? PeakBurst) Read(string direction)
        {
            long? rate = Amount($"{direction}Bandwidth", MinRate, MaxRate)
                ?? Clamp(Quantity(annotations.GetValueOrDefault($"kubernetes.io/{direction}-bandwidth")), MinRate, MaxRate)
                ?? Clamp(capability.Integer64($"{direction}Rate"), MinRate, MaxRate);
            if (rate is null)
            {
                return default;
            }

            long burst = Amount($"{direction}Burst", MinRate, MaxBurst) ?? Clamp(capability.Integer64($"{direction}Burst"), MinRate, MaxBurst) ?? DefaultBurst;
            long? peak = Amount($"{direction}Peakrate", MinPeak, MaxPeak) is { } wanted && wanted > rate ? wanted : null;
            return (rate, burst, peak, peak is null ? null : Amount($"{direction}Minburst", MinRate, MaxPeakBurst));
        }

        long? Amount(string name, long least, long most) => Clamp(Quantity(annotations.GetValueOrDefault(Prefix + name)), least, most);
    }

    /// <summary>Zero and less mean no limit.</summary>
    private static long? Clamp(long? value, long least, long most) => value is > 0 ? Math.Clamp(value.Value, least, most) : null;

    /// <summary>A Kubernetes quantity: a decimal number and one of k M G T P E, Ki Mi Gi Ti Pi Ei, m. Null when absent or unreadable.</summary>
    public static long? Quantity(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        int digits = text.AsSpan().IndexOfAnyExcept("0123456789.+-");
        digits = digits < 0 ? text.Length : digits;
        decimal? factor = text[digits..] switch
        {
            "" => 1m,
            "m" => 0.001m,
            "k" => 1e3m,
            "M" => 1e6m,
            "G" => 1e9m,
            "T" => 1e12m,
            "P" => 1e15m,
            "E" => 1e18m,
            "Ki" => 1L << 10,
            "Mi" => 1L << 20,
            "Gi" => 1L << 30,
            "Ti" => 1L << 40,
            "Pi" => 1L << 50,
            "Ei" => 1L << 60,
            _ => null,
        };
        if (factor is null || !decimal.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out decimal number))
        {
            return null;
        }

        // Kubernetes rounds up to whole units.
        return number > long.MaxValue / factor ? long.MaxValue : (long)Math.Ceiling(number * factor.Value);
    }
}
