using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;

namespace Weft.EndToEnd.Cni;

/// <summary>
/// What a kubelet asks a container runtime for, as far as these tests need it: calls of runtime.v1.RuntimeService over a unix socket, messages written by hand
/// (field numbers of k8s.io/cri-api).
/// </summary>
internal sealed class CriClient : IDisposable
{
    private readonly HttpClient _http;

    public CriClient(string socket)
    {
        SocketsHttpHandler handler = new()
        {
            ConnectCallback = async (_, stop) =>
            {
                Socket connection = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), stop);
                return new NetworkStream(connection, ownsSocket: true);
            },
        };
        _http = new HttpClient(handler) { BaseAddress = new Uri("http://cri"), DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact, Timeout = TimeSpan.FromSeconds(60) };
    }

    /// <param name="name">metadata.name.</param>
    /// <param name="hostPort">0 for none; leads to port 8080.</param>
    /// <returns>The pod's id and the message that made it.</returns>
    public async Task<(string Id, byte[] Config)> RunPodAsync(string name, int hostPort)
    {
        byte[] config = Message(
            (1, Message((1, Text(name)), (2, Text($"uid-{name}")), (3, Text("default")))), (2, Text(name)), (3, Text("/tmp")),
            hostPort > 0 ? (5, (byte[])[.. Number(2, 8080), .. Number(3, hostPort)]) : (0, []), (8, Message((1, []))));
        return (Encoding.UTF8.GetString(Field(await CallAsync("RunPodSandbox", Message((1, config))), 1)), config);
    }

    public async Task<string> AddressAsync(string pod) =>
        Encoding.UTF8.GetString(Field(Field(Field(await CallAsync("PodSandboxStatus", Message((1, Text(pod)))), 1), 5), 1));

    /// <summary>Returns once it runs.</summary>
    public async Task RunContainerAsync((string Id, byte[] Config) pod, params string[] command)
    {
        byte[] config = Message([(1, Message((1, Text("main")))), (2, Message((1, Text("localhost/bb:1")))), .. command.Select(w => (3, Text(w))), (15, [])]);
        string id = Encoding.UTF8.GetString(Field(await CallAsync("CreateContainer", Message((1, Text(pod.Id)), (2, config), (3, pod.Config))), 1));
        await CallAsync("StartContainer", Message((1, Text(id))));
    }

    public async Task RemovePodAsync(string pod)
    {
        await CallAsync("StopPodSandbox", Message((1, Text(pod))));
        await CallAsync("RemovePodSandbox", Message((1, Text(pod))));
    }

    public void Dispose() => _http.Dispose();

    private async Task<byte[]> CallAsync(string method, byte[] message)
    {
        byte[] frame = [0, (byte)(message.Length >> 24), (byte)(message.Length >> 16), (byte)(message.Length >> 8), (byte)message.Length, .. message];
        using HttpRequestMessage request = new(HttpMethod.Post, $"/runtime.v1.RuntimeService/{method}")
        {
            Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new ByteArrayContent(frame),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.Add("te", "trailers");
        using HttpResponseMessage response = await _http.SendAsync(request);
        byte[] answer = await response.Content.ReadAsByteArrayAsync();
        string status = Header(response, "grpc-status");
        return status == "0" ? answer.Length > 5 ? answer[5..] : [] : throw new InvalidOperationException($"{method}: {status} {Uri.UnescapeDataString(Header(response, "grpc-message"))}");
    }

    private static string Header(HttpResponseMessage response, string name) =>
        response.TrailingHeaders.TryGetValues(name, out IEnumerable<string>? trailing) || response.Headers.TryGetValues(name, out trailing) ? trailing.First() : string.Empty;

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Message(params (int Field, byte[] Value)[] fields) =>
        [.. fields.Where(f => f.Field > 0).SelectMany(f => (byte[])[.. Variable((ulong)f.Field << 3 | 2), .. Variable((ulong)f.Value.Length), .. f.Value])];

    private static byte[] Number(int field, long value) => [.. Variable((ulong)field << 3), .. Variable((ulong)value)];

    private static byte[] Variable(ulong value)
    {
        List<byte> bytes = [];
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        return [.. bytes, (byte)value];
    }

    /// <summary>The first field of that number; empty when there is none.</summary>
    private static byte[] Field(byte[] message, int number)
    {
        int at = 0;
        while (at < message.Length)
        {
            ulong key = Read();
            int length = (key & 7) switch { 0 => 0, 2 => (int)Read(), 1 => 8, _ => 4 };
            if ((key & 7) == 0)
            {
                Read();
            }
            else if ((int)(key >> 3) == number)
            {
                return message[at..(at + length)];
            }

            at += length;
        }

        return [];

        ulong Read()
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte next = message[at++];
                value |= (ulong)(next & 0x7f) << shift;
                if (next < 0x80)
                {
                    return value;
                }
            }
        }
    }
}
