using Weft.Bgp.Tests.Support;

namespace Weft.Bgp.Tests.Rib;

/// <summary>The gate of design 10: zero octets per UPDATE once the tables are warm.</summary>
public sealed class AllocationTests
{
    [Fact]
    public void KnownRoutesAnnouncedAgain_AllocateNothing_FromDecodeToEncode()
    {
        var rib = new RibHarness();
        rib.Up("a", "10.0.0.10", 65010);
        rib.Up("b", "10.0.0.20", 65020);
        var quiet = new CountingSink();
        rib.Rib.PeerUp(rib["b"].Id, rib["b"].Session!, quiet, static () => { });
        byte[][] odd = Feed(7);
        byte[][] even = Feed(8);

        // Warm: every table, pool and generic instance has seen both forms.
        for (int i = 0; i < 20; i++)
        {
            Play(rib, odd);
            Play(rib, even);
        }

        long sentBefore = quiet.Blocks;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 50; i++)
        {
            Play(rib, odd);
            Play(rib, even);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(0, allocated);
        Assert.True(quiet.Blocks > sentBefore);
    }

    private static byte[][] Feed(uint last) =>
    [
        .. Enumerable.Range(0, 64).Select(i => Messages.Update([],
            [.. Messages.Origin, .. Messages.AsPath(65010, last, (uint)(100 + i)), 0x40, 3, 4, 10, 0, 0, 10, 0xC0, 8, 4, 1, 2, 3, (byte)i],
            [.. RibHarness.Nlri($"10.1.{i}.0/25"), .. RibHarness.Nlri($"10.1.{i}.128/25")])),
    ];

    private static void Play(RibHarness rib, byte[][] feed)
    {
        foreach (byte[] message in feed)
        {
            rib.Receive("a", message);
        }

        while (rib.Rib.WorkSlice())
        {
        }
    }

    private sealed class CountingSink : Weft.Bgp.Export.IBlockSink
    {
        public long Blocks { get; private set; }

        public void Send(Weft.Bgp.Export.EncodedBlock block, Weft.Bgp.Export.GroupMember member)
        {
            Blocks++;
            block.Release();
            member.Returned();
        }
    }
}
