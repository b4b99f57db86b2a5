using System.Text.Json.Nodes;
using Weft.Hosting;
using Weft.Hosting.Commands;
using Weft.Node.Cni;

namespace Weft.Node.Install;

/// <summary><c>weft cni install</c> and <c>weft cni uninstall</c>: the plugin's files on a machine, or, from a pod, on the host whose root is mounted.</summary>
public sealed class CniCommand : ICommand
{
    private static readonly CommandOption s_prefix = new("--host-prefix", null, "DIR", "Stands before every path: /host where a pod has the host's root mounted.");
    private static readonly CommandOption s_bin = new("--bin-dir", null, "DIR", "Folder of the runtime's plugins (default /opt/cni/bin).");
    private static readonly CommandOption s_conf = new("--conf-dir", null, "DIR", "Folder of the runtime's network configurations (default /etc/cni/net.d).");
    private static readonly CommandOption s_name = new("--conf-name", null, "NAME", "File of the network configuration (default 10-weft.conflist).");
    private static readonly CommandOption s_file = new("--conflist", null, "FILE", "The network configuration to install instead of the built-in one.");
    private static readonly CommandOption s_network = new("--network", null, "NAME", "Name of the network in the built-in configuration (default weft).");
    private static readonly CommandOption s_socket = new("--agent-socket", null, "PATH", "The agent's socket in the built-in configuration (default /run/weft/agent.sock).");

    public string Name => "cni";

    public string Summary => "install the CNI plugin for container runtimes, or remove it";

    public CommandSyntax Syntax => new(
        "cni", "install | uninstall [flags]",
        "Writes this executable as CNI plugin weft and weft-ipam and a network configuration, each file whole or not at all, also over older ones while pods come and go; or removes them.",
        [s_prefix, s_bin, s_conf, s_name, s_file, s_network, s_socket])
    {
        Words = ["install", "uninstall"],
        Examples =
        [
            ("weft cni install", "On the machine itself."),
            ("weft cni install --host-prefix /host", "From a pod that has the host's root mounted there."),
        ],
    };

    public async Task<ExitStatus> RunAsync(IReadOnlyList<string> arguments, CommandContext context, CancellationToken stop)
    {
        if (!CommandLine.TryParse(arguments, Syntax, out CommandLine? line, out string? problem))
        {
            await context.Error.WriteLineAsync($"weft cni: {problem}\n{Syntax.Usage}");
            return ExitStatus.Usage;
        }

        if (line.WantsHelp)
        {
            await context.Out.WriteAsync(Syntax.Help());
            return ExitStatus.Ok;
        }

        CniFolders folders = new(
            line.Value(s_prefix) ?? string.Empty, line.Value(s_bin) ?? "/opt/cni/bin", line.Value(s_conf) ?? "/etc/cni/net.d", line.Value(s_name) ?? "10-weft.conflist");
        switch (line.Arguments)
        {
            case ["install"]:
                return await InstallAsync(line, folders, context);
            case ["uninstall"]:
                return await TryAsync("uninstall", () => new CniFiles(folders).Uninstall().Select(p => $"removed {p}"), context);
            default:
                await context.Error.WriteLineAsync($"weft cni: expected install or uninstall\n{Syntax.Usage}");
                return ExitStatus.Usage;
        }
    }

    /// <summary>What a runtime needs to know and no more: no address of a datastore, no credential; the agent has those.</summary>
    /// <param name="network">Its name.</param>
    /// <param name="agentSocket">The agent's.</param>
    /// <param name="withPortmap">Published ports are another plugin's work; without it every ADD of a chain that names it would fail.</param>
    internal static string BuiltIn(string network, string agentSocket, bool withPortmap)
    {
        JsonObject weft = new() { ["type"] = "weft" };
        if (agentSocket != NetworkConfig.DefaultAgentSocket)
        {
            weft["agent_socket"] = agentSocket;
        }

        weft["ipam"] = new JsonObject { ["type"] = "weft-ipam" };
        weft["capabilities"] = new JsonObject { ["bandwidth"] = true, ["io.kubernetes.cri.pod-annotations"] = true, ["ips"] = true, ["mac"] = true };
        JsonObject portmap = new() { ["type"] = "portmap", ["snat"] = true, ["capabilities"] = new JsonObject { ["portMappings"] = true } };
        JsonArray plugins = withPortmap ? new JsonArray(weft, portmap) : new JsonArray(weft);
        JsonObject list = new() { ["cniVersion"] = "1.0.0", ["name"] = network, ["plugins"] = plugins };
        return list.ToJsonString(new System.Text.Json.JsonSerializerOptions { WriteIndented = true }) + "\n";
    }

    private async Task<ExitStatus> InstallAsync(CommandLine line, CniFolders folders, CommandContext context)
    {
        string conflist;
        try
        {
            conflist = line.Value(s_file) is { } file
                ? await File.ReadAllTextAsync(file)
                : BuiltIn(line.Value(s_network) ?? "weft", line.Value(s_socket) ?? NetworkConfig.DefaultAgentSocket, File.Exists(Path.Combine(folders.Bin, "portmap")));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await context.Error.WriteLineAsync($"weft cni install: {e.Message}");
            return ExitStatus.Failed;
        }

        if (CniFiles.Problem(conflist) is { } problem)
        {
            await context.Error.WriteLineAsync($"weft cni install: {line.Value(s_file)}: {problem}");
            return ExitStatus.Configuration;
        }

        return await TryAsync("install", () => new CniFiles(folders).Install("/proc/self/exe", conflist).Select(p => $"wrote {p}"), context);
    }

    private static async Task<ExitStatus> TryAsync(string what, Func<IEnumerable<string>> work, CommandContext context)
    {
        try
        {
            foreach (string change in work())
            {
                await context.Out.WriteLineAsync(change);
            }

            return ExitStatus.Ok;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await context.Error.WriteLineAsync($"weft cni {what}: {e.Message}");
            return ExitStatus.Failed;
        }
    }
}
