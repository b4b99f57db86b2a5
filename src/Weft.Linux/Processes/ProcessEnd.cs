using Weft.Linux.Native;

namespace Weft.Linux.Processes;

/// <summary>The end of a process that has nothing left to do: no finalizers, no exit handlers, nothing flushed.</summary>
public static class ProcessEnd
{
    /// <summary>Does not return.</summary>
    public static void Now(int exitCode) => PlainCalls.ExitNow(exitCode);
}
