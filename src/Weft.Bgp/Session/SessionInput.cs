using Weft.Bgp.Wire;

namespace Weft.Bgp.Session;

/// <summary>Timers of RFC 4271 8.1.3, the two optional ones weft uses, and that of RFC 9687.</summary>
internal enum SessionTimer : byte
{
    ConnectRetry,
    Hold,
    Keepalive,
    OpenDelay,
    IdleHold,
    SendHold,
}

/// <summary>Events of RFC 4271 8.1, by their meaning; the number of the RFC stands behind each.</summary>
internal enum SessionEvent : byte
{
    /// <summary>1, 3, 4 and 5: the operator, or the idle hold timer (13), starts the session.</summary>
    Start,

    /// <summary>2 and 8: ends the session with the Cease in <see cref="SessionInput.Error"/>, or without a word when there is none.</summary>
    Stop,

    /// <summary>9.</summary>
    ConnectRetryExpired,

    /// <summary>10.</summary>
    HoldExpired,

    /// <summary>11.</summary>
    KeepaliveExpired,

    /// <summary>12.</summary>
    OpenDelayExpired,

    /// <summary>16 and 17: a connection is there, dialled or accepted.</summary>
    Connected,

    /// <summary>18.</summary>
    ConnectionFailed,

    /// <summary>19 and 20: an OPEN that could be read.</summary>
    Open,

    /// <summary>21, 22 and 28: bytes from the peer that call for the NOTIFICATION in <see cref="SessionInput.Error"/>.</summary>
    MessageError,

    /// <summary>23: this connection lost a collision.</summary>
    CollisionDump,

    /// <summary>24 and 25: the peer sent <see cref="SessionInput.Error"/>.</summary>
    Notification,

    /// <summary>26.</summary>
    Keepalive,

    /// <summary>27, or ROUTE-REFRESH.</summary>
    Update,

    /// <summary>29 (RFC 9687): the peer has not taken anything for too long.</summary>
    SendHoldExpired,
}

/// <summary>One event with what it carries.</summary>
/// <param name="Hard">With Stop: nothing of the session is to outlive it (RFC 8538).</param>
internal readonly record struct SessionInput(SessionEvent Event, OpenMessage? Open = null, BgpError? Error = null, string? Text = null, bool Hard = false);

/// <summary>What the state machine asks of its surroundings. A struct, so that tests record and the loop acts without an interface call or an allocation.</summary>
internal interface ISessionActions
{
    /// <summary>Dial. Answered by <see cref="SessionEvent.Connected"/> or <see cref="SessionEvent.ConnectionFailed"/>.</summary>
    void Connect();

    /// <summary>Drop the connection, or the attempt to make one; what was sent before still leaves.</summary>
    /// <param name="keepRoutes">RFC 4724, RFC 8538: the way the session ends lets its routes be kept.</param>
    void Disconnect(bool keepRoutes);

    void Send(scoped ReadOnlySpan<byte> message);

    /// <summary>Starts or restarts a timer.</summary>
    void Arm(SessionTimer timer, TimeSpan after);

    void Disarm(SessionTimer timer);

    /// <summary>RFC 4271 6.8, asked when a good OPEN came: false when this connection must yield to another of the same peer.</summary>
    bool Survives(OpenMessage open);

    void Established(OpenMessage open);

    /// <summary>The session ended or could not come up.</summary>
    /// <param name="reason">For the operator.</param>
    /// <param name="sent">The NOTIFICATION that was sent, if any.</param>
    void Down(string reason, BgpError? sent);

    /// <summary>Between 0 and 1, for RFC 4271 10.</summary>
    double Jitter();
}
