using System.Diagnostics;
using Weft.Linux.Namespaces;

namespace Weft.Lab;

/// <summary>
/// Takes a lab down: processes, namespaces, files. It trusts what it finds (the name prefix), not the state file, so it also clears what a killed lab left.
/// </summary>
internal static class LabTeardown
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <returns>How many processes and namespaces were removed.</returns>
    public static (int Processes, int Namespaces) Run()
    {
        List<string> names = [.. NamedNamespaces.List().Where(n => n.StartsWith(LabFiles.Prefix, StringComparison.Ordinal))];
        int processes = KillProcessesIn(names);
        foreach (string name in names)
        {
            NamedNamespaces.Delete(name);
        }

        if (Directory.Exists(LabFiles.Root))
        {
            Directory.Delete(LabFiles.Root, recursive: true);
        }

        return (processes, names.Count);
    }

    /// <summary>True when anything of a lab is on this machine.</summary>
    public static bool AnythingLeft() =>
        Directory.Exists(LabFiles.Root) || NamedNamespaces.List().Any(n => n.StartsWith(LabFiles.Prefix, StringComparison.Ordinal));

    private static int KillProcessesIn(IReadOnlyList<string> namespaces)
    {
        HashSet<string> identities = [];
        foreach (string name in namespaces)
        {
            if (NetNamespace.TryOpen(NamedNamespaces.PathOf(name), out _) is { } space)
            {
                using (space)
                {
                    identities.Add(space.Run(() => NamespaceOf("thread-self")) ?? string.Empty);
                }
            }
        }

        identities.Remove(string.Empty);
        int killed = 0;
        long start = Stopwatch.GetTimestamp();
        // Again until nothing is found: a process may have started another one meanwhile.
        while (identities.Count > 0 && Stopwatch.GetElapsedTime(start) < s_patience)
        {
            int found = KillOnce(identities);
            if (found == 0)
            {
                break;
            }

            killed += found;
        }

        return killed;
    }

    private static int KillOnce(HashSet<string> identities)
    {
        int found = 0;
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out int pid) || pid == Environment.ProcessId
                || NamespaceOf(pid.ToString()) is not { } identity || !identities.Contains(identity) || LabProcess.StartTicks(pid) is null)
            {
                continue;
            }

            try
            {
                using Process process = Process.GetProcessById(pid);
                process.Kill();
                process.WaitForExit(TimeSpan.FromSeconds(2));
                found++;
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                // It ended by itself between the look and the signal.
            }
        }

        return found;
    }

    /// <summary>"net:[4026531840]", the identity of a process's network namespace.</summary>
    private static string? NamespaceOf(string process)
    {
        try
        {
            return File.ResolveLinkTarget($"/proc/{process}/ns/net", returnFinalTarget: false)?.Name;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
