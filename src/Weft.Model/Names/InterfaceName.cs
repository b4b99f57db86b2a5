using System.Security.Cryptography;
using System.Text;

namespace Weft.Model.Names;

/// <summary>Names of the host sides of veth pairs.</summary>
public static class InterfaceName
{
    /// <summary>IFNAMSIZ of the kernel without its closing zero.</summary>
    public const int MaxLength = 15;

    public const string WorkloadPrefix = "cali";

    // Prefix and digits together fill the 15 characters.
    private const int Digits = 11;

    /// <summary>Of a pod under Kubernetes: the prefix and the first 11 hexadecimal digits of SHA-1("NAMESPACE.POD"), as Calico names it.</summary>
    public static string ForWorkload(string @namespace, string pod, string prefix = WorkloadPrefix)
    {
        // A name, not a secret: SHA-1 because Calico has used it here since its first release.
#pragma warning disable CA5350
        byte[] hash = SHA1.HashData(Encoding.UTF8.GetBytes($"{@namespace}.{pod}"));
#pragma warning restore CA5350
        return prefix + Convert.ToHexStringLower(hash)[..Digits];
    }

    /// <summary>Of a container under another orchestrator: the prefix and the first 11 characters of its id.</summary>
    public static string ForContainer(string containerId, string prefix = WorkloadPrefix) => prefix + containerId[..Math.Min(Digits, containerId.Length)];
}
