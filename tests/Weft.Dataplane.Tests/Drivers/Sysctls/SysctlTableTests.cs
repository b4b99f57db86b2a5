using Microsoft.Extensions.Logging.Abstractions;
using Weft.Dataplane.Drivers.Sysctls;
using Weft.Linux;
using Weft.Primitives.Net;

namespace Weft.Dataplane.Tests.Drivers.Sysctls;

public class SysctlTableTests
{
    [Fact]
    public void WorkloadSettings_AreWrittenOnce_AndHealed()
    {
        using TestKernel kernel = new();
        kernel.Sh("ip link add cali1 type veth peer name b");
        CountingFiles files = new(new SysctlFiles(kernel.Space));
        SysctlTable table = new(files, NullLogger<SysctlTable>.Instance);
        SysctlValue[] wanted = [.. WorkloadSysctls.For(IpFamily.IPv4, "cali1", 1), .. WorkloadSysctls.For(IpFamily.IPv6, "cali1", 1)];

        table.Set("cali1", wanted);
        Assert.True(table.Apply().IsDone);
        int writes = files.Writes;
        table.QueueResync();
        Assert.True(table.Apply().IsDone);
        Assert.Equal(writes, files.Writes);
        foreach (SysctlValue value in wanted)
        {
            files.TryRead(value.Path, out string actual);
            Assert.Equal(value.Value, actual);
        }

        files.TryWrite("net/ipv4/conf/cali1/proxy_arp", "0");
        table.QueueResync();
        table.Apply();
        files.TryRead("net/ipv4/conf/cali1/proxy_arp", out string healed);
        Assert.Equal("1", healed);
    }

    [Fact]
    public void AbsentLink_IsNoFailure_AndIsWrittenWhenItComes()
    {
        using TestKernel kernel = new();
        SysctlFiles files = new(kernel.Space);
        SysctlTable table = new(files, NullLogger<SysctlTable>.Instance);
        table.Set("cali1", WorkloadSysctls.For(IpFamily.IPv4, "cali1", 0));
        Assert.True(table.Apply().IsDone);

        kernel.Sh("ip link add cali1 type veth peer name b");
        table.OnLinkChanged("cali1");
        table.Apply();

        files.TryRead("net/ipv4/conf/cali1/proxy_arp", out string value);
        Assert.Equal("1", value);
    }

    [Fact]
    public void RefusedValue_IsRetried_UnlessItIsBestEffort()
    {
        using TestKernel kernel = new();
        SysctlTable table = new(new SysctlFiles(kernel.Space), NullLogger<SysctlTable>.Instance);
        table.Set("", [new SysctlValue("net/ipv4/ip_forward", "many", IsBestEffort: true), new SysctlValue("net/no/such", "1", IsBestEffort: true)]);
        Assert.True(table.Apply().IsDone);

        table.Set("", [new SysctlValue("net/ipv4/ip_forward", "many")]);
        Assert.False(table.Apply().IsDone);

        table.Set("", [new SysctlValue("net/ipv4/ip_forward", "1")]);
        Assert.True(table.Apply().IsDone);
    }

    private sealed class CountingFiles(ISysctlFiles inner) : ISysctlFiles
    {
        public int Writes { get; private set; }

        public Errno TryRead(string path, out string value) => inner.TryRead(path, out value);

        public Errno TryWrite(string path, string value)
        {
            Writes++;
            return inner.TryWrite(path, value);
        }
    }
}
