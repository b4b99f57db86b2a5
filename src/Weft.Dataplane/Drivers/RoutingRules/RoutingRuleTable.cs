using Microsoft.Extensions.Logging;
using Weft.Linux;
using Weft.Linux.Netlink;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Drivers.RoutingRules;

/// <summary>
/// Keeps the policy routing rules of one family: which packets ask which routing table. Ours carry our protocol number, as routes do; rules of others are
/// never touched, those at our priorities neither. A rule is added before one that it replaces goes, so that no packet asks the wrong table meanwhile.
/// </summary>
/// <param name="family">Whose rules.</param>
/// <param name="protocol">RTPROT_* of ours: what makes them known after a restart.</param>
/// <param name="requests">To the kernel.</param>
/// <param name="time">For the refresh.</param>
/// <param name="logger">Told of refusals.</param>
/// <param name="refreshInterval">How often the kernel is read although nothing changed; zero for never.</param>
public sealed class RoutingRuleTable(
    IpFamily family, byte protocol, RuleRequests requests, TimeProvider time, ILogger<RoutingRuleTable> logger, TimeSpan refreshInterval) : IReconciler
{
    private static readonly TimeSpan s_retryDelay = TimeSpan.FromSeconds(1);

    private readonly List<RoutingRule> _dump = [];

    // The kernel takes the same rule twice when somebody else wrote the other one: of ours it holds each once.
    private HashSet<RoutingRule> _actual = [];
    private HashSet<RoutingRule> _desired = [];
    private bool _inSync;
    private bool _dirty = true;
    private long _lastRead;

    /// <summary>Makes these our only rules; family and protocol are set here.</summary>
    public void SetRules(params ReadOnlySpan<RoutingRule> rules)
    {
        HashSet<RoutingRule> desired = new(rules.Length);
        foreach (RoutingRule rule in rules)
        {
            desired.Add(rule with { Family = family, Protocol = protocol });
        }

        _dirty |= !desired.SetEquals(_desired);
        _desired = desired;
    }

    public void QueueResync() => _inSync = false;

    public ApplyStatus Apply()
    {
        if (refreshInterval > TimeSpan.Zero && time.GetElapsedTime(_lastRead) >= refreshInterval)
        {
            _inSync = false;
        }

        if (!_inSync && !Read())
        {
            return ApplyStatus.RetryLater(s_retryDelay);
        }

        if (_dirty)
        {
            bool complete = true;
            foreach (RoutingRule rule in _desired.Except(_actual).ToArray())
            {
                complete &= Write(rule, requests.Add(rule), Errno.EEXIST, _actual.Add);
            }

            foreach (RoutingRule rule in _actual.Except(_desired).ToArray())
            {
                complete &= Write(rule, requests.Delete(rule), Errno.ENOENT, _actual.Remove);
            }

            if (!complete)
            {
                return ApplyStatus.RetryLater(s_retryDelay);
            }

            _dirty = false;
        }

        return ApplyStatus.DoneUntil(refreshInterval > TimeSpan.Zero ? refreshInterval - time.GetElapsedTime(_lastRead) : null);
    }

    private bool Read()
    {
        NetlinkResult result = requests.List(_dump, family);
        if (!result.IsSuccess)
        {
            Log.RoutingRulesNotRead(logger, family, result);
            return false;
        }

        _actual = [.. _dump.Where(rule => rule.Protocol == protocol)];
        _dirty |= !_actual.SetEquals(_desired);
        _inSync = true;
        _lastRead = time.GetTimestamp();
        return true;
    }

    private bool Write(in RoutingRule rule, NetlinkResult result, Errno alreadySo, Func<RoutingRule, bool> note)
    {
        if (!result.IsSuccess && result.Errno != alreadySo)
        {
            Log.RoutingRuleNotWritten(logger, rule.Priority, rule.Table, result);
            return false;
        }

        note(rule);
        return true;
    }
}
