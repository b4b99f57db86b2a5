using System.Text.RegularExpressions;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>Which kernel interface the iptables programs speak to.</summary>
public enum IpTablesBackend
{
    /// <summary>Whichever other programs on this host already use.</summary>
    Auto,

    Legacy,

    Nft,
}

/// <summary>What the installed iptables and kernel understand; part of the text of some rules.</summary>
public sealed record IpTablesFeatures(bool SnatRandomFully = true, bool MasqueradeRandomFully = true, bool NflogSize = true, bool RestoreLock = true)
{
    internal static IpTablesFeatures Of(Version iptables, Version kernel) => new(
        SnatRandomFully: iptables >= new Version(1, 6, 0) && kernel >= new Version(3, 14),
        MasqueradeRandomFully: iptables >= new Version(1, 6, 2) && kernel >= new Version(3, 14),
        NflogSize: kernel >= new Version(4, 8),
        RestoreLock: iptables >= new Version(1, 6, 2));
}

/// <summary>The programs that read and write one family's tables with one backend.</summary>
/// <param name="Backend">Never <see cref="IpTablesBackend.Auto"/>.</param>
public sealed partial record IpTablesTools(IpFamily Family, IpTablesBackend Backend, string SaveCommand, string RestoreCommand, IpTablesFeatures Features)
{
    // Written by kubelet (of either age) and kube-proxy into the backend they use.
    private static readonly string[] KubernetesHints = ["KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY"];

    /// <summary>Finds the programs, and with <see cref="IpTablesBackend.Auto"/> the backend.</summary>
    /// <exception cref="DataplaneException">There are no such programs.</exception>
    public static IpTablesTools Detect(IProcessRunner runner, IpFamily family, IpTablesBackend wanted)
    {
        IpTablesBackend backend = wanted == IpTablesBackend.Auto ? DetectBackend(runner, family) : wanted;
        string name = family == IpFamily.IPv6 ? "ip6tables" : "iptables";
        string save = FirstThatRuns(runner, Qualified(name, backend, "-save"), $"{name}-save");
        string restore = FirstThatRuns(runner, Qualified(name, backend, "-restore"), $"{name}-restore");
        Version iptables = ParseVersion(runner.Run(new ProcessRequest(restore, "--version")).OutputText);
        return new IpTablesTools(family, backend, save, restore, IpTablesFeatures.Of(iptables, Environment.OSVersion.Version));
    }

    /// <summary>The same for the other backend, to sweep away what an earlier life left there; null when it is not installed.</summary>
    public IpTablesTools? OtherBackend(IProcessRunner runner)
    {
        IpTablesBackend other = Backend == IpTablesBackend.Nft ? IpTablesBackend.Legacy : IpTablesBackend.Nft;
        string name = Family == IpFamily.IPv6 ? "ip6tables" : "iptables";
        string save = Qualified(name, other, "-save");
        bool present = runner.Run(new ProcessRequest(save, "--version")).IsSuccess && (other == IpTablesBackend.Nft || LegacyIsLoaded(runner, Family));
        return present ? this with { Backend = other, SaveCommand = save, RestoreCommand = Qualified(name, other, "-restore") } : null;
    }

    /// <summary>There are tables of the legacy kind in the kernel; asking loads nothing.</summary>
    internal static bool HasLegacyTables(IProcessRunner runner, IpFamily family) =>
        runner.Run(new ProcessRequest("cat", family == IpFamily.IPv6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names")) is { IsSuccess: true } names
        && names.OutputText.Length > 0;

    internal static Version ParseVersion(string text)
    {
        System.Text.RegularExpressions.Match match = VersionPattern().Match(text);
        return match.Success ? Version.Parse(match.Groups[1].ValueSpan) : new Version(1, 4, 7);
    }

    private static IpTablesBackend DetectBackend(IProcessRunner runner, IpFamily family)
    {
        string name = family == IpFamily.IPv6 ? "ip6tables" : "iptables";
        string nftSave = Qualified(name, IpTablesBackend.Nft, "-save"), legacySave = Qualified(name, IpTablesBackend.Legacy, "-save");
        if (HasHint(runner.Run(new ProcessRequest(nftSave, "-t", "mangle"))))
        {
            return IpTablesBackend.Nft;
        }

        // Asking the legacy programs loads the kernel's modules for them.
        if (!LegacyIsLoaded(runner, family) || !runner.Run(new ProcessRequest(legacySave, "--version")).IsSuccess)
        {
            return IpTablesBackend.Nft;
        }

        if (HasHint(runner.Run(new ProcessRequest(legacySave, "-t", "mangle"))))
        {
            return IpTablesBackend.Legacy;
        }

        int nftRules = CountRules(runner.Run(new ProcessRequest(nftSave)));
        int legacyRules = CountRules(runner.Run(new ProcessRequest(legacySave)));
        if (nftRules != legacyRules)
        {
            return nftRules > legacyRules ? IpTablesBackend.Nft : IpTablesBackend.Legacy;
        }

        // A tie (usually no rules at all) says nothing: what the host's own iptables is, an operator will look with. Calico takes legacy here.
        return runner.Run(new ProcessRequest(name, "--version")).OutputText.Contains("legacy", StringComparison.Ordinal) ? IpTablesBackend.Legacy : IpTablesBackend.Nft;
    }

    // Through the runner, because the file belongs to the namespace the programs run in.
    private static bool LegacyIsLoaded(IProcessRunner runner, IpFamily family) =>
        runner.Run(new ProcessRequest("cat", family == IpFamily.IPv6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names")).IsSuccess;

    private static bool HasHint(ProcessResult saved)
    {
        string text = saved.OutputText;
        return KubernetesHints.Any(text.Contains);
    }

    private static int CountRules(ProcessResult saved)
    {
        int rules = 0;
        foreach (ReadOnlySpan<char> line in saved.OutputText.AsSpan().EnumerateLines())
        {
            rules += line.StartsWith("-A") ? 1 : 0;
        }

        return rules;
    }

    private static string FirstThatRuns(IProcessRunner runner, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (runner.Run(new ProcessRequest(name, "--version")).IsSuccess)
            {
                return name;
            }
        }

        throw new DataplaneException($"none of these programs is installed: {string.Join(", ", names.ToArray())}");
    }

    private static string Qualified(string name, IpTablesBackend backend, string suffix) =>
        $"{name}-{(backend == IpTablesBackend.Nft ? "nft" : "legacy")}{suffix}";

    [GeneratedRegex(@"v(\d+\.\d+(?:\.\d+)?)")]
    private static partial Regex VersionPattern();
}
