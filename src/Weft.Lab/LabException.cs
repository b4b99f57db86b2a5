namespace Weft.Lab;

/// <summary>A step of the lab did not work; the text is for the operator and says which, and what the other side said.</summary>
internal sealed class LabException(string message) : Exception(message);
