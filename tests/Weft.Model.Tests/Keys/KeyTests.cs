using Weft.Model.Keys;
using Weft.Model.Resources;

namespace Weft.Model.Tests.Keys;

public sealed class KeyTests
{
    [Theory] // N16 and neighbours
    [InlineData("/calico/resources/v3/projectcalico.org/networkpolicies")]
    [InlineData("/calico/resources/v3/projectcalico.org/networkpolicies/ns")]
    [InlineData("/calico/resources/v3/projectcalico.org/ippools/ns/name")]
    [InlineData("/calico/resources/v3/projectcalico.org/ippools/")]
    [InlineData("/calico/resources/v3/projectcalico.org/unknowns/x")]
    [InlineData("/calico/ipam/v2/assignment/ipv4/block/577559")]
    [InlineData("/calico/ipam/v2/assignment/ipv4/block/fd00::-122")]
    [InlineData("/calico/ipam/v2/handle/")]
    [InlineData("/calico/felix/v1/host/h/endpoint/")]
    [InlineData("/registry/pods/x")]
    [InlineData("")]
    public void PathOfNoKey_IsIgnored(string path)
    {
        Assert.Null(ModelKey.TryParse(path));
    }

    [Fact]
    public void EveryKind_KeepsItsPath()
    {
        foreach (ResourceKind kind in ResourceKind.All)
        {
            ResourceKey key = kind.IsNamespaced ? new ResourceKey(kind, "ns", "a.b") : new ResourceKey(kind, "a.b");

            Assert.Equal(key, ModelKey.TryParse(key.Path));
        }
    }

    [Fact] // N13: escapes of what stands inside a key
    public void SlashesInside_AreEscaped()
    {
        WorkloadStatusKey key = new("foobar", "open/stack", "work/load%", "end/point");

        Assert.Equal("/calico/felix/v2/no-region/host/foobar/workload/open%2fstack/work%2fload%25/endpoint/end%2fpoint", key.Path);
        Assert.Equal(key, ModelKey.TryParse(key.Path));
    }
}
