using System.Buffers.Binary;
using System.Text;
using Weft.Bgp.Policies;

namespace Weft.Fuzz.Targets;

/// <summary>A regular expression over AS paths: refused with its place, or an automaton of bounded size that answers for any path.</summary>
internal sealed class AsPathPatternTarget : FuzzTarget
{
    /// <summary>None, one AS, a sequence, a sequence behind a set, a path of a confederation.</summary>
    private static readonly byte[][] s_paths =
    [
        [], Path(2, 65001), Path(2, 65001, 65002, 65010, 65099), [.. Path(1, 65001, 7), .. Path(2, 65099)], [.. Path(3, 65101, 65102), .. Path(2, 4200000001)],
        Path(2, [.. Enumerable.Repeat(65001u, 255)]),
    ];

    public override string Name => "as-path-pattern";

    public override IEnumerable<byte[]> Seeds => new[]
    {
        "^65001 .* 65099$", "^$", "65001", "[^65001 65010-65020]+", "^(65001|65002){2,3}_.?", "1.10*", "((.)*)*$",
    }.Select(Encoding.UTF8.GetBytes);

    public override IReadOnlyList<byte[]> Words =>
        new[] { "^", "$", ".", "*", "+", "?", "{2}", "{1,3}", "{0,512}", "(", ")", "|", "[", "[^", "]", "-", "_", " 65001 ", "4294967295" }.Select(Encoding.UTF8.GetBytes).ToArray();

    public override ulong Run(byte[] input)
    {
        string text = Encoding.UTF8.GetString(input);
        if (!AsPathPattern.TryParse(text, out AsPathPattern? pattern, out string reason))
        {
            Require(reason.Length > 0, "refused without a reason");
            return Mix(1, Magnitude(reason.Length));
        }

        ulong answers = 0;
        foreach (byte[] path in s_paths)
        {
            answers = answers << 1 | (pattern.Automaton.Matches(path) ? 1UL : 0);
        }

        Require(AsPathPattern.TryParse(pattern.Text, out AsPathPattern? again, out _) && again.Equals(pattern), "a pattern changes from one reading to the next");
        return Mix(2, answers << 8 | Magnitude(text.Length));
    }

    private static byte[] Path(byte type, params uint[] ases)
    {
        byte[] segment = new byte[2 + 4 * ases.Length];
        (segment[0], segment[1]) = (type, (byte)ases.Length);
        for (int i = 0; i < ases.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(2 + 4 * i), ases[i]);
        }

        return segment;
    }
}
