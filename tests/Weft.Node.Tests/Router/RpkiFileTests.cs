using System.Text;
using Weft.Bgp.Policies;
using Weft.Node.Router;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Router;

public sealed class RpkiFileTests
{
    [Fact]
    public void FormsOfTheValidators_AreRead()
    {
        const string Json = """
            {"metadata":{"generated":1700000000,"roas":[1,2]},
             "roas":[{"asn":"AS65001","prefix":"10.0.0.0/8","maxLength":24,"ta":"ripe"},
                     {"asn":65002,"prefix":"2001:db8::/32","maxLength":48,"expires":1},
                     {"prefix":"192.0.2.0/24","asn":"65003","source":[{"type":"roa","asn":"AS1"}]}],
             "aspas":[]}
            """;

        Assert.True(RpkiFile.TryParse(Encoding.UTF8.GetBytes(Json), out RoaTable table, out string problem), problem);

        Assert.Equal(3, table.Count);
        Assert.Equal(RpkiState.Valid, table.Validate(IpPrefix.Parse("10.1.2.0/24"), 65001));
        Assert.Equal(RpkiState.Invalid, table.Validate(IpPrefix.Parse("10.1.2.0/25"), 65001));
        Assert.Equal(RpkiState.Valid, table.Validate(IpPrefix.Parse("2001:db8:1::/48"), 65002));
        Assert.Equal(RpkiState.Invalid, table.Validate(IpPrefix.Parse("192.0.2.0/25"), 65003));
    }

    [Theory]
    [InlineData("{", "is no JSON: line 1, byte 2")]
    [InlineData("[]", "has no \"roas\"")]
    [InlineData("{\"roas\":7}", "\"roas\": expected an array")]
    [InlineData("{\"roas\":[{\"asn\":\"AS1\",\"prefix\":\"10.0.0.0/8\"},{\"asn\":\"ASx\",\"prefix\":\"10.0.0.0/8\"}]}", "roas[1]: asn \"ASx\": expected an AS number such as AS65001")]
    [InlineData("{\"roas\":[{\"asn\":1,\"prefix\":\"10.0.0.0\"}]}", "roas[0]: prefix \"10.0.0.0\": expected a prefix")]
    [InlineData("{\"roas\":[{\"asn\":1,\"prefix\":\"10.0.0.0/8\",\"maxLength\":7}]}", "roas[0]: maxLength 7: expected 8 to 32")]
    public void BadFile_IsRefusedWhole_WithThePlace(string json, string expected)
    {
        Assert.False(RpkiFile.TryParse(Encoding.UTF8.GetBytes(json), out _, out string problem));
        Assert.Equal(expected, problem);
    }
}
