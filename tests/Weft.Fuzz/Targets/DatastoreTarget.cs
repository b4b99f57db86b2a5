using System.Text;
using Weft.Model.Json;
using Weft.Model.Keys;

namespace Weft.Fuzz.Targets;

/// <summary>A key and a value of the datastore, as anybody with write access may have left them: what is read can be written, and read again to the same bytes.</summary>
internal sealed class DatastoreTarget : FuzzTarget
{
    public override string Name => "datastore";

    public override IEnumerable<byte[]> Seeds => new[]
    {
        "/calico/resources/v3/projectcalico.org/bgppeers/rack\n{\"kind\":\"BGPPeer\",\"apiVersion\":\"projectcalico.org/v3\",\"metadata\":{\"name\":\"rack\"},\"spec\":{\"peerIP\":\"10.0.0.1\",\"asNumber\":64512,\"filters\":[\"f\"]}}",
        "/calico/resources/v3/projectcalico.org/bgpconfigurations/default\n{\"kind\":\"BGPConfiguration\",\"apiVersion\":\"projectcalico.org/v3\",\"metadata\":{\"name\":\"default\"},\"spec\":{\"asNumber\":\"1.10\",\"nodeToNodeMeshEnabled\":false,\"communities\":[{\"name\":\"c\",\"value\":\"65001:7\"}]}}",
        "/calico/resources/v3/projectcalico.org/bgpfilters/f\n{\"kind\":\"BGPFilter\",\"apiVersion\":\"projectcalico.org/v3\",\"metadata\":{\"name\":\"f\"},\"spec\":{\"exportV4\":[{\"action\":\"Accept\",\"matchOperator\":\"In\",\"cidr\":\"10.0.0.0/8\"}]}}",
        "/calico/resources/v3/projectcalico.org/nodes/n\n{\"kind\":\"Node\",\"apiVersion\":\"projectcalico.org/v3\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"bgp\":{\"ipv4Address\":\"10.0.0.1/24\"}}}",
        "/calico/resources/v3/projectcalico.org/ippools/p\n{\"kind\":\"IPPool\",\"apiVersion\":\"projectcalico.org/v3\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"cidr\":\"10.0.0.0/16\",\"blockSize\":26,\"ipipMode\":\"Never\",\"vxlanMode\":\"Never\",\"nodeSelector\":\"all()\"}}",
        "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26\n{\"cidr\":\"10.0.0.0/26\",\"affinity\":\"host:n\",\"allocations\":[0,null],\"unallocated\":[1],\"attributes\":[{\"handle_id\":\"h\",\"secondary\":null}],\"deleted\":false}",
        "/calico/ipam/v2/host/n/ipv4/block/10.0.0.0-26\n{\"state\":\"confirmed\"}",
    }.Select(Encoding.UTF8.GetBytes);

    public override IReadOnlyList<byte[]> Words =>
        ["null"u8.ToArray(), "[]"u8.ToArray(), "{}"u8.ToArray(), "\"\""u8.ToArray(), "-1"u8.ToArray(), "4294967296"u8.ToArray(), "\"spec\":"u8.ToArray(), "\\ud800"u8.ToArray(), "["u8.ToArray(), "{"u8.ToArray(),
            "/calico/"u8.ToArray(), "true"u8.ToArray(), "\"300.0.0.0/33\""u8.ToArray(), ","u8.ToArray(), ":"u8.ToArray()];

    public override ulong Run(byte[] input)
    {
        int line = input.AsSpan().IndexOf((byte)'\n');
        if (line < 0 || ModelKey.TryParse(Encoding.UTF8.GetString(input.AsSpan(0, line))) is not ModelKey key)
        {
            return 0;
        }

        if (!ModelJson.TryDeserialize(key, input.AsSpan(line + 1), out object? value, out string? problem))
        {
            Require(problem.Length > 0, "refused without a reason");
            return Mix(Magnitude(problem.Length), (ulong)key.GetType().Name.Length);
        }

        byte[] written = ModelJson.Serialize(key, value);
        Require(ModelJson.TryDeserialize(key, written, out object? again, out string? why), $"our own JSON of a {key.GetType().Name} is refused: {why}");
        Require(written.AsSpan().SequenceEqual(ModelJson.Serialize(key, again)), $"a {key.GetType().Name} changes from one reading to the next");
        return Mix(100, Magnitude(written.Length) << 8 | (ulong)(uint)key.GetType().Name.Length);
    }
}
