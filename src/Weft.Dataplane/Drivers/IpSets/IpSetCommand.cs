using System.Text;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.IpSets;

/// <summary>Sets through the ipset program: "ipset save" to read all of them, one "ipset restore" per write.</summary>
public sealed class IpSetCommand(IProcessRunner runner) : IIpSetKernel
{
    public string? ReadAll(List<KernelIpSet> sets)
    {
        sets.Clear();
        ProcessResult result = runner.Run(new ProcessRequest("ipset", "save"));
        if (!result.IsSuccess)
        {
            return $"ipset save: {result}";
        }

        Dictionary<string, KernelIpSet> byName = [];
        foreach (ReadOnlySpan<char> line in result.OutputText.AsSpan().EnumerateLines())
        {
            if (line.StartsWith("create "))
            {
                KernelIpSet set = ParseCreate(line.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries));
                byName[set.Name] = set;
                sets.Add(set);
            }
            else if (line.StartsWith("add "))
            {
                ReadOnlySpan<char> rest = line[4..];
                int blank = rest.IndexOf(' ');
                if (blank > 0 && byName.TryGetValue(rest[..blank].ToString(), out KernelIpSet? set))
                {
                    ReadOnlySpan<char> member = rest[(blank + 1)..];
                    int end = member.IndexOf(' ');
                    set.Members.Add((end < 0 ? member : member[..end]).ToString());
                }
            }
        }

        return null;
    }

    public string? Write(IReadOnlyList<IpSetEdit> edits)
    {
        StringBuilder script = new();
        foreach (IpSetEdit edit in edits)
        {
            AppendEdit(script, edit);
        }

        script.Append("COMMIT\n");
        byte[] input = Encoding.UTF8.GetBytes(script.ToString());
        ProcessResult result = runner.Run(new ProcessRequest("ipset", "restore") { Input = input });
        return result.IsSuccess ? null : $"ipset restore of {input.Length} bytes: {result}";
    }

    public string? Destroy(string name)
    {
        ProcessResult result = runner.Run(new ProcessRequest("ipset", "destroy", name));
        return result.IsSuccess ? null : $"ipset destroy {name}: {result}";
    }

    internal static string TypeName(IpSetType type) => type switch { IpSetType.Ip => "hash:ip", IpSetType.Net => "hash:net", _ => "hash:ip,port" };

    internal static string FamilyName(IpFamily family) => family == IpFamily.IPv6 ? "inet6" : "inet";

    private static void AppendEdit(StringBuilder script, IpSetEdit edit)
    {
        if (edit.Create)
        {
            script.Append($"create {edit.Name} {TypeName(edit.Type)} family {FamilyName(edit.Family)} maxelem {edit.MaxElements}\n");
        }

        foreach (IpSetMember member in edit.Deletions)
        {
            script.Append($"del {edit.Name} {member} --exist\n");
        }

        foreach (IpSetMember member in edit.Additions)
        {
            script.Append($"add {edit.Name} {member} --exist\n");
        }

        if (edit.SwapWith is { } other)
        {
            script.Append($"swap {other} {edit.Name}\n");
        }
    }

    /// <summary>"create NAME TYPE family inet hashsize 1024 maxelem 65536 ..."; options come in pairs.</summary>
    private static KernelIpSet ParseCreate(string[] words)
    {
        string family = string.Empty;
        long maxElements = 0;
        for (int i = 3; i + 1 < words.Length; i++)
        {
            switch (words[i])
            {
                case "family": family = words[i + 1]; break;
                case "maxelem": _ = long.TryParse(words[i + 1], out maxElements); break;
            }
        }

        return new KernelIpSet(words[1], words.Length > 2 ? words[2] : string.Empty, family, maxElements, []);
    }
}
