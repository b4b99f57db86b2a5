using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Weft.Linux.Namespaces;
using Weft.Linux.Processes;
using Weft.Node.Cni;

namespace Weft.Node.Tests.Cni;

/// <summary>A host and its pods as namespaces of the real kernel. Everything goes away with the object.</summary>
internal sealed class KernelNode : IDisposable
{
    private static int s_number;
    private readonly List<string> _names = [];
    private readonly NetNamespace _host;

    /// <param name="withReaper">As in an agent: what is cut is deleted later.</param>
    public KernelNode(bool withReaper = false)
    {
        _host = Make("host", out _);
        Network = new PodNetwork(NullLogger.Instance, HostRoutes.Here, _host, withReaper ? new LinkReaper(_host, TimeProvider.System, NullLogger.Instance) : null);
    }

    public PodNetwork Network { get; }

    public NetNamespace Host => _host;

    public string NewPod(out NetNamespace space)
    {
        space = Make("pod", out string path);
        return path;
    }

    /// <summary>Takes the pod's path away, as a runtime does; the namespace ends with it.</summary>
    public void Drop(string path)
    {
        NamedNamespaces.Delete(Path.GetFileName(path));
        _names.Remove(Path.GetFileName(path));
    }

    public JsonArray Ip(NetNamespace? space, params string[] arguments)
    {
        ProcessResult result = Run(space, ["ip", "-j", .. arguments]);
        Assert.True(result.IsSuccess, result.ToString() + result.ErrorText);
        return result.OutputText.Trim() is { Length: > 0 } text ? (JsonArray)JsonNode.Parse(text)! : [];
    }

    public ProcessResult Run(NetNamespace? space, params string[] command) =>
        new ProcessRunner(space ?? _host).Run(new ProcessRequest(command[0], command[1..]));

    public string Sysctl(NetNamespace? space, string path) => (space ?? _host).Run(() => Linux.Processes.Sysctl.Read(path));

    /// <summary>One TCP connection from pod to pod with some bytes on it.</summary>
    /// <returns>The client's address as the server sees it.</returns>
    public static string Talk(NetNamespace client, NetNamespace server, string address)
    {
        IPEndPoint target = new(IPAddress.Parse(address), 8080);
        using Socket listener = server.Run(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(target);
        listener.Listen();
        using Socket connection = client.Run(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { SendTimeout = 3000, ReceiveTimeout = 3000 });
        Assert.True(connection.ConnectAsync(target).Wait(TimeSpan.FromSeconds(3)), $"{address} did not answer");
        using Socket accepted = listener.Accept();
        connection.Send("hello"u8);
        Assert.Equal(5, accepted.Receive(new byte[16]));
        return ((IPEndPoint)accepted.RemoteEndPoint!).Address.ToString();
    }

    public void Dispose()
    {
        foreach (string name in _names)
        {
            NamedNamespaces.Delete(name);
        }

        _host.Dispose();
    }

    private NetNamespace Make(string kind, out string path)
    {
        string name = $"node-{System.Environment.ProcessId}-{kind}{Interlocked.Increment(ref s_number)}";
        NetNamespace space = NamedNamespaces.Create(name);
        _names.Add(name);
        path = NamedNamespaces.PathOf(name);
        return space;
    }
}
