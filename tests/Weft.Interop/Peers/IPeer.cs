namespace Weft.Interop.Peers;

/// <summary>A daemon of somebody else with one session to weft.</summary>
internal interface IPeer
{
    string Name { get; }

    /// <summary>Null: can run here; otherwise why not.</summary>
    string? Missing { get; }

    Task StartAsync(Lab lab, PeerPlan plan);

    /// <summary>SIGKILL, then the same again with the restart flag where it has one. It knows its routes before it speaks.</summary>
    Task KillAndStartAgainAsync();

    /// <summary>Everything it knows, as text in which a prefix it holds can be found.</summary>
    Task<string> RoutesAsync();

    /// <summary>One route with its attributes.</summary>
    Task<string> RouteAsync(string prefix);

    /// <summary>How <see cref="RouteAsync"/> writes communities of each kind.</summary>
    IEnumerable<string> Texts(CommunityMarks marks);

    Task<string> SessionAsync();

    Task AnnounceAsync(string prefix);

    Task WithdrawAsync(string prefix);

    /// <summary>Has it send ROUTE-REFRESH; false: it never sends one.</summary>
    Task<bool> AskRefreshAsync();

    /// <summary>Administrative shutdown of the session with words, where it can send them.</summary>
    Task ShutDownAsync(string message);

    string Log { get; }
}
