using System.Collections;
using Microsoft.Extensions.Logging;
using Weft.Hosting.Configuration;
using Weft.Hosting.Monitoring;
using Weft.Hosting.Systemd;

namespace Weft.Hosting;

/// <summary>A long-running part of weft: one command, one process, one systemd unit.</summary>
public interface IRole
{
    /// <summary>The word on the command line: "agent", "router", "store".</summary>
    string Name { get; }

    /// <summary>One line for <c>weft help</c>.</summary>
    string Summary { get; }

    /// <summary>Every setting the role reads: the source of the reference page and of the check for unknown keys.</summary>
    IReadOnlyList<ISetting> Settings { get; }

    /// <summary>Flags of the command line that stand for one setting each.</summary>
    IReadOnlyList<RoleOption> Options { get; }

    /// <summary>Commands to a running instance: <c>weft router show ...</c>. Empty for a role that has none.</summary>
    IReadOnlyList<ICommand> Commands => [];

    /// <summary>What the role exposes at /metrics besides <see cref="ProcessMetrics"/>: the source of the reference of metrics.</summary>
    IReadOnlyList<Metric> Metrics => [];

    /// <summary>
    /// Runs until <paramref name="stop"/> fires or the role cannot go on. Stopping leaves the kernel's state in place.
    /// </summary>
    Task<ExitStatus> RunAsync(RoleContext context, CancellationToken stop);
}

/// <summary>A flag such as <c>--listen VALUE</c> that stands for a setting; every other setting is reached by <c>--set section.key=value</c>.</summary>
/// <param name="Flag">With both hyphens.</param>
/// <param name="Setting">The setting it sets.</param>
public sealed record RoleOption(string Flag, ISetting Setting);

/// <summary>What a role is given by Program. Nothing else reads the settings file, the environment or the clock.</summary>
public sealed class RoleContext
{
    public required SettingsReader Settings { get; init; }

    public required ILoggerFactory Logs { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Variables of the process, for what is no setting of weft's own.</summary>
    public IDictionary Environment { get; init; } = new Hashtable();

    public SystemdNotifier Systemd { get; init; } = SystemdNotifier.None;

    /// <summary>Sockets that the service manager holds for the role, by their paths.</summary>
    public InheritedSockets Sockets { get; init; } = InheritedSockets.None;

    /// <summary>Fires on SIGHUP; the role decides what a reload means.</summary>
    public ReloadSignal Reload { get; init; } = new();

    /// <summary>
    /// Reads the settings again from the same file, environment and command line. Check <c>Problems</c> before using the result.
    /// </summary>
    public Func<SettingsReader>? ReadSettingsAgain { get; init; }
}

/// <summary>A signal that can be waited for more than once.</summary>
public sealed class ReloadSignal
{
    private readonly SemaphoreSlim _signal = new(0, 1);

    /// <summary>Several requests before the next wait count as one.</summary>
    public void Request()
    {
        try
        {
            _signal.Release();
        }
        catch (SemaphoreFullException)
        {
            // One reload is pending already, and it will read the newest settings.
        }
    }

    public Task WaitAsync(CancellationToken stop) => _signal.WaitAsync(stop);
}
