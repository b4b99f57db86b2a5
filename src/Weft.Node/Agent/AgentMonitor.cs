using System.Net;
using System.Text;
using Microsoft.Extensions.Logging;
using Weft.Datastore.Sync;
using Weft.Hosting.Monitoring;
using Weft.Model.Felix;
using Weft.Policy.Output;

namespace Weft.Node.Agent;

/// <summary>
/// The agent's two ports for those who watch, as FelixConfiguration says: /metrics (prometheusMetricsEnabled, Host, Port) and /liveness and /readiness
/// (healthEnabled, Host, Port). A change of the configuration opens, moves or closes them; an address that cannot be bound is reported and tried again.
/// </summary>
internal sealed class AgentMonitor(AgentState state, EndpointProgress progress, LoopHealth health, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);

    private readonly Port _metrics = new("Prometheus metrics");
    private readonly Port _health = new("health");

    /// <summary>Until stopped.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            ConfigUpdate? followed = null;
            while (true)
            {
                if (state.Config is var config && !ReferenceEquals(config, followed))
                {
                    followed = config;
                    _metrics.Move(Wanted(config, "prometheusMetrics", IPAddress.Any));
                    _health.Move(Wanted(config, "health", IPAddress.Loopback));
                }

                Open(_metrics, MetricsAsync, stop);
                Open(_health, HealthAsync, stop);
                await Task.Delay(s_look, time, stop);
            }
        }
        finally
        {
            _metrics.Close();
            _health.Close();
        }
    }

    /// <summary>Where a port of FelixConfiguration is wanted; null when it is not.</summary>
    /// <param name="field">What the names of its three fields begin with.</param>
    /// <param name="everywhere">For an empty host.</param>
    internal static IPEndPoint? Wanted(ConfigUpdate config, string field, IPAddress everywhere)
    {
        if (!Value(config, $"{field}Enabled").Equals("true", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        string host = Value(config, $"{field}Host");
        IPAddress address = host.Length == 0 ? everywhere : host == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(host, out IPAddress? read) ? read : IPAddress.Loopback;
        return new IPEndPoint(address, int.Parse(Value(config, $"{field}Port")));
    }

    /// <summary>The configured value, or the default where there is none that can be used.</summary>
    private static string Value(ConfigUpdate config, string field)
    {
        FelixParameter parameter = FelixParameters.All.First(p => p.Field == field);
        return config.Find(field) is { } text && parameter.Type.TryRead(text, FelixSyntax.Api, out string value, out _) ? value : parameter.Default;
    }

    /// <summary>Does nothing while the port is open or not wanted.</summary>
    private void Open(Port port, MonitoringHandler handler, CancellationToken stop)
    {
        if (port.At is not { } at || port.IsOpen)
        {
            return;
        }

        try
        {
            port.Open(MonitoringServer.Listen(at, handler, time), stop);
            Log.MonitoringOpened(logger, port.Name, at.ToString());
        }
        catch (IOException e)
        {
            if (!port.IsReported)
            {
                port.IsReported = true;
                Log.MonitoringFailed(logger, port.Name, e.Message);
            }
        }
    }

    private ValueTask<MonitoringAnswer> MetricsAsync(string path, CancellationToken stop)
    {
        if (path != "/metrics")
        {
            return ValueTask.FromResult(MonitoringAnswer.NotFound);
        }

        MetricText text = new();
        AgentMetrics.Write(text, state, progress, health);
        if (!Value(state.Config, "prometheusProcessMetricsEnabled").Equals("false", StringComparison.OrdinalIgnoreCase))
        {
            ProcessMetrics.Write(text);
        }

        return ValueTask.FromResult(new MonitoringAnswer(200, MetricText.ContentType, text.ToString()));
    }

    /// <summary>Live: the loops come round. Ready: in sync, and the kernel has been written.</summary>
    private ValueTask<MonitoringAnswer> HealthAsync(string path, CancellationToken stop)
    {
        StringBuilder detail = new();
        bool well = true;
        switch (path)
        {
            case "/liveness":
                foreach ((string part, TimeSpan silent, bool isAlive) in health.Look())
                {
                    Line(part, isAlive, $"last round {silent.TotalSeconds:F1} s ago");
                }

                break;
            case "/readiness":
                SyncState sync = state.Sync;
                Line("datastore", sync.Status == SyncStatus.InSync, sync.Status == SyncStatus.InSync ? "in sync" : sync.Detail);
                Line("node", state.NotStarted is null, state.NotStarted ?? "entered into the datastore");
                Line("kernel", state.Apply is not null, state.Apply is { } apply ? apply.Problem ?? "written" : "not written yet");
                break;
            default:
                return ValueTask.FromResult(MonitoringAnswer.NotFound);
        }

        return ValueTask.FromResult(MonitoringAnswer.Plain(well ? 200 : 503, detail.ToString()));

        void Line(string part, bool isWell, string text)
        {
            well &= isWell;
            detail.Append($"{part,-16} {(isWell ? "ok" : "FAILS"),-6} {text}\n");
        }
    }

    /// <summary>One of the two, open or not.</summary>
    private sealed class Port(string name)
    {
        private MonitoringServer? _server;

        public string Name => name;

        /// <summary>Where it is wanted; null when it is not.</summary>
        public IPEndPoint? At { get; private set; }

        public bool IsOpen => _server is not null;

        /// <summary>That it cannot be opened there has been said.</summary>
        public bool IsReported { get; set; }

        public void Move(IPEndPoint? at)
        {
            if (!Equals(At, at))
            {
                Close();
                (At, IsReported) = (at, false);
            }
        }

        public void Open(MonitoringServer server, CancellationToken stop)
        {
            _server = server;
            _ = server.RunAsync(stop);
        }

        public void Close()
        {
            _server?.Dispose();
            _server = null;
        }
    }
}
