using System.Globalization;
using Weft.Model.Json;
using Weft.Model.Resources;

namespace Weft.Model.Kubernetes;

/// <summary>
/// Limits on what a pod may send and receive, from annotations: Calico's, or Kubernetes' own two. What is out of range is brought to the nearest bound, and
/// what cannot be read is told and left out, as Calico does: a limit must not keep a pod from starting.
/// </summary>
public static class QosAnnotations
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
    private const long MaxPackets = 10_000;
    private const long DefaultPacketBurst = 5;

    /// <param name="annotations">Of the pod.</param>
    /// <param name="capability">What the container runtime asks for by the same names where no annotation does ("ingressRate", "egressBurst"); null for nothing.</param>
    /// <param name="problems">Gets what cannot be read; null when nobody wants to know.</param>
    /// <returns>Null when nothing is limited.</returns>
    public static QosControls? Read(IReadOnlyDictionary<string, string> annotations, Func<string, long?>? capability = null, List<string>? problems = null)
    {
        (long? ingress, long? ingressBurst, long? ingressPeak, long? ingressPeakBurst) = Rates("ingress");
        (long? egress, long? egressBurst, long? egressPeak, long? egressPeakBurst) = Rates("egress");
        (long? ingressPackets, long? ingressPacketBurst) = Packets("ingress");
        (long? egressPackets, long? egressPacketBurst) = Packets("egress");
        QosControls controls = new()
        {
            IngressBandwidth = ingress, IngressBurst = ingressBurst, IngressPeakrate = ingressPeak, IngressMinburst = ingressPeakBurst,
            EgressBandwidth = egress, EgressBurst = egressBurst, EgressPeakrate = egressPeak, EgressMinburst = egressPeakBurst,
            IngressPacketRate = ingressPackets, IngressPacketBurst = ingressPacketBurst, EgressPacketRate = egressPackets, EgressPacketBurst = egressPacketBurst,
            IngressMaxConnections = Amount("ingressMaxConnections", 1, uint.MaxValue), EgressMaxConnections = Amount("egressMaxConnections", 1, uint.MaxValue),
            Dscp = Mark(),
        };
        return controls is
        {
            IngressBandwidth: null, EgressBandwidth: null, IngressPacketRate: null, EgressPacketRate: null, IngressMaxConnections: null, EgressMaxConnections: null, Dscp: null,
        }
            ? null
            : controls;

        (long? Rate, long? Burst, long? Peak, long? PeakBurst) Rates(string direction)
        {
            long? rate = Amount($"{direction}Bandwidth", MinRate, MaxRate)
                ?? Clamp(Read($"kubernetes.io/{direction}-bandwidth"), MinRate, MaxRate)
                ?? Clamp(capability?.Invoke($"{direction}Rate"), MinRate, MaxRate);
            if (rate is null)
            {
                return default;
            }

            long burst = Amount($"{direction}Burst", MinRate, MaxBurst) ?? Clamp(capability?.Invoke($"{direction}Burst"), MinRate, MaxBurst) ?? DefaultBurst;
            long? peak = Amount($"{direction}Peakrate", MinPeak, MaxPeak) is { } wanted && wanted > rate ? wanted : null;
            return (rate, burst, peak, peak is null ? null : Amount($"{direction}Minburst", MinRate, MaxPeakBurst));
        }

        (long? Rate, long? Burst) Packets(string direction)
        {
            long? rate = Amount($"{direction}PacketRate", 1, MaxPackets);
            return (rate, rate is null ? null : Amount($"{direction}PacketBurst", 1, MaxPackets) ?? DefaultPacketBurst);
        }

        long? Amount(string name, long least, long most) => Clamp(Read(Prefix + name), least, most);

        long? Read(string name)
        {
            string? text = annotations.GetValueOrDefault(name);
            long? value = Quantity(text);
            if (value is null && !string.IsNullOrEmpty(text))
            {
                problems?.Add($"annotation {name}: \"{text}\" is no quantity");
            }

            return value;
        }

        int? Mark()
        {
            if (!annotations.TryGetValue(Prefix + "dscp", out string? text) || text.Length == 0)
            {
                return null;
            }

            if (DscpConverter.TryParse(text, out int mark) && mark <= 63)
            {
                return mark;
            }

            problems?.Add($"annotation {Prefix}dscp: \"{text}\" is no DSCP value");
            return null;
        }
    }

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

    /// <summary>Zero and less mean no limit.</summary>
    private static long? Clamp(long? value, long least, long most) => value is > 0 ? Math.Clamp(value.Value, least, most) : null;
}
