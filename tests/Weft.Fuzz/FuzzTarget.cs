namespace Weft.Fuzz;

/// <summary>One decoder under test. <see cref="Run"/> throws when the decoder does, or when what it accepted is not valid.</summary>
internal abstract class FuzzTarget
{
    /// <summary>Folder of its crash inputs, too.</summary>
    public abstract string Name { get; }

    /// <summary>Good inputs to begin with.</summary>
    public abstract IEnumerable<byte[]> Seeds { get; }

    /// <summary>Pieces that mean something to the decoder; mutation strews them in.</summary>
    public virtual IReadOnlyList<byte[]> Words => [];

    /// <summary>The input is one or more BGP messages, so mutation may work on their sections.</summary>
    public virtual bool IsBgp => false;

    /// <summary>
    /// Decodes once. The signature stands for what the decoder did (which results, which sizes by magnitude): an input with a new one has reached something new and
    /// is kept to be mutated further, beside those that <see cref="BranchMap"/> finds new in an instrumented build.
    /// </summary>
    public abstract ulong Run(byte[] input);

    protected static ulong Mix(ulong signature, ulong value) => (signature ^ value) * 0x9E3779B97F4A7C15 ^ (signature >> 29);

    protected static ulong Magnitude(int value) => (ulong)(32 - int.LeadingZeroCount(value));

    protected static void Require(bool condition, string rule)
    {
        if (!condition)
        {
            throw new InvariantException(rule);
        }
    }
}

/// <summary>The decoder accepted what it must not accept, or changed what it must keep.</summary>
internal sealed class InvariantException(string rule) : Exception(rule);
