using System.Text.Json.Nodes;
using Weft.Node.Router;

namespace Weft.Node.Tests.Router;

public sealed class ShowTablesTests
{
    [Fact]
    public void Neighbors_AreATable_AndSayWhyASessionIsDown_In100Columns()
    {
        JsonObject answer = (JsonObject)JsonNode.Parse($$"""
            {"neighbors":[
              {"name":"Mesh_10_192_0_3","address":"10.192.0.3","remoteAs":64512,"state":"Established","seconds":90061,"receivedPrefixes":{"ipv4":3,"ipv6":2},"advertisedPrefixes":{"ipv4":1,"ipv6":0},"lastError":"old"},
              {"name":"tor1","address":"172.16.1.1","remoteAs":65001,"state":"Connect","seconds":5,"receivedPrefixes":{"ipv4":0,"ipv6":0},"advertisedPrefixes":{"ipv4":0,"ipv6":0},"lastError":"{{string.Join(' ', Enumerable.Repeat("because", 30))}}"}]}
            """)!;

        string[] lines = ShowTables.Render("neighbors", answer).Split('\n');

        Assert.Equal("NEIGHBOR         ADDRESS     AS     STATE        SINCE  RECEIVED  SENT", lines[0]);
        Assert.Equal("Mesh_10_192_0_3  10.192.0.3  64512  Established  1d1h   3 + 2 v6  1", lines[1]);
        Assert.Equal("tor1             172.16.1.1  65001  Connect      5s     0         0", lines[2]);
        Assert.StartsWith("tor1: because", lines[4]);
        Assert.StartsWith("  because", lines[5]);
        Assert.All(lines, l => Assert.True(l.Length <= 100, l));
        Assert.DoesNotContain(lines, l => l.Contains("old"));
    }

    [Fact]
    public void Routes_MarkBestAndInstalled_AndSayWhyTheOthersLost()
    {
        JsonObject answer = (JsonObject)JsonNode.Parse("""
            {"routes":[
              {"prefix":"10.1.0.0/16","best":true,"multipath":false,"stale":false,"nextHop":"172.16.1.2","source":"node1","localPref":100,"asPath":"64512","origin":"igp","reason":null,"installed":true},
              {"prefix":"10.1.0.0/16","best":false,"multipath":false,"stale":true,"nextHop":"172.16.1.3","source":"node2","localPref":100,"asPath":"64512 64513","origin":"igp","reason":"longer AS path","installed":false}],
             "truncated":true}
            """)!;

        string text = ShowTables.Render("routes", answer);

        Assert.Contains("*K   10.1.0.0/16  172.16.1.2  node1  100   64512\n", text);
        Assert.Contains("  S               172.16.1.3  node2  100   64512 64513  longer AS path\n", text);
        Assert.Contains("more routes are not shown", text);
    }
}
