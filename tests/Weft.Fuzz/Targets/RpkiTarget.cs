using Microsoft.Extensions.Logging.Abstractions;
using Weft.Bgp.Policies;
using Weft.Node.Router;
using Weft.Primitives.Net;

namespace Weft.Fuzz.Targets;

/// <summary>A file of route origin authorizations: taken over whole, or refused with a reason and nothing taken.</summary>
internal sealed class RpkiTarget : FuzzTarget
{
    private static readonly IpPrefix s_prefix = IpPrefix.Parse("10.1.0.0/16");

    private readonly string _file = Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"weft-fuzz-{Environment.ProcessId}.json");

    public override string Name => "rpki";

    public override IEnumerable<byte[]> Seeds =>
    [
        "{\"roas\":[{\"asn\":\"AS65001\",\"prefix\":\"10.0.0.0/8\",\"maxLength\":24,\"ta\":\"ripe\"},{\"asn\":65002,\"prefix\":\"2001:db8::/32\",\"maxLength\":48,\"expires\":1}],\"metadata\":{}}"u8.ToArray(),
        "{\"roas\":[]}"u8.ToArray(), "[]"u8.ToArray(),
    ];

    public override IReadOnlyList<byte[]> Words =>
    [
        "\"roas\":"u8.ToArray(), "\"asn\":"u8.ToArray(), "\"prefix\":"u8.ToArray(), "\"maxLength\":"u8.ToArray(), "null"u8.ToArray(), "-1"u8.ToArray(), "1e99"u8.ToArray(), "\"AS0\""u8.ToArray(),
        "{"u8.ToArray(), "}"u8.ToArray(), "["u8.ToArray(), "]"u8.ToArray(), "\"0.0.0.0/0\""u8.ToArray(), "\\ud800"u8.ToArray(), "33"u8.ToArray(),
    ];

    public override ulong Run(byte[] input)
    {
        File.WriteAllBytes(_file, input);
        try
        {
            RpkiFile file = new(TimeProvider.System, NullLogger.Instance);
            Require(file.CheckAsync(_file).GetAwaiter().GetResult(), "a new file is not looked at");
            Require(file.Problem is null || file.Table is { Count: 0 }, "a refused file left something behind");
            return file.Problem is { } problem ? Mix(1, Magnitude(problem.Length)) : Mix(2, Magnitude(file.Table!.Count) << 4 | (ulong)file.Table.Validate(in s_prefix, 65001));
        }
        finally
        {
            File.Delete(_file);
        }
    }
}
