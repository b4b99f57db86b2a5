namespace Weft.Dataplane.Drivers;

/// <summary>
/// Counts failures in a row. The delays double from one millisecond; the loop waits, not the driver. After the last attempt the driver gives up,
/// because a node whose policy cannot be written must not go on as if it were.
/// </summary>
internal struct RetryBackoff(int attempts)
{
    private int _failures;

    public readonly int Failures => _failures;

    public void Succeeded() => _failures = 0;

    /// <exception cref="DataplaneException">This was the last attempt.</exception>
    public ApplyStatus Failed(string what)
    {
        if (++_failures >= attempts)
        {
            throw new DataplaneException($"{what} (gave up after {_failures} attempts)");
        }

        return ApplyStatus.RetryLater(TimeSpan.FromMilliseconds(1 << (_failures - 1)));
    }
}
