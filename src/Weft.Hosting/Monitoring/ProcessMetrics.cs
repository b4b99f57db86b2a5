using System.Diagnostics;
using System.Reflection;

namespace Weft.Hosting.Monitoring;

/// <summary>What every role says of its own process; the names are those of Prometheus' client libraries.</summary>
public static class ProcessMetrics
{
    private static readonly Metric s_build = new("weft_build_info", MetricKind.Gauge, "1; the label is what runs.", "version");
    private static readonly Metric s_start = new("process_start_time_seconds", MetricKind.Gauge, "When the process started, in seconds since 1970.");
    private static readonly Metric s_processor = new("process_cpu_seconds_total", MetricKind.Counter, "Processor time, user and system.");
    private static readonly Metric s_resident = new("process_resident_memory_bytes", MetricKind.Gauge, "Memory in RAM.");
    private static readonly Metric s_descriptors = new("process_open_fds", MetricKind.Gauge, "Open file descriptors.");
    private static readonly Metric s_managed = new("dotnet_gc_heap_size_bytes", MetricKind.Gauge, "The collector's heap at its last collection.");
    private static readonly Metric s_collections = new("dotnet_gc_collections_total", MetricKind.Counter, "Collections.", "generation");

    public static IReadOnlyList<Metric> All { get; } = [s_build, s_start, s_processor, s_resident, s_descriptors, s_managed, s_collections];

    /// <summary>Of the executable.</summary>
    public static string OwnVersion { get; } = Assembly.GetEntryAssembly()?.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static void Write(MetricText text)
    {
        using Process own = Process.GetCurrentProcess();
        text.Add(s_build, 1, OwnVersion);
        text.Add(s_start, Math.Round((own.StartTime.ToUniversalTime() - DateTime.UnixEpoch).TotalSeconds, 2));
        text.Add(s_processor, own.TotalProcessorTime.TotalSeconds);
        text.Add(s_resident, own.WorkingSet64);
        text.Add(s_descriptors, Directory.GetFileSystemEntries("/proc/self/fd").Length);
        text.Add(s_managed, GC.GetGCMemoryInfo(GCKind.Any).HeapSizeBytes);
        for (int generation = 0; generation <= GC.MaxGeneration; generation++)
        {
            text.Add(s_collections, GC.CollectionCount(generation), $"{generation}");
        }
    }
}
