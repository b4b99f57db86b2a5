namespace Weft.Fuzz;

/// <summary>Makes new inputs out of old ones: octets, pieces, words of the decoder, splices of two inputs; for BGP also whole attributes and honest lengths.</summary>
internal sealed class Mutator(Random random)
{
    private const int MaximumLength = 8192;

    private static readonly byte[] s_telling = [0, 1, 2, 3, 4, 5, 7, 8, 14, 15, 16, 17, 19, 23, 24, 25, 31, 32, 33, 64, 127, 128, 129, 0xC0, 254, 255];

    public byte[] Mutate(FuzzTarget target, IReadOnlyList<byte[]> corpus)
    {
        byte[] input = corpus[random.Next(corpus.Count)];
        int rounds = 1 + random.Next(4);
        for (int i = 0; i < rounds; i++)
        {
            byte[] other = corpus[random.Next(corpus.Count)];
            input = target.IsBgp && random.Next(3) != 0 ? UpdateShape.Mutate(input, other, random) : Plain(input, other, target.Words);
        }

        if (target.IsBgp && random.Next(8) != 0)
        {
            UpdateShape.FixHeader(input);
        }

        return input.Length > MaximumLength ? input[..MaximumLength] : input;
    }

    private byte[] Plain(byte[] input, byte[] other, IReadOnlyList<byte[]> words)
    {
        if (input.Length == 0)
        {
            return other.Length > 0 ? other : [0];
        }

        int at = random.Next(input.Length);
        int length = random.Next(Math.Min(64, input.Length - at) + 1);
        switch (random.Next(words.Count > 0 ? 10 : 8))
        {
            case 0:
                return Changed(input, at, (byte)(input[at] ^ (1 << random.Next(8))));
            case 1:
                return Changed(input, at, s_telling[random.Next(s_telling.Length)]);
            case 2:
                return Changed(input, at, (byte)random.Next(256));
            case 3:
                return [.. input.AsSpan(0, at), .. input.AsSpan(at + length)];
            case 4:
                return [.. input.AsSpan(0, at + length), .. input.AsSpan(at)];
            case 5:
                return input[..at];
            case 6:
                int from = random.Next(other.Length + 1);
                return [.. input.AsSpan(0, at), .. other.AsSpan(from)];
            case 7:
                byte[] noise = new byte[random.Next(16)];
                random.NextBytes(noise);
                return [.. input.AsSpan(0, at), .. noise, .. input.AsSpan(at)];
            case 8:
                return [.. input.AsSpan(0, at), .. words[random.Next(words.Count)], .. input.AsSpan(at)];
            default:
                return [.. input.AsSpan(0, at), .. words[random.Next(words.Count)], .. input.AsSpan(at + length)];
        }
    }

    private static byte[] Changed(byte[] input, int at, byte value)
    {
        byte[] copy = (byte[])input.Clone();
        copy[at] = value;
        return copy;
    }
}
