using System.Text;
using Weft.Hosting;
using Weft.Hosting.Monitoring;

namespace Weft;

/// <summary>The reference of the metrics as Markdown, generated from the definitions that they are exposed by.</summary>
internal static class MetricsReference
{
    public static string Render(IEnumerable<IRole> roles)
    {
        StringBuilder text = new();
        text.Append("# Metrics\n\nIn the Prometheus text format. Names are upstream's where upstream has the metric. This page is printed by `weft config metrics`.\n");
        foreach (IRole role in roles.Where(r => r.Metrics.Count > 0).OrderBy(r => r.Name, StringComparer.Ordinal))
        {
            Table(text, $"weft {role.Name}", role.Metrics);
        }

        Table(text, "Every role", ProcessMetrics.All);
        return text.ToString();
    }

    private static void Table(StringBuilder text, string title, IReadOnlyList<Metric> metrics)
    {
        text.Append($"\n## {title}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n");
        foreach (Metric metric in metrics)
        {
            string labels = metric.Labels.Length == 0 ? "-" : string.Join(", ", metric.Labels.Select(l => $"`{l}`"));
            text.Append($"| `{metric.Name}` | {(metric.Kind == MetricKind.Counter ? "counter" : "gauge")} | {labels} | {metric.Help} |\n");
        }
    }
}
