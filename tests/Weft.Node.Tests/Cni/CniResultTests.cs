using System.Text.Json.Nodes;
using Weft.Node.Cni;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Cni;

public sealed class CniResultTests
{
    private static readonly CniResult s_result = new()
    {
        Interfaces = [new ResultInterface("calic440f455693"), new ResultInterface("eth0", "ae:11:22:33:44:55", 1450, "/var/run/netns/x")],
        Addresses = [new ResultAddress(1, InterfaceAddress.Parse("10.1.4.7/32")), new ResultAddress(1, InterfaceAddress.Parse("fd00::7/128"))],
        Routes = [new ResultRoute(IpPrefix.Parse("0.0.0.0/0"), IpAddress.Parse("169.254.1.1"))],
    };

    [Theory]
    [InlineData("0.2.0", """{"cniVersion":"0.2.0","ip4":{"ip":"10.1.4.7/32","routes":[{"dst":"0.0.0.0/0","gw":"169.254.1.1"}]},"ip6":{"ip":"fd00::7/128","routes":[]},"dns":{}}""")]
    [InlineData("0.3.1", """{"cniVersion":"0.3.1","interfaces":[{"name":"calic440f455693"},{"name":"eth0","mac":"ae:11:22:33:44:55","sandbox":"/var/run/netns/x"}],"ips":[{"version":"4","interface":1,"address":"10.1.4.7/32"},{"version":"6","interface":1,"address":"fd00::7/128"}],"routes":[{"dst":"0.0.0.0/0","gw":"169.254.1.1"}],"dns":{}}""")]
    [InlineData("0.4.0", """{"cniVersion":"0.4.0","interfaces":[{"name":"calic440f455693"},{"name":"eth0","mac":"ae:11:22:33:44:55","sandbox":"/var/run/netns/x"}],"ips":[{"version":"4","interface":1,"address":"10.1.4.7/32"},{"version":"6","interface":1,"address":"fd00::7/128"}],"routes":[{"dst":"0.0.0.0/0","gw":"169.254.1.1"}],"dns":{}}""")]
    [InlineData("1.0.0", """{"cniVersion":"1.0.0","interfaces":[{"name":"calic440f455693"},{"name":"eth0","mac":"ae:11:22:33:44:55","sandbox":"/var/run/netns/x"}],"ips":[{"interface":1,"address":"10.1.4.7/32"},{"interface":1,"address":"fd00::7/128"}],"routes":[{"dst":"0.0.0.0/0","gw":"169.254.1.1"}],"dns":{}}""")]
    [InlineData("1.1.0", """{"cniVersion":"1.1.0","interfaces":[{"name":"calic440f455693"},{"name":"eth0","mac":"ae:11:22:33:44:55","mtu":1450,"sandbox":"/var/run/netns/x"}],"ips":[{"interface":1,"address":"10.1.4.7/32"},{"interface":1,"address":"fd00::7/128"}],"routes":[{"dst":"0.0.0.0/0","gw":"169.254.1.1"}],"dns":{}}""")]
    public void Write_EveryVersion_HasItsForm(string version, string expected)
    {
        JsonObject written = s_result.Write(version);

        Assert.Equal(JsonNode.Parse(expected)!.ToJsonString(), written.ToJsonString());
    }

    [Theory]
    [InlineData("0.3.1")]
    [InlineData("0.4.0")]
    [InlineData("1.0.0")]
    [InlineData("1.1.0")]
    public void Parse_WhatWasWritten_GivesItBack(string version)
    {
        CniResult read = CniResult.Parse(s_result.Write(version));

        Assert.Equal(s_result.Write(version).ToJsonString(), read.Write(version).ToJsonString());
    }
}
