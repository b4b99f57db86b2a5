using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Weft.Linux.Netfilter;
using Weft.Linux.Processes;

namespace Weft.Linux.Tests.Netfilter;

public class PacketLogTests
{
    [Theory]
    [InlineData("45000028000100004006f96e0a0000010a000002c3500050", "10.0.0.1", "10.0.0.2", 6, 50000, 80)]
    [InlineData("45000028000100204006f96e0a0000010a000002c3500050", "10.0.0.1", "10.0.0.2", 6, 0, 0)] // A fragment behind the first.
    [InlineData("4500001c0001000001010000c0a80001c0a800020800", "192.168.0.1", "192.168.0.2", 1, 0, 0x800)]
    [InlineData("6000000000081140fd000000000000000000000000000001fd00000000000000000000000000000203e90035", "fd00::1", "fd00::2", 17, 1001, 53)]
    [InlineData("6000000000180040fd000000000000000000000000000001fd0000000000000000000000000000023a000000000000008000", "fd00::1", "fd00::2", 58, 0, 0x8000)]
    [InlineData("4500", "", "", 0, 0, 0)]
    [InlineData("", "", "", 0, 0, 0)]
    public void Flow_IsReadFromWhatIsThere(string packet, string source, string destination, byte protocol, ushort sourcePort, ushort destinationPort)
    {
        PacketFlow flow = PacketFlow.Of(Convert.FromHexString(packet));

        if (source.Length == 0)
        {
            Assert.Equal(default, flow);
            return;
        }

        Assert.Equal((source, destination, protocol, sourcePort, destinationPort), (flow.Source.ToString(), flow.Destination.ToString(), flow.Protocol, flow.SourcePort, flow.DestinationPort));
    }

    [Fact]
    public async Task PacketsOfARule_ArriveWithItsPrefix_AndAGroupHasOneListener()
    {
        using TestNamespace space = new();
        ProcessRunner runner = new(space.Space);
        Run("ip", "link", "set", "lo", "up");
        Run("nft", "add table ip t; add chain ip t out { type filter hook output priority 0; }; add rule ip t out udp dport 4000 log prefix \"DPI3|gnp/x\" group 1 drop");
        using CancellationTokenSource stop = new();
        using PacketLog log = PacketLog.Open([1, 2], space.Space);
        BlockingCollection<LoggedPacket> packets = [];
        Task reading = log.RunAsync(packets.Add, stop.Token);

        using Socket sender = space.Space.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        try
        {
            sender.SendTo("x"u8.ToArray(), new IPEndPoint(IPAddress.Loopback, 4000));
        }
        catch (SocketException)
        {
            // EPERM: dropped on its way out, as it should be.
        }

        Assert.True(packets.TryTake(out LoggedPacket packet, TimeSpan.FromSeconds(20)));
        Assert.Equal("DPI3|gnp/x", packet.Prefix);
        Assert.Equal(("127.0.0.1", (byte)17, (ushort)4000), (packet.Flow.Destination.ToString(), packet.Flow.Protocol, packet.Flow.DestinationPort));
        Assert.Equal(1, packet.OutLink);
        Assert.Throws<KernelException>(() => PacketLog.Open([1], space.Space));
        await stop.CancelAsync();
        await reading;

        void Run(params string[] command)
        {
            ProcessResult result = runner.Run(new ProcessRequest(command[0], command[1..]));
            Assert.True(result.IsSuccess, result.ToString());
        }
    }
}
