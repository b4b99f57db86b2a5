namespace Weft.Node.Router;

/// <summary>
/// An operator takes a neighbour down or lets it up again. Holds until taken back or until the router is started anew; the settings file is not touched.
/// </summary>
/// <param name="Name">Of a neighbour that exists.</param>
/// <param name="Enable">Up again; else down.</param>
/// <param name="Message">Told to the neighbour (RFC 9003); null: nothing.</param>
/// <param name="Answer">Null when it is done; else why it is not.</param>
internal sealed record OperatorRequest(string Name, bool Enable, string? Message, TaskCompletionSource<string?> Answer)
{
    /// <summary>RFC 9003 2: the length stands in one octet.</summary>
    public const int MaximumMessageBytes = 255;
}
