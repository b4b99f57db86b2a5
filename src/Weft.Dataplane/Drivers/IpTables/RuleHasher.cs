using System.Buffers.Text;
using System.Text;
using Weft.Dataplane.Rules.Model;
using Weft.Primitives.Hashing;

namespace Weft.Dataplane.Drivers.IpTables;

/// <summary>
/// Names every rule by a hash that stands in its comment, so that the rules in the kernel can be compared with the desired ones although iptables
/// prints rules differently from how they were written:
/// <code>
/// h(0) = SHA-224(chain name)
/// h(i) = SHA-224(h(i-1), "-A CHAIN HASH " + text of rule i)        comment = base64url(h(i)), first 16 characters
/// </code>
/// The chaining makes a hash depend on everything before it: equal hashes at equal places mean equal chains. The scheme is Calico's, bit for bit.
/// </summary>
/// <param name="text">Writes the rules.</param>
internal sealed class RuleHasher(IpTablesText text)
{
    public const int Length = 16;

    /// <summary>Hashes of the rules of a chain, or of the rules we insert into one of the kernel's chains.</summary>
    public string[] HashRules(string chain, ReadOnlySpan<Rule> rules) => Hash(chain, rules);

    /// <summary>Hashes of the rules we append to one of the kernel's chains: a name of their own keeps them apart from the inserted ones.</summary>
    public string[] HashAppends(string chain, ReadOnlySpan<Rule> rules) => Hash($"{chain}*appends*", rules);

    private string[] Hash(string chain, ReadOnlySpan<Rule> rules)
    {
        string[] hashes = new string[rules.Length];
        byte[] input = new byte[1024];
        Span<byte> encoded = stackalloc byte[Base64Url.GetEncodedLength(Sha224.Length)];
        Sha224.Hash(Encoding.UTF8.GetBytes(chain), input);
        for (int i = 0; i < rules.Length; i++)
        {
            string line = $"-A {chain} HASH {text.Of(rules[i])}".TrimEnd(' ');
            int needed = Sha224.Length + Encoding.UTF8.GetMaxByteCount(line.Length);
            if (input.Length < needed)
            {
                Array.Resize(ref input, needed);
            }

            int length = Encoding.UTF8.GetBytes(line, input.AsSpan(Sha224.Length));
            Sha224.Hash(input.AsSpan(0, Sha224.Length + length), input);
            Base64Url.EncodeToUtf8(input.AsSpan(0, Sha224.Length), encoded);
            hashes[i] = Encoding.ASCII.GetString(encoded[..Length]);
        }

        return hashes;
    }
}
