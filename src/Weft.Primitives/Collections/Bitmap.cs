using System.Numerics;

namespace Weft.Primitives.Collections;

/// <summary>A growing set of dense ids, one bit each, with its count.</summary>
public sealed class Bitmap
{
    private ulong[] _words = [];

    /// <summary>Bits that are set.</summary>
    public int Count { get; private set; }

    public bool IsEmpty => Count == 0;

    /// <summary>Octets held.</summary>
    public long Reserved => 8L * _words.Length;

    public bool this[uint id]
    {
        get
        {
            uint word = id >> 6;
            return word < (uint)_words.Length && (_words[word] >> (int)(id & 63) & 1) != 0;
        }
    }

    /// <summary>True when the bit was clear.</summary>
    public bool Set(uint id)
    {
        uint word = id >> 6;
        if (word >= (uint)_words.Length)
        {
            Array.Resize(ref _words, (int)Math.Max(word + 1, Math.Max(8, (uint)_words.Length * 2)));
        }

        ulong bit = 1UL << (int)(id & 63);
        if ((_words[word] & bit) != 0)
        {
            return false;
        }

        _words[word] |= bit;
        Count++;
        return true;
    }

    /// <summary>Sets every bit from <paramref name="first"/> up to, but without, <paramref name="end"/>: a word at a time.</summary>
    public void SetRange(uint first, uint end)
    {
        if (first >= end)
        {
            return;
        }

        uint lastWord = (end - 1) >> 6;
        if (lastWord >= (uint)_words.Length)
        {
            Array.Resize(ref _words, (int)Math.Max(lastWord + 1, Math.Max(8, (uint)_words.Length * 2)));
        }

        for (uint word = first >> 6; word <= lastWord; word++)
        {
            ulong bits = ulong.MaxValue;
            bits &= word == first >> 6 ? ulong.MaxValue << (int)(first & 63) : bits;
            bits &= word == lastWord ? ulong.MaxValue >> (int)(63 - ((end - 1) & 63)) : bits;
            Count += BitOperations.PopCount(bits & ~_words[word]);
            _words[word] |= bits;
        }
    }

    /// <summary>True when the bit was set.</summary>
    public bool Clear(uint id)
    {
        uint word = id >> 6;
        ulong bit = 1UL << (int)(id & 63);
        if (word >= (uint)_words.Length || (_words[word] & bit) == 0)
        {
            return false;
        }

        _words[word] &= ~bit;
        Count--;
        return true;
    }

    public void ClearAll()
    {
        if (Count != 0)
        {
            Array.Clear(_words);
            Count = 0;
        }
    }

    /// <summary>Makes this set equal to <paramref name="other"/>.</summary>
    public void CopyFrom(Bitmap other)
    {
        if (_words.Length < other._words.Length)
        {
            _words = new ulong[other._words.Length];
        }

        Array.Clear(_words);
        other._words.CopyTo(_words, 0);
        Count = other.Count;
    }

    /// <summary>The lowest id at or above <paramref name="from"/> that is set.</summary>
    public bool TryNext(uint from, out uint id)
    {
        uint index = from >> 6;
        if (Count != 0 && index < (uint)_words.Length)
        {
            ulong word = _words[index] & ulong.MaxValue << (int)(from & 63);
            while (true)
            {
                if (word != 0)
                {
                    id = index << 6 | (uint)BitOperations.TrailingZeroCount(word);
                    return true;
                }

                if (++index >= (uint)_words.Length)
                {
                    break;
                }

                word = _words[index];
            }
        }

        id = 0;
        return false;
    }
}
