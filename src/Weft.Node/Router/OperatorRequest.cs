namespace Weft.Node.Router;

/// <summary>What an operator wants of a neighbour.</summary>
internal enum OperatorWish
{
    /// <summary>Takes the other two back.</summary>
    Enable,
    Shutdown,

    /// <summary>RFC 8326: the session stays, but nobody shall prefer its routes.</summary>
    Drain,
}

/// <summary>
/// An operator takes a neighbour down, drains it, or lets it up again. Holds until taken back or until the router is started anew; the settings file is not touched.
/// </summary>
/// <param name="Name">Of a neighbour that exists.</param>
/// <param name="Wish">What is to become of it.</param>
/// <param name="Message">Told to the neighbour (RFC 9003); null: nothing.</param>
/// <param name="Answer">Null when it is done; else why it is not.</param>
internal sealed record OperatorRequest(string Name, OperatorWish Wish, string? Message, TaskCompletionSource<string?> Answer)
{
    /// <summary>RFC 9003 2: the length stands in one octet.</summary>
    public const int MaximumMessageBytes = 255;
}
