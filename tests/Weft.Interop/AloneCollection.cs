namespace Weft.Interop;

/// <summary>Tests that load the machine, and whose sessions have little time: nothing else runs beside them.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;
