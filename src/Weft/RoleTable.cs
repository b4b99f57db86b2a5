using Weft.Cluster.Store;
using Weft.Ctl.Ipam;
using Weft.Ctl.Nodes;
using Weft.Ctl.Resources;
using Weft.Hosting;
using Weft.Lab;
using Weft.Node.Agent;
using Weft.Node.Install;
using Weft.Node.Router;

namespace Weft;

/// <summary>Every role and command of the executable, in the order <c>weft help</c> prints them. Factories: nothing is built before it is chosen.</summary>
internal static class RoleTable
{
    public static readonly IReadOnlyDictionary<string, Func<IRole>> Roles = new Dictionary<string, Func<IRole>>
    {
        ["store"] = () => new StoreRole(),
        ["agent"] = () => new AgentRole(),
        ["router"] = () => new RouterRole(),
    };

    public static readonly IReadOnlyDictionary<string, Func<ICommand>> Commands = new Dictionary<string, Func<ICommand>>
    {
        ["get"] = () => new GetCommand(),
        ["create"] = WriteCommands.Create,
        ["apply"] = WriteCommands.Apply,
        ["replace"] = WriteCommands.Replace,
        ["delete"] = () => new DeleteCommand(),
        ["node"] = () => new NodeCommand(),
        ["ipam"] = () => new IpamCommand(),
        ["policy"] = () => new PolicyCommand(),
        ["drops"] = () => new DropsCommand(),
        ["cni"] = () => new CniCommand(),
        ["config"] = () => new ConfigCommand(),
        ["lab"] = () => new LabCommand(),
        ["completion"] = () => new CompletionCommand(),
        ["man"] = () => new ManCommand(),
    };
}
