using System.Text.Json.Nodes;
using Weft.Linux.Namespaces;
using Weft.Linux.Processes;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Router;

/// <summary>A network namespace of the test's own; goes away with the object.</summary>
internal sealed class Space : IDisposable
{
    private static int s_number;

    public Space(string kind)
    {
        Name = $"router-{Environment.ProcessId}-{Interlocked.Increment(ref s_number)}-{kind}";
        Namespace = NamedNamespaces.Create(Name);
        Ip("link set lo up");
    }

    public string Name { get; }

    public NetNamespace Namespace { get; }

    public string Path => Namespace.Path;

    public string Ip(string arguments) => Run(["ip", .. arguments.Split(' ')]);

    public string Run(params string[] command)
    {
        ProcessResult result = new ProcessRunner(Namespace).Run(new ProcessRequest(command[0], command[1..]));
        return result.IsSuccess ? result.OutputText : throw new InvalidOperationException($"{string.Join(' ', command)}: {result} {result.ErrorText}");
    }

    /// <summary>Routes of one protocol in both families, one line each in a form that does not depend on iproute2's.</summary>
    public string[] Routes(byte protocol) => [.. Describe("-4", protocol), .. Describe("-6", protocol)];

    private IEnumerable<string> Describe(string family, byte protocol) =>
        from route in JsonNode.Parse(Run("ip", "-j", "-N", family, "route", "show", "table", "main", "proto", protocol.ToString()) is { Length: > 0 } text ? text : "[]")!.AsArray()
        let type = (string?)route["type"]
        let isUnicast = type is null or "1" or "unicast"
        let prefix = IpPrefix.TryParseNet((string)route["dst"]!, out IpPrefix parsed) ? parsed : default
        orderby prefix
        select $"{(isUnicast ? string.Empty : "blackhole ")}{prefix}{(isUnicast ? Hops(route) : string.Empty)} metric {route["metric"]}";

    private static string Hops(JsonNode route) => route["nexthops"] is JsonArray several
        ? string.Concat(several.Select(h => Hop(h!)).Order(StringComparer.Ordinal))
        : Hop(route);

    private static string Hop(JsonNode hop)
    {
        string gateway = (hop["gateway"] ?? hop["via"]?["host"]) is { } address ? $" via {address}" : string.Empty;
        return $"{gateway} dev {hop["dev"]}{((int?)hop["weight"] is > 1 and var weight ? $" weight {weight}" : string.Empty)}";
    }

    public void Dispose()
    {
        Namespace.Dispose();
        NamedNamespaces.Delete(Name);
    }
}

/// <summary>Waiting with a deadline for what another process or thread does.</summary>
internal static class Poll
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static async Task UntilEqual(string expected, Func<string> actual)
    {
        long start = TimeProvider.System.GetTimestamp();
        string last = actual();
        while (last != expected && TimeProvider.System.GetElapsedTime(start) < Patience)
        {
            await Task.Delay(50);
            last = actual();
        }

        Assert.Equal(expected, last);
    }

    public static async Task<T> UntilAsync<T>(Func<Task<T>> ask, Func<T, bool> isGood, Func<T, string> describe, TimeSpan? patience = null)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            T last = await ask();
            if (isGood(last))
            {
                return last;
            }

            Assert.True(TimeProvider.System.GetElapsedTime(start) < (patience ?? Patience), describe(last));
            await Task.Delay(100);
        }
    }
}
