namespace Weft.Hosting.Monitoring;

/// <summary>Kinds of the Prometheus text format that weft uses.</summary>
public enum MetricKind : byte
{
    /// <summary>A value that rises and falls.</summary>
    Gauge,

    /// <summary>A value that only rises, from the start of the process.</summary>
    Counter,
}

/// <summary>
/// One metric: what is exposed, and what the reference of metrics says of it. Its labels have few values by nature; names of pods and prefixes are none.
/// </summary>
/// <param name="Name">With its unit last (seconds, bytes), and "_total" for counters of our own; upstream's name where upstream has the metric.</param>
/// <param name="Kind">Of its value.</param>
/// <param name="Help">One line for people.</param>
/// <param name="Labels">Names of its labels, in the order of the values given to <see cref="MetricText.Add"/>.</param>
public sealed record Metric(string Name, MetricKind Kind, string Help, params string[] Labels);
