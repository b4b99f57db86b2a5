using Microsoft.Extensions.Logging;
using Weft.Linux;
using Weft.Linux.Namespaces;
using Weft.Linux.Processes;

namespace Weft.Dataplane.Drivers.Sysctls;

/// <summary>One kernel setting that must have a value.</summary>
/// <param name="Path">Below /proc/sys, with slashes.</param>
/// <param name="IsBestEffort">A kernel without the setting, or one that refuses it, is no failure.</param>
public readonly record struct SysctlValue(string Path, string Value, bool IsBestEffort = false);

/// <summary>The seam at which tests make the kernel fail.</summary>
public interface ISysctlFiles
{
    Errno TryRead(string path, out string value);

    Errno TryWrite(string path, string value);
}

/// <summary>The settings of a namespace.</summary>
/// <param name="space">Null for the one the process runs in; another one costs a thread per access (tests).</param>
public sealed class SysctlFiles(NetNamespace? space = null) : ISysctlFiles
{
    public Errno TryRead(string path, out string value)
    {
        if (space is null)
        {
            return Sysctl.TryRead(path, out value);
        }

        (Errno errno, value) = space.Run(() => (Sysctl.TryRead(path, out string read), read));
        return errno;
    }

    public Errno TryWrite(string path, string value) => space is null ? Sysctl.TryWrite(path, value) : space.Run(() => Sysctl.TryWrite(path, value));
}

/// <summary>
/// Keeps kernel settings: those of the host once, those of a link while it exists. A setting is written only when it reads otherwise. Settings of
/// a link that goes away need no cleaning up: the kernel makes new ones for a new link of the same name.
/// </summary>
public sealed class SysctlTable : IReconciler
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly ISysctlFiles _files;
    private readonly ILogger _logger;
    private readonly Dictionary<string, SysctlValue[]> _desired = []; // by link; "" for the host
    private readonly HashSet<string> _dirty = [];

    public SysctlTable(ISysctlFiles files, ILogger<SysctlTable> logger)
    {
        _files = files;
        _logger = logger;
    }

    /// <param name="link">Empty for settings of the host.</param>
    /// <param name="values">In the order to write them; an empty span forgets the link.</param>
    public void Set(string link, ReadOnlySpan<SysctlValue> values)
    {
        if (values.IsEmpty)
        {
            _desired.Remove(link);
            _dirty.Remove(link);
            return;
        }

        _desired[link] = values.ToArray();
        _dirty.Add(link);
    }

    /// <summary>The link came or changed: a new link starts with default settings.</summary>
    public void OnLinkChanged(string name)
    {
        if (_desired.ContainsKey(name))
        {
            _dirty.Add(name);
        }
    }

    public void QueueResync() => _dirty.UnionWith(_desired.Keys);

    public ApplyStatus Apply()
    {
        foreach (string link in _dirty.Order(StringComparer.Ordinal).ToArray())
        {
            if (WriteAll(link))
            {
                _dirty.Remove(link);
            }
        }

        return _dirty.Count == 0 ? ApplyStatus.Done : ApplyStatus.RetryLater(RetryDelay);
    }

    private bool WriteAll(string link)
    {
        bool complete = true;
        foreach (SysctlValue wanted in _desired[link])
        {
            Errno errno = _files.TryRead(wanted.Path, out string actual);
            if (errno == Errno.None && actual != wanted.Value)
            {
                errno = _files.TryWrite(wanted.Path, wanted.Value);
            }

            // ENOENT of a link's setting: the link is not there (yet). OnLinkChanged brings us back.
            if (errno == Errno.None || wanted.IsBestEffort || (errno == Errno.ENOENT && link.Length > 0))
            {
                continue;
            }

            Log.SysctlNotWritten(_logger, wanted.Path, wanted.Value, errno.Describe());
            complete = false;
        }

        return complete;
    }
}
