using System.Text;
using Weft.Hosting.Configuration;

namespace Weft;

/// <summary>The reference of the settings file as Markdown, generated from the declarations that the roles read by.</summary>
internal static class SettingsReference
{
    public static string Render(IReadOnlyList<ISetting> settings)
    {
        StringBuilder text = new();
        text.Append("# weft.conf\n\nOne INI file for all roles of a machine, `/etc/weft/weft.conf` unless `--config` names another.\n");
        text.Append("Precedence: default, file, environment (`WEFT__SECTION__KEY`, hyphens as underscores), `--set section.key=value`.\n");
        text.Append("This page is printed by `weft config reference`.\n");
        foreach (IGrouping<string, ISetting> section in settings.GroupBy(s => s.Section).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            text.Append("\n## [").Append(section.Key.Replace(":*", ":NAME")).Append("]\n\n| key | value | default | meaning |\n|---|---|---|---|\n");
            foreach (ISetting setting in section)
            {
                text.Append("| `").Append(setting.Key).Append("` | ").Append(setting.Form.Replace("|", "\\|")).Append(" | ")
                    .Append(setting.Default.Length == 0 ? "-" : $"`{setting.Default}`").Append(" | ").Append(setting.Help.Replace("|", "\\|")).Append(" |\n");
            }

            foreach (ISetting setting in section.Where(s => s.Notes.Length > 0))
            {
                text.Append('\n').Append(setting.Notes).Append('\n');
            }
        }

        return text.ToString();
    }
}
