using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weft.Lab;

/// <summary>
/// Where a lab keeps its files. There is one lab at a time: the folder is the claim, and everything the lab makes in the kernel carries the prefix, so
/// that <c>weft lab down</c> finds all of it even after a kill -9.
/// </summary>
internal static class LabFiles
{
    public const string Prefix = "weft-lab-";

    public const string Root = "/run/weft-lab";

    public static string State => $"{Root}/state.json";

    public static string Log(string process) => $"{Root}/log/{process}.log";

    public static string RunDir(string machine) => $"{Root}/{machine}";

    public static string Settings(string machine) => $"{Root}/{machine}/weft.conf";

    /// <summary>The network namespace of a machine or pod.</summary>
    public static string NamespaceName(string machine) => Prefix + machine;

    public static string NamespacePath(string machine) => $"/run/netns/{NamespaceName(machine)}";
}

/// <summary>A process the lab started. The start time makes the id safe against reuse.</summary>
/// <param name="Role">"store", "router", "agent", "pod", "bird".</param>
/// <param name="Pid">Process id.</param>
/// <param name="StartTicks">Field 22 of /proc/PID/stat.</param>
internal sealed record LabProcessRecord(string Role, int Pid, long StartTicks);

/// <summary>A machine or pod of a running lab, as <c>weft lab status -o json</c> prints it.</summary>
internal sealed record LabMember
{
    public required string Name { get; init; }

    /// <summary>"store", "switch", "node" or "pod".</summary>
    public required string Kind { get; init; }

    /// <summary>Path of the network namespace.</summary>
    public required string Netns { get; init; }

    public required IReadOnlyList<string> Addresses { get; init; }

    public IReadOnlyList<LabProcessRecord> Processes { get; init; } = [];

    /// <summary>Kubernetes namespace, of a pod.</summary>
    public string? Namespace { get; init; }

    /// <summary>The node a pod runs on, the switch a node hangs on.</summary>
    public string? Parent { get; init; }

    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>CNI_CONTAINERID, of a pod.</summary>
    public string? ContainerId { get; init; }

    /// <summary>Folder with settings and control sockets, of a switch or node.</summary>
    public string? RunDir { get; init; }
}

/// <summary>The file that says what is up.</summary>
internal sealed record LabState
{
    /// <summary>The process that built (or is building) the lab.</summary>
    public required LabProcessRecord Owner { get; init; }

    public required string DatastoreEndpoint { get; init; }

    /// <summary>Namespace from which the endpoint is reachable.</summary>
    public required string DatastoreNetns { get; init; }

    public required bool Keep { get; init; }

    public IReadOnlyList<LabMember> Members { get; init; } = [];

    /// <summary>Makes the state file, which nobody else may have made: of two labs started at once, one goes on.</summary>
    public static bool Claim()
    {
        Directory.CreateDirectory(LabFiles.Root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            using FileStream claim = new(LabFiles.State, FileMode.CreateNew);
            return true;
        }
        catch (IOException) when (File.Exists(LabFiles.State))
        {
            return false;
        }
    }

    /// <summary>Null when no lab is up.</summary>
    public static LabState? Read()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(LabFiles.State), LabJson.Default.LabState);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return null; // Never written, or half written by a process that was killed: the prefix finds what there is.
        }
    }

    /// <summary>Replaces the file as a whole.</summary>
    public void Write()
    {
        string temporary = LabFiles.State + ".new";
        File.WriteAllBytes(temporary, JsonSerializer.SerializeToUtf8Bytes(this, LabJson.Default.LabState));
        File.Move(temporary, LabFiles.State, overwrite: true);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LabState))]
internal sealed partial class LabJson : JsonSerializerContext;
