using System.Text;
using Weft.Hosting;

namespace Weft;

/// <summary>The text of <c>weft help</c>.</summary>
internal static class HelpText
{
    public static string Render()
    {
        StringBuilder text = new();
        text.Append("weft: a Calico-compatible network for bare-metal nodes and top-of-rack switches\n\n");
        text.Append("usage: weft COMMAND [arguments]      \"weft COMMAND --help\" explains one command\n");
        if (RoleTable.Roles.Count > 0)
        {
            text.Append("\nRoles (each one process, one systemd unit):\n");
            foreach ((string name, Func<IRole> role) in RoleTable.Roles)
            {
                text.Append($"  {name,-12} {role().Summary}\n");
            }
        }

        text.Append("\nCommands:\n");
        foreach ((string name, Func<ICommand> command) in RoleTable.Commands)
        {
            text.Append($"  {name,-12} {command().Summary}\n");
        }

        text.Append($"  {"version",-12} print the version\n");
        text.Append("\nCalled with CNI_COMMAND set and no arguments, weft is a CNI plugin.\n");
        return text.ToString();
    }
}
