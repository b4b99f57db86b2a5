using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Weft.Hosting.Monitoring;

namespace Weft.Cluster.Store.Transport;

/// <summary>
/// Looks at the first bytes of a connection: HTTP/2 begins with a fixed preface and goes on to Kestrel; anything else gets one HTTP/1.1 answer, enough for
/// health checks, Prometheus and curl.
/// </summary>
internal sealed class PlainHttpMiddleware(Func<bool> isHealthy, Func<string> metrics, string version, TimeProvider time)
{
    private const int MaxHeaderBytes = 8192;

    private static readonly TimeSpan HeaderTimeout = TimeSpan.FromSeconds(10);

    /// <summary>RFC 9113 3.4; the first line of it is enough to tell.</summary>
    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n"u8;

    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        // Until the first line is there nobody else watches the time.
        using CancellationTokenSource slow = new(HeaderTimeout, time);
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(slow.Token, connection.ConnectionClosed);
        PipeReader reader = connection.Transport.Input;
        try
        {
            while (true)
            {
                ReadResult result = await reader.ReadAsync(end.Token);
                ReadOnlySequence<byte> buffer = result.Buffer;
                byte[] start = buffer.Slice(0, Math.Min(buffer.Length, MaxHeaderBytes)).ToArray();
                if (start.AsSpan().StartsWith(Preface))
                {
                    reader.AdvanceTo(buffer.Start);
                    break;
                }

                bool couldBeHttp2 = Preface.StartsWith(start);
                if (!couldBeHttp2 && start.AsSpan().IndexOf("\r\n\r\n"u8) >= 0)
                {
                    reader.AdvanceTo(buffer.End);
                    await AnswerAsync(start, connection.Transport.Output, end.Token);
                    return;
                }

                reader.AdvanceTo(buffer.Start, buffer.End);
                if (result.IsCompleted || start.Length >= MaxHeaderBytes)
                {
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            return; // Too slow, or gone.
        }

        await next(connection);
    }

    private async Task AnswerAsync(byte[] header, PipeWriter output, CancellationToken end)
    {
        string firstLine = Encoding.ASCII.GetString(header.AsSpan(0, header.AsSpan().IndexOf("\r\n"u8)));
        string[] words = firstLine.Split(' ');
        MonitoringAnswer answer = words is [var method, var path, ..] && method is "GET" or "HEAD"
            ? path switch
            {
                "/health" => isHealthy() ? Json(200, "{\"health\":\"true\"}") : Json(503, "{\"health\":\"false\"}"),
                "/version" => Json(200, $"{{\"etcdserver\":\"{version}\",\"etcdcluster\":\"{version[..version.LastIndexOf('.')]}.0\"}}"),
                "/metrics" => new MonitoringAnswer(200, MetricText.ContentType, metrics()),
                _ => MonitoringAnswer.Plain(404, "404 page not found\n"),
            }
            : MonitoringAnswer.Plain(405, "this port speaks gRPC\n");
        await output.WriteAsync(answer.Encode(words[0]), end);
    }

    private static MonitoringAnswer Json(int status, string body) => new(status, "application/json", body);
}
