using System.Net;
using System.Net.Sockets;
using System.Text;
using Weft.Hosting.Monitoring;

namespace Weft.Hosting.Tests;

public sealed class MonitoringTests
{
    private static readonly Metric s_plain = new("weft_things", MetricKind.Gauge, "Things.");
    private static readonly Metric s_labelled = new("weft_doings_total", MetricKind.Counter, "Doings.", "who", "what");

    [Fact]
    public void Text_NamesHelpAndTypeOnce_AndEscapesLabels()
    {
        MetricText text = new MetricText().Add(s_plain, 1.5).Add(s_labelled, 2, "a\"b", "c\\d").Add(s_labelled, 3, "e", "f\ng");

        Assert.Equal(
            "# HELP weft_things Things.\n# TYPE weft_things gauge\nweft_things 1.5\n"
            + "# HELP weft_doings_total Doings.\n# TYPE weft_doings_total counter\n"
            + "weft_doings_total{who=\"a\\\"b\",what=\"c\\\\d\"} 2\nweft_doings_total{who=\"e\",what=\"f\\ng\"} 3\n",
            text.ToString());
        Assert.Throws<ArgumentException>(() => text.Add(s_labelled, 1, "one"));
    }

    [Fact]
    public void Process_SaysWhatItUses()
    {
        MetricText text = new();
        ProcessMetrics.Write(text);

        Assert.All(ProcessMetrics.All, m => Assert.Contains($"\n# TYPE {m.Name} ", "\n" + text));
        Assert.Matches(@"(?m)^process_resident_memory_bytes [1-9]\d{6,}$", text.ToString());
    }

    [Fact]
    public async Task Server_AnswersGetAndHead_RefusesTheRest_AndIsNotHeldUpByTheSlow()
    {
        using CancellationTokenSource stop = new();
        using MonitoringServer server = MonitoringServer.Listen(
            new IPEndPoint(IPAddress.Loopback, 0),
            static (path, _) => ValueTask.FromResult(path == "/metrics" ? new MonitoringAnswer(200, MetricText.ContentType, "a 1\n") : MonitoringAnswer.NotFound),
            TimeProvider.System);
        Task running = server.RunAsync(stop.Token);
        using Socket silent = new(SocketType.Stream, ProtocolType.Tcp);
        await silent.ConnectAsync(server.EndPoint);

        Assert.Equal("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: 4\r\nConnection: close\r\n\r\na 1\n", await AskAsync("GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n"));
        Assert.EndsWith("Content-Length: 4\r\nConnection: close\r\n\r\n", await AskAsync("HEAD /metrics HTTP/1.1\r\n\r\n"));
        Assert.StartsWith("HTTP/1.1 404 ", await AskAsync("GET / HTTP/1.1\r\n\r\n"));
        Assert.StartsWith("HTTP/1.1 405 ", await AskAsync("POST /metrics HTTP/1.1\r\n\r\n"));
        Assert.Empty(await AskAsync("GET /" + new string('a', 9000)));

        await stop.CancelAsync();
        await running;

        async Task<string> AskAsync(string request)
        {
            using TcpClient client = new();
            await client.ConnectAsync(server.EndPoint);
            NetworkStream stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes(request));
            using StreamReader reader = new(stream, Encoding.UTF8);
            try
            {
                return await reader.ReadToEndAsync();
            }
            catch (IOException)
            {
                return string.Empty; // Reset: the request was not read to its end.
            }
        }
    }
}
