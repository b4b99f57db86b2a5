using System.Globalization;
using System.Text;

namespace Weft.Hosting.Monitoring;

/// <summary>Writes metrics in the Prometheus text format, version 0.0.4. All values of a metric must be added one after the other.</summary>
public sealed class MetricText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new();
    private Metric? _last;

    /// <param name="metric">What the value is of.</param>
    /// <param name="value">In the unit that the metric's name ends with.</param>
    /// <param name="labels">One for each of its labels.</param>
    /// <exception cref="ArgumentException">The number of labels is not the metric's.</exception>
    public MetricText Add(Metric metric, double value, params ReadOnlySpan<string> labels)
    {
        if (labels.Length != metric.Labels.Length)
        {
            throw new ArgumentException($"{metric.Name} has {metric.Labels.Length} labels, not {labels.Length}", nameof(labels));
        }

        if (!ReferenceEquals(_last, metric))
        {
            _last = metric;
            _text.Append($"# HELP {metric.Name} {metric.Help}\n# TYPE {metric.Name} {(metric.Kind == MetricKind.Counter ? "counter" : "gauge")}\n");
        }

        _text.Append(metric.Name);
        for (int i = 0; i < labels.Length; i++)
        {
            _text.Append(i == 0 ? '{' : ',').Append(metric.Labels[i]).Append("=\"").Append(Escape(labels[i])).Append('"');
        }

        _text.Append(labels.Length > 0 ? "} " : " ").Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
        return this;
    }

    public override string ToString() => _text.ToString();

    private static string Escape(string value) => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
